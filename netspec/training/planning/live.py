"""Counts the bytes of tensors that are alive, at every step of a program that is run on tensors without memory."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Scratch = Callable[[Any, Sequence[Any], Any], int]
"""How many bytes a kernel takes for itself while it runs, from the operator, its arguments and its results."""


@dataclass
class Tally:
    """Bytes alive now, and the most there were; ``marked`` is what ``mark`` said of the moment of the most."""

    now: int = 0
    peak: int = 0
    marked: dict[str, int] = field(default_factory=dict)

    def restart(self) -> None:
        """Forget what was before."""
        self.peak, self.marked = self.now, {}


class Live(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While this is entered, ``tally`` knows of every storage that an operator makes, until the last tensor that uses it is gone.

    ``block`` is what an allocator rounds up to; ``scratch`` says what kernels take beside their results; ``mark`` is asked for figures
    to remember whenever there is more alive than ever before.
    """

    def __init__(self, scratch: Scratch, block: int = 1, mark: Callable[[], dict[str, int]] | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tally = Tally()
        self._known: dict[int, weakref.ref[Any]] = {}
        self._scratch, self._block, self._mark = scratch, block, mark or dict

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._meet(leaf)
        most = self.tally.now + self._scratch(func, args, result)
        if most > self.tally.peak:
            self.tally.peak, self.tally.marked = most, self._mark()
        return result

    def _meet(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._known:
            return
        size = -(-storage.nbytes() // self._block) * self._block

        def gone(_: object) -> None:
            del self._known[key]
            self.tally.now -= size

        self._known[key] = weakref.ref(storage, gone)
        self.tally.now += size
