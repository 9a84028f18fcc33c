"""The one way to kept values: from memory, from a file that is there, or computed now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch

from netspec.backends.torch import CompiledNet
from netspec.cache import Cache
from netspec.diagnostics import Problem
from netspec.diagnostics.caching import FeaturesUnused
from netspec.frontier import Frontier
from netspec.training.devices.precision import Precision, mixed
from netspec.training.features.costs import Where
from netspec.training.features.files import keep_in_file, open_features
from netspec.training.features.values import Batches, Features, features_key, keep_in_memory


@dataclass(frozen=True)
class FrozenPart:
    """The values of a frontier over all samples of a split.

    ``batches`` gives the samples as they are without augmentation, in their order and on the net's device, best in batches of the size
    that the stage trains with: the last bits of a product may depend on it. ``data`` is the fingerprint of the samples. The net
    is in the mode of training, with what is frozen frozen.
    """

    net: CompiledNet
    frontier: Frontier
    batches: Batches
    samples: int
    data: str
    precision: Precision
    device: torch.device
    batch: int

    @cached_property
    def key(self) -> str:
        """What the values follow from, as a SHA-256."""
        return features_key(self.net, self.frontier, self.data, f"{self.precision} {self.device.type} {self.batch}")

    @property
    def is_kept(self) -> bool:
        """Whether there is a file of these values; what it holds is checked when it is opened."""
        return Cache.usual().has("features", self.key)

    def features(self, where: Where, tell: Callable[[Problem], None]) -> Features | None:
        """The values, where they are to be: computed unless a file has them. ``None`` where the disk does not take them, of which ``tell``
        hears N736, and for ``no``."""
        if where == "no":
            return None
        with mixed(self.precision, self.device):
            if where == "memory":
                return keep_in_memory(self.net, self.frontier, self.batches, self.samples)
            return self._in_file(self.key, tell)

    def _in_file(self, key: str, tell: Callable[[Problem], None]) -> Features | None:
        cache = Cache.usual()
        if (found := open_features(cache, key, self.frontier, self.samples)) is not None:
            return found
        try:
            reason = cache.lacks_room("features", self._size())
            if reason is None:
                return keep_in_file(self.net, self.frontier, self.batches, self.samples, cache, key)
        except OSError as error:
            reason = error.strerror or str(error)
        tell(FeaturesUnused(str(cache.folder("features")), reason))
        return None

    def _size(self) -> int:
        return self.samples * bytes_of(self.frontier, self.precision)


def bytes_of(frontier: Frontier, precision: Precision) -> int:
    """About how many bytes the values of a sample take, all views together: in bf16, what autocast leaves in float32 takes twice that."""
    return sum(v.numbers for v in frontier.values) * (2 if precision == "bf16" else 4)
