"""Event files for TensorBoard: an option, since the package that writes them is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
from PIL import Image

from netspec.diagnostics import NetspecError, failure
from netspec.diagnostics.models import CannotWrite
from netspec.diagnostics.reporting import TensorboardMissing
from netspec.report.models import EpochRow

_ROOM: Final = 100_000
"""About how many bytes an epoch takes, and a picture with it."""
EVENTS: Final = "events.out.tfevents.*"
"""What event files are called."""


def require_tensorboard() -> None:
    """Raise N727 (exit 5) unless event files can be written here."""
    _writer()


def _writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise failure(TensorboardMissing(str(error).splitlines()[0])) from error
    return SummaryWriter


def _to_write(folder: Path, rows: Sequence[EpochRow]) -> Sequence[EpochRow]:
    """The epochs that are not, or may not be, in the event files."""
    return rows[-1:] if any(folder.glob(EVENTS)) else rows


class EventLog:
    """The event files of a run, in its folder. The step is the epoch, counted from 1.

    A run that goes on writes another file, which says from which step on it holds in the place of earlier ones; the last of ``rows`` is
    written again, since a kill may have come between its checkpoint and its event. A folder that has no event files yet gets all ``rows``.
    Without ``rows`` the log of this very process is gone on with, behind what it has.

    Scalars are ``loss/train``, ``accuracy/val`` and so on by the names of the figures, ``lr`` and ``images_per_second``. Everything raises
    N727 where the package is missing, and N810 where a file cannot be written.
    """

    def __init__(self, folder: Path, rows: Sequence[EpochRow] | None = None) -> None:
        self._folder = folder
        again = _to_write(folder, rows or ())
        first = None if rows is None else again[0].epoch if again else 1
        writer = _writer()
        with self._said():
            self._events = writer(log_dir=str(folder), purge_step=first)
        for row in again:
            self.epoch(row)

    def __enter__(self) -> EventLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with suppress(NetspecError) if error is not None else nullcontext():  # what is on its way to the user is the news
            self.close()

    def epoch(self, row: EpochRow) -> None:
        """Write the figures of an epoch, and flush them to the file."""
        scalars = {f"{name}/{split}": value for split in ("train", "val") for name, value in getattr(row, split).items()}
        with self._said():
            for name, value in (scalars | {"lr": row.lr, "images_per_second": row.images_per_second}).items():
                self._events.add_scalar(name, value, row.epoch)
            self._events.flush()

    def picture(self, name: str, png: bytes, epoch: int) -> None:
        """Write a picture, as that of the confusion."""
        pixels = np.asarray(Image.open(BytesIO(png)).convert("RGB"))
        with self._said():
            self._events.add_image(name, pixels, epoch, dataformats="HWC")
            self._events.flush()

    def close(self) -> None:
        """End the file."""
        with self._said():
            self._events.close()

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise failure(CannotWrite(str(self._folder / EVENTS), error.strerror or str(error), _ROOM)) from error
