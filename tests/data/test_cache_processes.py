"""Several processes and one cache of decoded images: what one writes never harms another, and what a killed one left is swept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from netspec.data.images.cache import DecodedCache
from tests.data.pictures import RGB
from tests.data.test_cache import cache, decoded, kept, on_disk, pictures, told

__all__ = ["cache", "told"]

_SCAN = """
import sys, time
from pathlib import Path
from netspec.cache import Cache
from netspec.data.images.cache import DecodedCache
from netspec.data.images.decode import ImageFormat
from netspec.data.images.loading import scan_to_disk
files = sorted(Path(sys.argv[1]).iterdir())
cache = DecodedCache(Cache(Path(sys.argv[2]), 10**9), print)
Path(sys.argv[3]).touch()
while len(list(Path(sys.argv[3]).parent.glob("ready*"))) < int(sys.argv[4]):
    time.sleep(0.001)
found, _ = scan_to_disk(files, ImageFormat(3, 8, 8), cache)
print(found[__import__("numpy").arange(len(files))].sum())
"""


def test_two_processes_at_once(tmp_path: Path, cache: DecodedCache) -> None:
    files = sorted(pictures(tmp_path / "a", 40))
    scanning = [sys.executable, "-c", _SCAN, str(tmp_path / "a"), str(cache.disk.root)]
    commands = [[*scanning, str(tmp_path / f"ready{n}"), "2"] for n in range(2)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    said = [process.communicate(timeout=120)[0] for process in running]
    assert said == [f"{decoded(files).sum()}\n"] * 2
    assert len(kept(cache)) == 1


def test_a_process_that_was_killed_leaves_nothing_that_is_used(tmp_path: Path, cache: DecodedCache) -> None:
    files = pictures(tmp_path / "a")
    killed = (
        "import os, sys, numpy as np\nfrom pathlib import Path\nfrom netspec.cache import Cache\n"
        "from netspec.data.images.cache import DecodedCache\n"
        "from netspec.data.images.decode import ImageFormat\n"
        "with DecodedCache(Cache(Path(sys.argv[1]), 10**9), print).begin(ImageFormat(3, 8, 8), 6, 6 * 192) as writer:\n"
        "    writer.write(np.zeros((6, 3, 8, 8), np.uint8))\n    os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", killed, str(cache.disk.root)], check=False).returncode == -signal.SIGKILL
    (left,) = kept(cache)
    assert not cache.may_have(RGB)
    on_disk(files, cache)
    assert left.exists(), "it may belong to a process that is still writing"
    os.utime(left, (time.time() - 2 * 86400,) * 2)
    on_disk(pictures(tmp_path / "b", 3, 50), cache)
    assert not left.exists()
