"""Run as a program: kill a training wherever its files are in another state than before, resume it, compare the weights.

Each training is a fork, so that PyTorch is loaded once. The resume is killed too, somewhere, and resumed in its turn.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from netspec.training import closing, train
from tests.training.nets import graph, write_data

BEFORE = ("fchmod", "replace")
"""The content of a temporary file is written; it is on the disk."""

AFTER = ("open", "replace")
"""A temporary file is there; it stands in the place of the old one."""


def kill_at(moment: int) -> Callable[[], int]:
    """Count the moments before and after these calls, and die at one; gives a function that says how many there were."""
    seen = 0

    def pass_by() -> None:
        nonlocal seen
        if seen == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1

    def watched(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if name in BEFORE:
                pass_by()
            result = real(*arguments, **named)
            if name in AFTER:
                pass_by()
            return result

        return call

    for name in {*BEFORE, *AFTER}:
        setattr(os, name, watched(name, getattr(os, name)))
    return lambda: seen


def forked(work: Callable[[], object]) -> int:
    """How a child that does this work ends: 0, or minus the signal's number."""
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException as error:
            print(type(error).__name__, error, file=sys.stderr)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(folder: Path) -> None:
    for name in ("draw_curves", "draw_confusions"):  # drawing takes longer than all else here
        setattr(closing, name, lambda *_: b"a picture")
    for name in ("net_diagram", "write_report"):
        setattr(closing, name, lambda _: "a page")
    net, data = graph(folder, epochs="2", batch="16"), write_data(folder, train=20, val=6, test=0)
    train(net, data, out=folder / "whole", device="cpu")
    expected = {name: (folder / "whole" / name).read_bytes() for name in ("last.safetensors", "best.safetensors")}

    def counted() -> None:
        count = kill_at(-1)
        train(net, data, out=folder / "counted", device="cpu")
        (folder / "calls").write_text(str(count()), "utf-8")

    assert forked(counted) == 0
    calls = int((folder / "calls").read_text("utf-8"))
    killed, wrong = 0, []
    for moment in range(calls):
        out = folder / f"run{moment}"

        def attempt(at: int, out: Path = out) -> None:
            kill_at(at)
            train(net, data, out=out, resume=(out / "run.json").exists(), device="cpu")

        ends = [forked(partial(attempt, at)) for at in ([moment, moment * 7 % 23, -1] if moment % 3 == 0 else [moment, -1])]
        killed += ends.count(-signal.SIGKILL)
        found = {name: (out / name).read_bytes() if (out / name).exists() else b"" for name in expected}
        left = [p.name for p in out.iterdir() if p.name.endswith(".tmp")]
        if ends[0] != -signal.SIGKILL or ends[-1] != 0 or found != expected or left:
            wrong.append([moment, ends, left, [name for name in expected if found[name] != expected[name]]])
    print(json.dumps({"moments": calls, "killed": killed, "wrong": wrong}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
