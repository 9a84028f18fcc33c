"""Run by `torchrun`: trainings in several processes, of which test_processes.py sees what they leave.

`all FOLDER` trains every net of the folder, and breaks off, refuses and goes on with one of them; `shard FOLDER` does so with the weights
divided; `die RANK FOLDER` trains on the command line, and lets one process be killed in the second half of a step of the optimiser, and
`"die divided" RANK FOLDER` with the weights divided.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from torch import Tensor
from torch.distributed.tensor import DTensor

from netspec.cli.main import run
from netspec.compiler import load
from netspec.data.samples import Batch
from netspec.diagnostics import NetspecError, failure
from netspec.diagnostics.caching import CacheLost
from netspec.training import Interrupted, closing, train
from netspec.training.devices import sharding
from netspec.training.devices.processes import SaidElsewhere
from netspec.training.folders.checkpoint import Position
from netspec.training.folders.folder import RunFolder, locked
from netspec.training.measuring.scoring import Scoring
from netspec.training.steps import Steps

RANK = int(os.environ.get("RANK", "0"))
BREAKS_AT = 6
"""The second of the two batches of the third step of `dropout.net`."""


def without_pictures(put: Callable[[object, str, object], None] = setattr) -> None:
    """Drawing takes longer than all else here."""
    for name in ("draw_curves", "draw_confusions", "draw_mistakes"):
        put(closing, name, lambda *_: b"a picture")
    for name in ("net_diagram", "write_report"):
        put(closing, name, lambda _: "a page")


def trained(folder: Path, name: str, out: str, resume: bool = False, shard: bool = False) -> list[Any]:
    """How a training ends: what was raised, and its code or its exit."""
    try:
        train(load(folder / f"{name}.net"), folder / f"{name}.npz", out=folder / out, resume=resume, device="cpu", shard=shard)
    except NetspecError as error:
        return ["error", error.diagnostics[0].problem.code]
    except (SaidElsewhere, Interrupted) as error:
        return [type(error).__name__, error.exit]
    return ["fine", 0]


@contextmanager
def in_loss(rank: int, at: int, act: Callable[[], None]) -> Iterator[None]:
    """One process does something where its loss is computed for the ``at``-th time: the batch has gone forwards, and not yet backwards."""
    real, seen = Scoring.loss, 0

    def loss(self: Scoring, *arguments: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == at and rank == RANK:
            act()
        return real(self, *arguments)

    with patch.object(Scoring, "loss", loss):
        yield


def lost() -> None:
    raise failure(CacheLost("pixels", "it ends too early"))


def written(under: Path) -> list[str]:
    """The files below a folder that this process opens to write, from now on."""
    found: list[str] = []

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and str(under) in str(arguments[0]):
            found.append(str(arguments[0]))

    sys.addaudithook(hear)
    return found


def everything(folder: Path) -> None:
    two = folder / "two"
    files = written(two)
    ends = {f"{path.stem}": trained(folder, path.stem, f"two/{path.stem}") for path in sorted(folder.glob("*.net"))}
    with in_loss(1, BREAKS_AT, lambda: os.kill(os.getpid(), signal.SIGTERM)):
        ends["asked"] = trained(folder, "dropout", "two/asked")
    if RANK == 0:
        shutil.copytree(two / "asked", folder / "later")
        shutil.copytree(two / "asked", two / "locked")
    ends["asked, on"] = trained(folder, "dropout", "two/asked", resume=True)
    with in_loss(1, BREAKS_AT, lost):
        ends["lost"] = trained(folder, "dropout", "two/lost")
    ends["lost, on"] = trained(folder, "dropout", "two/lost", resume=True)
    ends["finished"] = trained(folder, "dropout", "two/lost", resume=True)
    ends["in use"] = trained(folder, "dropout", "two/norms")
    if RANK == 0:
        with locked(RunFolder(two / "locked")):
            ends["locked"] = trained(folder, "dropout", "two/locked", resume=True)
    else:
        ends["locked"] = trained(folder, "dropout", "two/locked", resume=True)
    (folder / f"rank{RANK}.json").write_text(json.dumps({"ends": ends, "written": files}), "utf-8")


def divided(folder: Path) -> None:
    """Every net once in layers that are put together one by one, and once with all that is in them at the same time."""
    ends, parts = {}, {}
    for large in (1, 10**9):
        with patch.object(sharding, "_LARGE", large), held(parts):
            for path in sorted(folder.glob("*.net")):
                ends[f"{path.stem} {large}"] = trained(folder, path.stem, f"divided{large}/{path.stem}", shard=True)
    with in_loss(1, BREAKS_AT, lambda: os.kill(os.getpid(), signal.SIGTERM)):
        ends["asked"] = trained(folder, "dropout", "divided/asked", shard=True)
    if RANK == 0:
        shutil.copytree(folder / "divided/asked", folder / "later")
    ends["asked, on"] = trained(folder, "dropout", "divided/asked", resume=True, shard=True)
    with in_loss(1, BREAKS_AT, lost):
        ends["lost"] = trained(folder, "dropout", "divided/lost", shard=True)
    ends["lost, on"] = trained(folder, "dropout", "divided/lost", resume=True, shard=True)
    (folder / f"rank{RANK}.json").write_text(json.dumps({"ends": ends, "held": parts}), "utf-8")


@contextmanager
def held(parts: dict[str, list[int]]) -> Iterator[None]:
    """Meanwhile the bytes of weights, gradients and states of the optimiser that this process holds, and those of all, are put down at the
    end of each training's last step; after each batch, also of a step that has several, gradients are divided."""
    gradients, update = Steps.gradients, Steps.update

    def made(self: Steps, batch: Batch, position: Position) -> dict[str, Tensor]:
        figures = gradients(self, batch, position)
        assert all(isinstance(p.grad, DTensor) for p in self.learner.parameters())
        return figures

    def updated(self: Steps, position: Position) -> None:
        update(self, position)
        states = [t for state in self.learner.optimizer.state.values() for t in state.values() if isinstance(t, Tensor) and t.dim()]
        tensors = [*self.learner.parameters(), *(p.grad for p in self.learner.parameters() if p.grad is not None), *states]
        own = sum(sharding.held(t).nbytes for t in tensors)
        parts[f"{self.job.data.stem} {sharding._LARGE}"] = [own, sum(t.numel() * 4 for t in tensors)]

    with patch.object(Steps, "gradients", made), patch.object(Steps, "update", updated):
        yield


def dying(rank: int, folder: Path) -> int:
    out = str(folder / f"died{rank}")
    with in_loss(rank, BREAKS_AT, lambda: os.kill(os.getpid(), signal.SIGKILL)):
        return run(["train", str(folder / "dropout.net"), "--data", str(folder / "dropout.npz"), "--out", out, "--device", "cpu"])


def dying_divided(rank: int, folder: Path) -> int:
    """The process is gone in the second epoch, where the others measure the length of all gradients together."""
    real = Steps.update

    def update(self: Steps, position: Position) -> None:
        if rank == RANK and position.epoch == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        real(self, position)

    out = str(folder / f"divided{rank}")
    with patch.object(Steps, "update", update):
        return run(["train", str(folder / "norms.net"), "--data", str(folder / "norms.npz"), "--out", out, "--device", "cpu", "--shard"])


if __name__ == "__main__":
    without_pictures()
    if sys.argv[1] == "all":
        everything(Path(sys.argv[2]))
    elif sys.argv[1] == "shard":
        divided(Path(sys.argv[2]))
    else:
        sys.exit({"die": dying, "die divided": dying_divided}[sys.argv[1]](int(sys.argv[2]), Path(sys.argv[3])))
