"""One training on several devices: what the processes that `torchrun` starts tell one another.

Each process has the whole net, unless it is divided (`sharding.py`), and computes its part of every batch; gradients are summed over all
(`DistributedDataParallel`), so that a step is that of the whole batch on one device. Only the first process writes. Every process has to
come to the same point for anything that is said here to go through: whatever decides what happens next is decided by all together.

What one process is told without the others waiting for it stands in PyTorch's store: a table of names, which `torchrun` itself holds.
"""

from __future__ import annotations

import gc
import os
import re
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count as counting
from typing import Any, Final, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, distributed

from netspec.diagnostics import Exit, NetspecError, failure
from netspec.diagnostics.devices import ProcessDied, ProcessesApart

Said = TypeVar("Said")

_PATIENCE: Final = timedelta(minutes=10)
"""How long a process waits for the others to come to the same point of a training."""
_LOOK_AGAIN: Final = 0.05
"""Seconds between two looks into the store."""
_SAID: Final = "said"
_trainings: Final = counting()
"""A script may train several times in the same processes: each time under other names."""


class SaidElsewhere(Exception):  # as Interrupted, no mistake of its own
    """The end of one process of a training, of which another has said why. ``exit`` is the exit code."""

    def __init__(self, code: int) -> None:
        super().__init__("another process of the training has said why it ended")
        self.exit = code


class Store(Protocol):
    """What is used of `torch.distributed.Store`."""

    def add(self, name: str, amount: int, /) -> int:
        """Add to a number, which begins at 0, and give it."""

    def check(self, names: list[str], /) -> bool:
        """Whether there are all of these."""


@dataclass(frozen=True)
class Processes:
    """This process among those of a training: the ``rank``-th of ``count``, from 0; ``local`` counts on its machine."""

    rank: int = 0
    count: int = 1
    local: int = 0
    store: Store | None = field(default=None, compare=False, repr=False)

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    @property
    def several(self) -> bool:
        return self.count > 1

    def part(self, start: int, end: int) -> tuple[int, int]:
        """The share of this process of the samples from ``start`` to ``end`` of an epoch: as even as can be, and it may be empty."""
        whole = end - start
        return start + whole * self.rank // self.count, start + whole * (self.rank + 1) // self.count

    def seed(self, *numbers: int) -> int:
        """A seed from these numbers that no other process has."""
        return int(np.random.SeedSequence([*numbers, self.rank]).generate_state(1, np.uint64)[0] >> np.uint64(1))

    def total(self, tensor: Tensor) -> Tensor:
        """The sum of a tensor over all processes."""
        if not self.several:
            return tensor
        summed = tensor.clone()
        with told_of_the_dead():
            distributed.all_reduce(summed)
        return summed

    def any(self, said: bool) -> bool:
        """Whether any process says so."""
        return bool(self.total(torch.tensor(float(said))) > 0) if self.several else said

    def from_first(self, said: Said) -> Said:
        """What the first process says, in every process."""
        if not self.several:
            return said
        held: list[Any] = [said]
        with told_of_the_dead():
            distributed.broadcast_object_list(held, src=0)
        found: Said = held[0]
        return found

    def gathered(self, said: Said) -> list[Said]:
        """What each process says, in the order of their ranks."""
        if not self.several:
            return [said]
        held: list[Any] = [None] * self.count
        with told_of_the_dead():
            distributed.all_gather_object(held, said)
        return held

    def foremost(self, name: str) -> bool:
        """Whether this process is the first in time that asks for something under this name. Where the store is gone, each is."""
        if self.store is None:
            return True
        try:
            return self.store.add(name, 1) == 1
        except RuntimeError:
            return True

    def tell(self, name: str) -> None:
        """Let the others :meth:`hear` a name."""
        self.foremost(name)

    def hear(self, name: str, seconds: float) -> bool:
        """Whether another process has told a name, for which this one waits so long."""
        until = time.monotonic() + seconds
        with suppress(NetspecError):
            while time.monotonic() < until:
                if self._told(name):
                    return True
                time.sleep(_LOOK_AGAIN)
        return False

    @contextmanager
    def in_turn(self, name: str) -> Iterator[None]:
        """One process of each machine does something that takes long first, then the others there, which find what it has left, and all go
        on when all have done it. However long that is: a process that ends meanwhile ends the waiting too (N848)."""
        if not self.several:
            yield
            return
        if self.local:
            self._await(f"{name} {self.rank - self.local}")
        yield
        self.tell(f"{name} {self.rank}")
        for rank in range(self.count):
            self._await(f"{name} {rank}")

    def _await(self, name: str) -> None:
        while not self._told(name):
            if self._told(_SAID):
                raise failure(ProcessDied("it has ended before the training began"))
            time.sleep(_LOOK_AGAIN)

    def _told(self, name: str) -> bool:
        assert self.store is not None
        with told_of_the_dead():
            return self.store.check([name])


ALONE: Final = Processes()
_LETTING_GO: Final = 0.5
"""Seconds for gloo's threads to let go of tensors of work that was broken off. They need Python's lock for it, and who takes the group
apart holds that lock and waits for them: without a pause both may wait for ever."""


@contextmanager
def processes(device: str) -> Iterator[Processes]:
    """The processes of this training: those that `torchrun` has started, which its environment variables tell of, else this one alone.

    What ends a training ends it in all of them, and the first in time says why: the others end by :class:`SaidElsewhere`. Raises N849 where
    they do not find one another.
    """
    found = _found()
    if not found.several:
        yield found
        return
    joined = _joined(found, device)
    try:
        yield joined
    except Exception as error:
        said = not joined.foremost(_SAID)
        assert distributed.group.WORLD is not None
        distributed.group.WORLD.abort()  # what the others wait for does not come any more
        _let_go(error)
        if not (said and _is_death(error)):  # then the message cannot wait: torchrun ends this process as well
            time.sleep(_LETTING_GO if said else 2 * _LETTING_GO)
        if not said:
            raise
        raise SaidElsewhere(int(getattr(error, "exit", Exit.BUG))) from error
    finally:
        distributed.destroy_process_group()


def _let_go(error: BaseException | None) -> None:
    """Forget what the functions that an error has left still hold: as long as a net that is divided is among it, so is the group, and its
    connections stay open, for whose end the others wait."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
    gc.collect()


def _is_death(error: Exception) -> bool:
    return isinstance(error, NetspecError) and any(isinstance(d.problem, ProcessDied) for d in error.diagnostics)


def _found() -> Processes:
    if os.environ.get("WORLD_SIZE", "1") == "1":
        return ALONE
    try:
        rank, count, local = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    except KeyError as error:
        raise failure(ProcessesApart(f"WORLD_SIZE is set, and {error.args[0]} is not")) from None
    except ValueError as error:
        raise failure(ProcessesApart(str(error))) from None
    return Processes(rank, count, local)


def _joined(found: Processes, device: str) -> Processes:
    from torch.distributed import PrefixStore, rendezvous  # type: ignore[attr-defined]

    cuda = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    try:
        held, _, _ = next(iter(rendezvous("env://", timeout=_PATIENCE)))
        store = PrefixStore(f"netspec {next(_trainings)}", held)
        distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if cuda else "gloo", timeout=_PATIENCE, store=store, rank=found.rank, world_size=found.count
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise failure(ProcessesApart(_first_line(error))) from error
    return Processes(found.rank, found.count, found.local, store)


@contextmanager
def told_of_the_dead() -> Iterator[None]:
    """What PyTorch raises where another process is gone, as a sentence: N848."""
    try:
        yield
    except RuntimeError as error:
        if not (distributed.is_initialized() and _of_connection(error)):
            raise
        raise failure(ProcessDied(_first_line(error))) from error


def _of_connection(error: RuntimeError) -> bool:
    """Whether it is the connection to other processes that has failed. gloo raises nothing more special, but names its own sources."""
    return isinstance(error, distributed.DistError) or re.search(r"gloo|NCCL|ProcessGroup|TCPStore", str(error)) is not None


def _first_line(error: Exception) -> str:
    """What PyTorch says, without the place in its sources and the advice behind it."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return re.sub(r"^\[[^]]*\]\s*", "", line).partition(". ")[0]
