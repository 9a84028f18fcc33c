"""The folder of a run: made, probed, locked, swept, and each of its files replaced whole."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from pydantic import ValidationError

from netspec.backends.atomic import open_regular, write_atomically
from netspec.diagnostics import failure
from netspec.diagnostics.runs import BrokenRun, CannotUseFolder, DiskTooSmall, NothingToResume, RunExists, RunLocked
from netspec.report.models import RunRecord

RUNS: Final = Path("runs")
_LOCK: Final = ".lock"
_WRITTEN: Final = (
    r"probe|spec\.net|used\.json|samples\.tsv\.gz|run\.json|history\.csv|plan\.json|report\.html|(?:curves|confusion|mistakes)\.png"
    r"|(?:last|best|state)\.safetensors"
)
_TEMPORARY: Final = re.compile(rf"\.(?:{_WRITTEN})\.\w+\.tmp")


@dataclass(frozen=True)
class RunFolder:
    """Where a run's files lie. ``made`` says that the folder was made for it."""

    path: Path
    made: bool = False

    @property
    def spec(self) -> Path:
        return self.path / "spec.net"

    @property
    def used(self) -> Path:
        """The texts of the files that the spec uses, if it does: a table from their paths to what they held."""
        return self.path / "used.json"

    @property
    def samples(self) -> Path:
        """The inventory of the data."""
        return self.path / "samples.tsv.gz"

    @property
    def record(self) -> Path:
        return self.path / "run.json"

    @property
    def history(self) -> Path:
        return self.path / "history.csv"

    @property
    def curves(self) -> Path:
        return self.path / "curves.png"

    @property
    def confusion(self) -> Path:
        return self.path / "confusion.png"

    @property
    def mistakes(self) -> Path:
        return self.path / "mistakes.png"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def last(self) -> Path:
        return self.path / "last.safetensors"

    @property
    def best(self) -> Path:
        return self.path / "best.safetensors"

    @property
    def state(self) -> Path:
        return self.path / "state.safetensors"

    def weights(self, record: RunRecord) -> Path:
        """The weights to use: the best epoch's where validation has found one, else the last epoch's. Raises N753 if they are not there."""
        if not record.epochs_done:
            raise failure(BrokenRun(str(self.path), "no epoch was complete, so it holds no weights"))
        found = self.last if record.best is None else self.best
        if not found.is_file():
            raise failure(BrokenRun(str(found), "the weights of the run are missing"))
        return found

    def write(self, path: Path, content: bytes) -> None:
        """Replace a file whole; raises N810 where that fails, and the old file still stands."""
        write_atomically(path, [content], len(content))

    def write_record(self, record: RunRecord) -> None:
        self.write(self.record, (record.model_dump_json(indent=2) + "\n").encode())

    def read_record(self) -> RunRecord:
        """``run.json``; raises N751 where there is none, N801 where it cannot be read, N753 where it is damaged."""
        if not os.path.lexists(self.record):
            raise failure(NothingToResume(str(self.path)))
        with open_regular(str(self.record)) as file:
            content = file.read()
        try:
            return RunRecord.model_validate_json(content)
        except ValidationError as error:
            first = error.errors()[0]
            raise failure(BrokenRun(str(self.record), f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}")) from error


def new_folder(name: str, out: Path | None) -> RunFolder:
    """Make the folder of a new run: ``out``, which must be empty or not there, or else ``runs/NAME-1`` or the next free number."""
    if out is None:
        return _numbered(name)
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise failure(RunExists(str(out), "is a link" if out.is_symlink() else "is a file"))
    made = not out.exists()
    _make(out)
    if any(not _is_ours(entry) for entry in out.iterdir()):
        raise failure(RunExists(str(out), "exists and is not empty"))
    return RunFolder(out, made)


def _numbered(name: str) -> RunFolder:
    _make(RUNS)
    number = max(_numbers(name), default=0) + 1
    while True:
        path = RUNS / f"{name}-{number}"
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
            continue
        except OSError as error:
            raise failure(CannotUseFolder(str(path), error.strerror or str(error))) from error
        return RunFolder(path, made=True)


def last_folder(name: str) -> RunFolder:
    """The run of this name with the highest number; raises N751 if there is none."""
    numbers = _numbers(name)
    if not numbers:
        raise failure(NothingToResume(str(RUNS / f"{name}-1")))
    return RunFolder(RUNS / f"{name}-{max(numbers)}")


def _numbers(name: str) -> list[int]:
    if not RUNS.is_dir():
        return []
    ends = [p.name.removeprefix(f"{name}-") for p in RUNS.iterdir() if p.name.startswith(f"{name}-")]
    return [int(e) for e in ends if e.isascii() and e.isdecimal()]


def discard_if_unused(folder: RunFolder) -> None:
    """Take away what was made for a run that was not begun. Only for the holder of the lock."""
    with contextlib.suppress(OSError):
        entries = list(folder.path.iterdir())
        if not all(map(_is_ours, entries)):
            return
        for entry in entries:
            entry.unlink()
        if folder.made:
            folder.path.rmdir()


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise failure(CannotUseFolder(str(path), error.strerror or str(error))) from error


def _is_ours(entry: Path) -> bool:
    """Whether an entry is a lock, or a temporary file that a killed run has left."""
    named = entry.name == _LOCK or _TEMPORARY.fullmatch(entry.name) is not None
    return named and entry.is_file() and not entry.is_symlink()


def probe(folder: RunFolder, needed: int) -> None:
    """Find out now, and not after hours, that files can be written here and that ``needed`` bytes are free."""
    try:
        with tempfile.NamedTemporaryFile(prefix=".probe.", suffix=".tmp", dir=folder.path) as file:
            file.write(b"\0")
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(folder.path).free
    except OSError as error:
        raise failure(CannotUseFolder(str(folder.path), error.strerror or str(error))) from error
    if free < needed:
        raise failure(DiskTooSmall(str(folder.path), needed, free))


def sweep(folder: RunFolder) -> None:
    """Remove the temporary files that a killed process has left. Only for the holder of the lock."""
    for entry in folder.path.iterdir():
        if _is_ours(entry) and entry.name != _LOCK:
            entry.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(folder: RunFolder) -> Iterator[None]:
    """Hold the folder for this process alone; raises N752 where another one trains in it. The lock ends with its process."""
    with _open_lock(folder) as file:
        if not _try_lock(file):
            file.seek(0)
            raise failure(RunLocked(str(folder.path), file.read(200).strip() or "another process"))
        file.truncate(0)
        file.write(f"process {os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n")
        file.flush()
        yield


def _open_lock(folder: RunFolder) -> IO[str]:
    """The lock's own file: a link there is not followed, and a pipe not waited for."""
    careful = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(folder.path / _LOCK, os.O_RDWR | os.O_CREAT | careful, 0o666)
    except OSError as error:
        raise failure(CannotUseFolder(str(folder.path), f"{_LOCK}: {error.strerror or error}")) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise failure(CannotUseFolder(str(folder.path), f"{_LOCK} is not a regular file"))
    return os.fdopen(descriptor, "r+", encoding="utf-8", errors="replace")


def _try_lock(file: IO[str]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
