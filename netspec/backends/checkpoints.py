"""Published checkpoints: the table ``specs/checkpoints.json``, and the cache that their files are fetched into.

A file is checked every time it is used: its size, and its SHA-256. Where the table has only the first digits of that, which PyTorch writes
into the names of its files, those are compared: that finds what was damaged, not what somebody has made to look alike; so nothing in such a
file is ever run, whatever it is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from netspec.backends.atomic import open_regular, write_atomically
from netspec.diagnostics import failure
from netspec.diagnostics.text import closest
from netspec.diagnostics.weights import CannotFetch, CheckpointDiffers, UnknownCheckpoint
from netspec.resources import cache_folder, folder

PREFIX: Final = "netspec:"
"""Begins the name of a published checkpoint where a file could stand."""

OFFLINE: Final = "NETSPEC_OFFLINE"
_CHUNK: Final = 2**20
_PATIENCE: Final = 30.0
"""Seconds without a byte after which a connection is given up."""
_MEBIBYTE: Final = 2**20


@dataclass(frozen=True)
class Checkpoint:
    """One row of the table.

    ``sha256`` has all 64 digits, or the first eight or ten. ``mebibytes`` is the size as published, to three decimals; ``bytes`` the
    exact one, where it is known. ``spec`` and ``net`` say what it fits. ``renamed`` are pieces of names as they stand in an older file, and
    what they are called since: PyTorch's own models rename them when they are loaded.
    """

    name: str
    spec: str
    net: str
    address: str
    sha256: str
    mebibytes: float
    bytes: int | None
    data: str
    licence: str
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The file's name, in the cache as at its address."""
        return PurePosixPath(urlsplit(self.address).path).name

    @property
    def path(self) -> Path:
        """Where the file lies once it is fetched."""
        return cache_folder() / self.file

    def key(self, name: str) -> str:
        """What a tensor of the file is called in the net."""
        for old, new in self.renamed.items():
            name = name.replace(old, new)
        return name

    @property
    def most(self) -> int:
        """The most bytes that the file can have."""
        return self.bytes or int((self.mebibytes + 0.001) * _MEBIBYTE)


@cache
def checkpoints() -> Mapping[str, Checkpoint]:
    """The table, by name."""
    table = json.loads((folder("specs") / "checkpoints.json").read_text("utf-8"))
    licences: Mapping[str, str] = table["licences"]
    return {row["name"]: _checked(row, licences) for row in table["checkpoints"]}


def _checked(row: Mapping[str, Any], licences: Mapping[str, str]) -> Checkpoint:
    """A row, made sure to be one: the table is edited by hand."""
    found = Checkpoint(**{"bytes": None, **row, "licence": licences[row["licence"]]})
    digits = set(found.sha256) <= set("0123456789abcdef") and 8 <= len(found.sha256) <= 64
    if not digits or not found.address.startswith("https://") or found.mebibytes <= 0 or not found.file:
        raise ValueError(f"the table of checkpoints is wrong at {found.name}")
    return found


def checkpoint(name: str) -> Checkpoint:
    """The row of this name, with or without ``netspec:`` before it. Raises N822."""
    plain = name.removeprefix(PREFIX)
    found = checkpoints().get(plain)
    if found is None:
        raise failure(UnknownCheckpoint(plain, closest(plain, checkpoints())))
    return found


def open_checkpoint(wanted: Checkpoint) -> BinaryIO:
    """The file of a checkpoint, fetched if it is not in the cache, made sure to be the one that was published.

    Raises a :class:`~netspec.diagnostics.NetspecError` N823 where it cannot be had, N824 where it is another one.
    """
    if not os.path.lexists(wanted.path):
        fetch(wanted)
    file = open_regular(str(wanted.path))
    try:
        digest = hashlib.sha256()
        size = os.fstat(file.fileno()).st_size
        _check_size(wanted, size)
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
        _check_digest(wanted, digest.hexdigest())
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def fetch(wanted: Checkpoint) -> None:
    """Fetch a file into the cache: there whole and right, or not at all. Raises N823, N824, N810."""
    if os.environ.get(OFFLINE):
        raise _unreachable(wanted, f"{OFFLINE} is set")
    try:
        wanted.path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unreachable(wanted, f"{wanted.path.parent}: {error.strerror}") from error
    try:
        write_atomically(wanted.path, _received(wanted), wanted.most)
    except _NoConnection as error:
        raise _unreachable(wanted, str(error)) from error


class _NoConnection(Exception):
    """What went wrong on the way. No :class:`OSError`, as those of the disk are."""


class _StaysSafe(HTTPRedirectHandler):
    """Follows to other addresses, as PyTorch's own may lead to, but not away from the protocol."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        if urlsplit(newurl).scheme != urlsplit(req.full_url).scheme:
            fp.close()
            raise _NoConnection(f"it leads on to {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _received(wanted: Checkpoint) -> Iterator[bytes]:
    """The bytes at an address, as they come. The last is given only where all of them are the right ones."""
    digest, size = hashlib.sha256(), 0
    try:
        request = Request(wanted.address, headers={"User-Agent": "netspec"})
        with build_opener(_StaysSafe).open(request, timeout=_PATIENCE) as answer:
            while chunk := answer.read(_CHUNK):
                size += len(chunk)
                if size > wanted.most:
                    raise failure(CheckpointDiffers(wanted.name, wanted.address, f"it has more than {wanted.most:,} bytes"))
                digest.update(chunk)
                yield chunk
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()
        raise _NoConnection(str(getattr(error, "reason", None) or error) or type(error).__name__) from error
    _check_size(wanted, size)
    _check_digest(wanted, digest.hexdigest())


def _check_size(wanted: Checkpoint, size: int) -> None:
    least = wanted.bytes or int((wanted.mebibytes - 0.001) * _MEBIBYTE)
    if not least <= size <= wanted.most:
        published = f"{wanted.bytes:,} bytes" if wanted.bytes else f"{wanted.mebibytes} MiB"
        raise failure(CheckpointDiffers(wanted.name, str(wanted.path), f"it has {size:,} bytes, and the published file {published}"))


def _check_digest(wanted: Checkpoint, digest: str) -> None:
    if not digest.startswith(wanted.sha256):
        what = f"its SHA-256 begins with {digest[: len(wanted.sha256)]}, and not with {wanted.sha256}"
        raise failure(CheckpointDiffers(wanted.name, str(wanted.path), what))


def _unreachable(wanted: Checkpoint, reason: str) -> Exception:
    return failure(CannotFetch(wanted.name, wanted.address, reason, str(wanted.path), wanted.sha256))
