"""Being asked to stop: Ctrl-C, SIGTERM and a closed terminal end a training between two steps, with its state saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from netspec.diagnostics.text import escape


class Interrupted(Exception):
    """A training that was asked to stop and has saved its state. ``exit`` is the exit code: 128 and the signal's number."""

    def __init__(self, number: int, folder: Path) -> None:
        super().__init__(f"interrupted; the state is saved in {escape(str(folder))}, go on with the same command and --resume")
        self.exit = 128 + number
        self.folder = folder


@dataclass
class StopRequest:
    """The signal that has asked to stop, if any has."""

    signal: int | None = None


@contextmanager
def stop_requests(*, hold: bool = False) -> Iterator[StopRequest]:
    """Note the first signal that asks to stop instead of obeying it at once; a second Ctrl-C interrupts as usual.

    With ``hold`` signals go on being noted where an error ends this: torchrun asks all processes to stop once one has died, and those
    that are left have yet to say what has happened. Outside the main thread, where Python allows no handlers, nothing is changed.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(number: int, frame: FrameType | None) -> None:
        if request.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        request.signal = request.signal or number  # torchrun passes on what a scheduler may have sent to all already

    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield request
    except BaseException:
        if not hold:
            _restore(before)
        raise
    _restore(before)


def _restore(handlers: Mapping[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
