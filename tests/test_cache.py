"""The cache's room: both kinds of files under one limit."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from netspec.cache import Cache, Kind, using


def put(cache: Cache, kind: Kind, name: str, used: float) -> Path:
    """A file of 100 bytes that was used so many seconds after 1970."""
    path = cache.place(kind, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(100))
    os.utime(path, (used, used))
    return path


def test_what_was_used_longest_ago_goes_whatever_kind_it_is_of(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 350)
    old, middle, new = put(cache, "features", "a", 1), put(cache, "decoded", "b", 2), put(cache, "features", "c", 3)
    assert cache.lacks_room("decoded", 50) is None
    assert old.exists()
    assert cache.lacks_room("decoded", 150) is None
    assert (old.exists(), middle.exists(), new.exists()) == (False, True, True)
    assert cache.lacks_room("features", 350) is None
    assert not middle.exists()
    assert not new.exists()


def test_what_is_larger_than_the_limit_sends_nothing_away(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 300)
    kept = put(cache, "decoded", "a", 1)
    assert cache.lacks_room("features", 301) == "they take 301 bytes, and the limit is 300 bytes"
    assert kept.exists()


def test_half_of_what_the_disk_has_free_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10**10))
    cache = Cache(tmp_path, 10**11)
    assert cache.lacks_room("decoded", 5 * 10**9) is None
    reason = "they take 5.10 GB, and of the 10.00 GB that are free on that disk half is left alone"
    assert cache.lacks_room("decoded", 5_100_000_000) == reason


def test_what_a_killed_process_left_is_swept_a_day_later(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 10**6)
    put(cache, "features", "a", 1)
    left = [cache.folder("features") / name for name in (".x.features.tmp", ".y.features.tmp")]
    for path, hours in zip(left, (25, 23), strict=True):
        path.write_bytes(b"half of it")
        os.utime(path, (time.time() - 3600 * hours,) * 2)
    assert cache.lacks_room("decoded", 1) is None
    assert [path.exists() for path in left] == [False, True]


class Reading:
    """Who reads from a file."""

    def __init__(self, path: Path) -> None:
        self.path = path


def test_what_is_read_stays_and_counts_as_used(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 250)
    path = put(cache, "decoded", "a", 1)
    reader = Reading(path)
    using(reader)
    assert path.stat().st_mtime > time.time() - 60
    assert cache.lacks_room("features", 150) is None
    reason = "they take 200 bytes, and of the limit of 250 bytes this training itself uses 100 bytes"
    assert cache.lacks_room("features", 200) == reason
    del reader
    assert cache.lacks_room("features", 200) is None
    assert not path.exists()


def test_nothing_goes_for_a_file_that_cannot_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path, 250)
    held, other = put(cache, "decoded", "a", 2), put(cache, "decoded", "b", 1)
    reader = Reading(held)
    using(reader)
    assert "this training itself uses 100 bytes" in (cache.lacks_room("features", 200) or "")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=299))
    assert "half is left alone" in (cache.lacks_room("features", 150) or "")
    assert other.exists()


def test_a_user_without_a_home_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("NETSPEC_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", staticmethod(homeless))
    assert not Cache.usual().root.parent.exists()


def test_a_place_that_cannot_be_asked_has_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Cache(tmp_path / "not/there/yet", 10).room == 10
    assert not Cache(tmp_path, 10).has("features", "a")

    def refused(*_: object, **__: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "disk_usage", refused)
    monkeypatch.setattr(Path, "exists", refused)
    assert Cache(tmp_path, 10).room == 0
    assert not Cache(tmp_path, 10).has("features", "a")


def test_files_come_by_kind_and_name_the_last_used_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 10**6)
    made = [put(cache, "decoded", f"3x8x8-{name}", used) for name, used in (("a", 1), ("b", 3), ("c", 2))]
    put(cache, "decoded", "1x8x8-d", 4)
    put(cache, "features", "3x8x8-e", 5)
    assert cache.files("decoded", "3x8x8-") == [made[1], made[2], made[0]]
    assert Cache(tmp_path / "nowhere", 1).files("decoded") == []
