"""Many files to pixels, on all cores, and how much of that may stay in memory."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from netspec.data.decode import ImageFormat, Pixels, Unreadable, decode, own_size, read_bytes
from netspec.diagnostics import failure
from netspec.diagnostics.data import BadImages

Progress = Callable[[int, int], None]
"""Called now and then with how many are done and how many there are."""

_CHUNK = 512


def workers() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_budget() -> int:
    """How many bytes of decoded images may stay in memory: half of what is available, 2 GB where that is not known."""
    available = available_memory()
    return 2 * 10**9 if available is None else available // 2


def available_memory() -> int | None:
    """Bytes of memory that may still be used: the machine's, or the control group's where that is less. Linux only."""
    found = [n for n in (_machine_memory(), _group_memory()) if n is not None]
    return min(found, default=None)


def _machine_memory() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _group_memory() -> int | None:
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii")
    except OSError:
        return None
    return None if limit == "max" else max(int(limit) - int(used), 0)


def scan(files: Sequence[Path], wanted: ImageFormat, *, keep: bool, progress: Progress | None = None) -> tuple[Pixels | None, list[bytes]]:
    """Read and decode every file: the pixels `N x C x H x W` (``None`` unless ``keep``) and the SHA-256 of every file.

    Raises a :class:`~netspec.diagnostics.NetspecError` N711 that names every file that cannot be decoded.
    """
    pixels = np.empty((len(files), *wanted.shape), np.uint8) if keep else None
    digests: list[bytes] = []
    bad: list[tuple[str, str]] = []
    with warnings.catch_warnings(), ThreadPoolExecutor(workers()) as pool:
        warnings.filterwarnings("ignore", module="PIL")
        for start in range(0, len(files), _CHUNK):
            part = files[start : start + _CHUNK]
            for offset, found in enumerate(pool.map(lambda f: _read(f, wanted), part)):
                if isinstance(found, str):
                    bad.append((str(part[offset]), found))
                    continue
                digests.append(found[0])
                if pixels is not None:
                    pixels[start + offset] = found[1]
            if progress is not None:
                progress(start + len(part), len(files))
    if bad:
        raise failure(BadImages(tuple(bad)))
    return pixels, digests


def own_sizes(files: Sequence[Path], wanted: ImageFormat) -> list[ImageFormat]:
    """The format of every file where the net leaves sizes open. Raises N711 as :func:`scan` does."""
    found: list[ImageFormat] = []
    bad: list[tuple[str, str]] = []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        for path in files:
            try:
                found.append(own_size(read_bytes(path), wanted))
            except Unreadable as error:
                bad.append((str(path), str(error)))
    if bad:
        raise failure(BadImages(tuple(bad)))
    return found


def _read(path: Path, wanted: ImageFormat) -> tuple[bytes, Pixels] | str:
    try:
        content = read_bytes(path)
        return hashlib.sha256(content).digest(), decode(content, wanted)
    except Unreadable as error:
        return str(error)
