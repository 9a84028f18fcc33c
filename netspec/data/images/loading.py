"""Many files to pixels, on all cores; how much of that may stay in memory, and when it is worth a place on the disk."""

from __future__ import annotations

import hashlib
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import prod
from pathlib import Path
from statistics import fmean
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from netspec.data.images.cache import DecodedCache
from netspec.data.images.cached import CachedPhotographs, CachedPixels
from netspec.data.images.decode import ImageFormat, Pixels, Unreadable, decode, decoded_size, kept_size, own_size, read_bytes
from netspec.data.images.facts import image_facts
from netspec.diagnostics import failure
from netspec.diagnostics.data import BadImages

Progress = Callable[[int, int], None]
"""Called now and then with how many are done and how many there are."""

T = TypeVar("T")

_CHUNK: Final = 512
_CHUNK_OF_WHOLE: Final = 64
"""How many whole images are decoded at a time at most, as some may be long and take far more than the others."""
_LOOKED_AT: Final = 1024
"""How many headers tell about how much memory whole images will take."""
_CHUNK_BYTES: Final = 2**27
_WORTH_KEEPING: Final = 2.0
"""Seconds of decoding below which nothing is cached in place of it."""
_DISK_SPEED: Final = 1e9
"""Bytes a second that a usual disk reads."""


def workers() -> int:
    """How many cores this process may use: its share of them where several train together on the machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(cores // _processes_here(), 1)


def memory_budget() -> int:
    """How many bytes of decoded images may stay in memory: half of what is available, 2 GB where that is not known; of several processes
    that train together on the machine, each has its share."""
    available = available_memory()
    return (2 * 10**9 if available is None else available // 2) // _processes_here()


def _processes_here() -> int:
    """How many processes `torchrun` has started on this machine."""
    given = os.environ.get("LOCAL_WORLD_SIZE", "")
    return max(int(given), 1) if given.isascii() and given.isdecimal() else 1


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


def scan(
    files: Sequence[Path], wanted: ImageFormat, *, keep: bool, progress: Progress | None = None, cache: DecodedCache | None = None
) -> tuple[Pixels | None, list[bytes]]:
    """Read and decode every file: the pixels `N x C x H x W` in memory (``None`` unless ``keep``) and the SHA-256 of every file.

    With a cache, what is kept comes from there where nothing has changed, and goes there where that saves time the next time: every file is
    read and hashed all the same. Raises a :class:`~netspec.diagnostics.NetspecError` N711 that names every file that cannot be decoded.
    """
    cache = cache if keep else None
    if cache is not None and (found := known(files, wanted, cache, progress)):
        assert isinstance(found[0], CachedPixels)
        return found[0][np.arange(len(files))], found[1]
    pixels = np.empty((len(files), *wanted.shape), np.uint8) if keep else None
    digests: list[bytes] = []
    began = time.perf_counter()
    for part in each_decoded(files, wanted, progress):
        if pixels is not None:
            np.stack([found for _, found in part], out=pixels[len(digests) : len(digests) + len(part)])
        digests += [digest for digest, _ in part]
    if cache is not None and pixels is not None and pays(time.perf_counter() - began, pixels.nbytes):
        with cache.begin(wanted, len(files), pixels.nbytes) as writer:
            if writer is not None:
                writer.write(pixels)
                writer.finish(digests)
    return pixels, digests


def scan_to_disk(
    files: Sequence[Path], wanted: ImageFormat, cache: DecodedCache, progress: Progress | None = None
) -> tuple[CachedPixels | None, list[bytes]]:
    """The same for more images than memory holds: the pixels in a file of the cache, from which ``pixels[rows]`` reads.

    ``None`` for the pixels where the disk does not take them, which ``cache.tell`` has heard of.
    """
    if already := known(files, wanted, cache, progress):
        assert isinstance(already[0], CachedPixels)
        return already[0], already[1]
    found, digests, _ = stored(files, wanted, cache, progress)
    assert not isinstance(found, CachedPhotographs)
    return found, digests


def stored(
    files: Sequence[Path], wanted: ImageFormat, cache: DecodedCache, progress: Progress | None
) -> tuple[CachedPixels | CachedPhotographs | None, list[bytes], NDArray[np.int64]]:
    """Decode files into a file of the cache: what is there then, ``None`` where the disk does not take it, which ``cache.tell`` has heard
    of, with the SHA-256 of every file and the heights and widths, `N x 2`, of the images."""
    digests: list[bytes] = []
    sizes = [np.empty((0, 2), np.int64)]
    with cache.begin(wanted, len(files), expected_bytes(files, wanted)) as writer:
        for part in each_decoded(files, wanted, progress):
            digests += [digest for digest, _ in part]
            sizes.append(np.array([image.shape[1:] for _, image in part], np.int64).reshape(-1, 2))
            if writer is not None:
                writer.write(image for _, image in part)
        if writer is not None:
            writer.finish(digests, np.concatenate(sizes) if wanted.whole else None)
    found = cache.find(wanted, digests) if writer is not None and writer.finished else None
    if found is None and writer is not None and writer.finished:
        cache.removed()
    return found, digests, np.concatenate(sizes)


def expected_bytes(files: Sequence[Path], wanted: ImageFormat) -> int:
    """How many bytes the images of these files take; where they are whole, about, by the headers of some."""
    if not wanted.whole:
        return len(files) * prod(wanted.shape)
    places = np.unique(np.linspace(0, len(files) - 1, _LOOKED_AT).astype(np.int64)).tolist() if files else []
    facts = [found for place in places if (found := image_facts(files[place])) is not None]
    sizes = [prod(kept_size(decoded_size((f.height, f.width), wanted) if f.is_jpeg else (f.height, f.width), wanted)) for f in facts]
    return int(len(files) * wanted.channels * fmean(sizes)) if sizes else 0


def pays(seconds: float, size: int) -> bool:
    """Whether it is worth a place on the disk not to decode these images again: it took two seconds and more, and takes half of that and
    less to read them from a usual disk. With many cores small images may be decoded faster than they are read."""
    return seconds >= _WORTH_KEEPING and size / _DISK_SPEED <= seconds / 2


def known(
    files: Sequence[Path], wanted: ImageFormat, cache: DecodedCache, progress: Progress | None
) -> tuple[CachedPixels | CachedPhotographs, list[bytes]] | None:
    """What the cache has of these files, which takes reading them all; nothing is read where it can have nothing.

    Where it has most of them, the others are decoded and added. It holds all that could be read, so if one of these cannot, nothing else is
    decoded to find that out.
    """
    if not files or not cache.may_have(wanted):
        return None
    digests = [digest for part in _each(files, _hashed, progress) for digest in part]
    found = cache.find(wanted, digests)
    if found is not None:
        return found, digests
    lacking = [files[i] for i in cache.lacking(wanted, digests)]
    if len(lacking) > len(files) // 2 or stored(lacking, wanted, cache, None)[0] is None:
        return None
    found = cache.find(wanted, digests)
    return None if found is None else (found, digests)


def each_decoded(files: Sequence[Path], wanted: ImageFormat, progress: Progress | None) -> Iterator[list[tuple[bytes, Pixels]]]:
    """The SHA-256 and the pixels of files, as many at a time as take little memory."""

    def read(path: Path) -> tuple[bytes, Pixels]:
        content = read_bytes(path)
        return hashlib.sha256(content).digest(), decode(content, wanted)

    most = _CHUNK_OF_WHOLE if wanted.whole else _CHUNK
    return _each(files, read, progress, max(min(most, _CHUNK_BYTES // wanted.most), workers()))


def _hashed(path: Path) -> bytes:
    return hashlib.sha256(read_bytes(path)).digest()


def _each(files: Sequence[Path], read: Callable[[Path], T], progress: Progress | None, many: int = _CHUNK) -> Iterator[list[T]]:
    """What ``read`` makes of the files, on all cores, ``many`` at a time.

    Once one was unreadable nothing more is given, but all are tried: N711, at the end, names every one.
    """
    bad: list[tuple[str, str]] = []
    with warnings.catch_warnings(), ThreadPoolExecutor(workers()) as pool:
        warnings.filterwarnings("ignore", module="PIL")
        for start in range(0, len(files), many):
            part = files[start : start + many]
            found: list[T] = []
            for path, one in zip(part, pool.map(lambda f: _attempt(read, f), part), strict=True):
                if isinstance(one, Unreadable):
                    bad.append((str(path), str(one)))
                else:
                    found.append(one)
            if not bad:
                yield found
            if progress is not None:
                progress(start + len(part), len(files))
    if bad:
        raise failure(BadImages(tuple(bad)))


def _attempt(read: Callable[[Path], T], path: Path) -> T | Unreadable:
    try:
        return read(path)
    except Unreadable as error:
        return error


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
