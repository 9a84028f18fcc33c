"""Run as a program: kill trainings at random moments, resume them, and compare what they leave with what one leaves that was let alone.

`python -m tests.training.killing_anywhere FOLDER --count 1000` is the whole of it. Each training is a fork, so that PyTorch is loaded once,
and is ended by the system at a moment drawn from its usual length and some more: in its start, in the scan of its pictures, while values of
a frozen part are written, in steps, validation, checkpoints, pictures and the report. Then it is resumed, and perhaps killed again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from netspec.graph import Graph
from netspec.training import closing, still, train
from netspec.training.features.costs import Decision
from tests.data.pictures import encoded, noise
from tests.training.killing import forked
from tests.training.several import net
from tests.training.test_going_on import picture_folder
from tests.training.test_kept_values import outcome

TEXT = """
net Photos {
    image: input(3x8x8)
    preprocess { scale(1/255) }
    augment { flip }
    base: { conv(4, 3) -> relu }
    flatten -> dropout(0.2) -> linear(2)
}
data { split = [0.5, 0.25, 0.25] }
train {
    batch = 4
    ema = 0.9
    optimizer = adam(lr=0.01)
    warm { epochs = 2, freeze = "base" }
    fine { epochs = 2, unfreeze = "base" }
}
"""
TIMES = 4
"""How often one training is killed at most."""


def prepare(folder: Path) -> tuple[Graph, Path]:
    """What stands in for the drawing takes no time; values of the frozen part go to the disk."""
    for name in ("draw_curves", "draw_confusions", "draw_mistakes"):
        setattr(closing, name, lambda *_: encoded(noise(0)))
    for name in ("net_diagram", "write_report"):
        setattr(closing, name, lambda _: "a page")
    vars(still)["decide"] = lambda _: Decision("disk", "asked for")
    os.environ["NETSPEC_CACHE"] = str(folder / "cache")
    return net(folder, TEXT), picture_folder(folder)


def events(run: Path) -> list[int]:
    """The epochs that TensorBoard shows, as the last files that speak of them say."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

    found = EventAccumulator(str(run))
    found.Reload()
    return [event.step for event in found.Scalars("loss/train")]


def wrong_with(run: Path, expected: dict[str, str]) -> list[str]:
    """What of a run is not as it is to be."""
    found = outcome(run)
    record = json.loads((run / "run.json").read_text("utf-8"))
    history = [line.split(",")[0] for line in (run / "history.csv").read_text("utf-8").splitlines()[1:]]
    names = {"plan.json", "report.html", "confusion.png", "curves.png", "spec.net", "best.safetensors"}
    return [
        *(key for key in expected if found.get(key) != expected[key]),
        *(path.name for path in run.iterdir() if path.name.endswith(".tmp")),
        *(name for name in names if not (run / name).stat().st_size),
        *(["status"] if record["status"] != "finished" else []),
        *(["history"] if history != ["1", "2", "3", "4"] else []),
        *(["events"] if events(run) != [1, 2, 3, 4] else []),
    ]


def ended(work: Callable[[], object], seconds: float, attempt: int) -> int:
    """How a child ends that does this work, and is killed after so long.

    Its wall clock is ahead of those before: TensorBoard sorts files by the second in their names, and a fork begins within one.
    """
    real = time.time

    def limited() -> None:
        time.time = lambda: real() + 10 * attempt
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        work()

    return forked(limited)


def main(folder: Path, count: int, seed: int) -> dict[str, Any]:
    model, data = prepare(folder)
    train(model, data, out=folder / "whole", device="cpu", tensorboard=True)
    expected, drawn, wrong, killed = outcome(folder / "whole"), random.Random(seed), list[Any](), 0
    started = time.perf_counter()
    train(model, data, out=folder / "again", device="cpu", tensorboard=True)
    usual = time.perf_counter() - started
    run = folder / "run"
    while killed < count:
        shutil.rmtree(run, ignore_errors=True)
        if drawn.random() < 0.3:
            shutil.rmtree(folder / "cache", ignore_errors=True)
        for attempt in range(TIMES + 1):

            def work(out: Path = run) -> None:
                train(model, data, out=out, resume=(out / "run.json").exists(), device="cpu", tensorboard=True)

            limit = 600.0 if attempt == TIMES else max(drawn.random() * 1.2 * usual, 1e-4)
            end = ended(partial(work), limit, attempt)
            if end == 0:
                break
            if end != -signal.SIGALRM:
                wrong.append(["ended", end])
                break
            killed += 1
        if found := wrong_with(run, expected):
            wrong.append(found)
    return {"killed": killed, "wrong": wrong, "usual": round(usual, 3)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(json.dumps(main(given.folder, given.count, given.seed)))
    sys.stdout.flush()
