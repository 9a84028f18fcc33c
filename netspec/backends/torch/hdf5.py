"""HDF5, as Keras writes it: ``.h5`` and ``.weights.h5``.

The library that reads HDF5 is C code, the format is large, and the file is a stranger's: so it is read in a process of its own
(``hdf5_child.py``) with a clock and a limit of memory, and what comes back is laid out as safetensors and parsed as strictly as those are.
What the format itself says of the file's end is held against the file before that: a file that was cut or has grown is never given to it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from torch import Tensor

from netspec.backends.torch import safetensors
from netspec.backends.torch.safetensors import Damaged

SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_CHILD: Final = Path(__file__).with_name("hdf5_child.py")
_NO_H5PY: Final = 3
_REFUSED: Final = 4
_SPARE: Final = 2 * 2**30
"""Memory for Python, numpy and h5py, beside the file."""
_BYTES_A_SECOND: Final = 5 * 2**20
"""The slowest disk and processor that are waited for."""
_PATIENCE: Final = 60.0


class Foreign(Exception):
    """A file with more in it than arrays of numbers; the text says what."""


class Large(Exception):
    """A file whose arrays take more bytes than they may; ``size`` is how many."""

    def __init__(self, size: int) -> None:
        super().__init__(str(size))
        self.size = size


class NoH5py(Exception):
    """h5py is not installed, or does not load."""


@dataclass(frozen=True)
class Content:
    """The arrays of a file by their paths, the first ``listed`` of them in the order in which Keras lists them.

    ``names`` are the names that Keras 3 gives its layers, by the path of the group of their variables.
    """

    tensors: dict[str, Tensor]
    listed: int
    names: dict[str, str]


def read(file: BinaryIO, size: int, most: int) -> Content:
    """The arrays of an HDF5 file of ``size`` bytes, which together may take ``most``.

    Raises :class:`~netspec.backends.torch.safetensors.Damaged`, :class:`Foreign`, :class:`Large` or :class:`NoH5py`.
    """
    _verify_end(file.read(128), size)
    os.lseek(file.fileno(), 0, os.SEEK_SET)  # the process takes the descriptor over, not what is buffered here
    seconds = _PATIENCE + size / _BYTES_A_SECOND
    command = [sys.executable, "-P", str(_CHILD), str(most), str(_SPARE + 2 * size + 2 * most), str(int(seconds))]
    with subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment()) as child:
        assert child.stdout is not None and child.stderr is not None
        clock = threading.Timer(seconds, child.kill)
        clock.start()
        try:
            return _content(child.stdout, child)
        finally:
            clock.cancel()
            child.kill()


def _content(stream: Any, child: subprocess.Popen[bytes]) -> Content:
    start = stream.read(8)
    if len(start) < 8:
        raise _reason(child)
    try:
        header = safetensors.read_header(stream, int.from_bytes(start, "little"))
        tensors, _ = safetensors.read_tensors(stream, header)
    except Damaged as error:
        raise (_reason(child) if child.wait() else error) from error
    paths, names = json.loads(header.metadata["paths"]), json.loads(header.metadata["names"])
    return Content({path: tensors[str(i)] for i, path in enumerate(paths)}, int(header.metadata["listed"]), names)


def _reason(child: subprocess.Popen[bytes]) -> Exception:
    """What the process said when it ended early, as the exception to raise."""
    assert child.stderr is not None
    said = child.stderr.read(100_000).decode(errors="replace").strip()
    code = child.wait()
    if code == _NO_H5PY:
        return NoH5py(said)
    if code != _REFUSED:
        return Damaged("HDF5's own library breaks down on it" if code < 0 else "HDF5's own library runs out of memory or time on it")
    kind, _, rest = said.splitlines()[-1].partition(" ")
    words = str(json.loads(rest))
    return Foreign(words) if kind == "foreign" else Large(int(words)) if kind == "large" else Damaged(words)


def _environment() -> dict[str, str]:
    """No filter is loaded from a library outside (``HDF5_PLUGIN_PRELOAD``), and one thread is enough to read."""
    return {**os.environ, "HDF5_PLUGIN_PRELOAD": "::", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def _verify_end(start: bytes, size: int) -> None:
    """Make sure that the file ends where its superblock says (HDF5 File Format Specification 3.0, section II.A)."""
    version = start[8] if len(start) > 8 else 255
    width = start[13] if version < 2 and len(start) > 13 else start[9] if len(start) > 9 else 0
    first = {0: 24, 1: 28, 2: 12, 3: 12}.get(version)
    if first is None or width not in (2, 4, 8) or len(start) < first + 3 * width:
        raise Damaged(f"the file is {size} bytes, and its superblock cannot be read")
    end = int.from_bytes(start[first + 2 * width : first + 3 * width], "little")
    if end != size:
        raise Damaged(f"the file is {size} bytes, and its superblock says {end}")
