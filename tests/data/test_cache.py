"""What was decoded once is not decoded again, and never taken for something else."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from netspec.cache import Cache
from netspec.data.images import loading
from netspec.data.images.cache import DecodedCache
from netspec.data.images.cached import CachedPixels
from netspec.data.images.decode import ImageFormat, decode
from netspec.data.images.loading import scan, scan_to_disk
from netspec.diagnostics import NetspecError, Problem
from netspec.diagnostics.problem import Exit
from tests.data.pictures import GREY, RGB, encoded, noise

ROW = 3 * 8 * 8
GIGABYTE = 10**9


@pytest.fixture
def told() -> list[Problem]:
    return []


@pytest.fixture
def cache(tmp_path: Path, told: list[Problem]) -> DecodedCache:
    return DecodedCache(Cache(tmp_path, GIGABYTE), told.append)


@pytest.fixture(autouse=True)
def always_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "pays", lambda seconds, size: True)


@pytest.fixture
def no_decoder(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def take_away() -> None:
        monkeypatch.setattr(loading, "decode", lambda content, wanted: pytest.fail("decoded"))

    return take_away


def pictures(folder: Path, count: int = 6, first: int = 0) -> list[Path]:
    folder.mkdir(exist_ok=True)
    files = [folder / f"{number}.png" for number in range(first, first + count)]
    for number, file in enumerate(files, first):
        file.write_bytes(encoded(noise(number)))
    return files


def decoded(files: list[Path], wanted: ImageFormat = RGB) -> np.ndarray:
    return np.stack([decode(file.read_bytes(), wanted) for file in files])


def kept(cache: DecodedCache) -> list[Path]:
    return sorted(cache.folder.iterdir())


def on_disk(files: list[Path], cache: DecodedCache, wanted: ImageFormat = RGB) -> CachedPixels:
    found, _ = scan_to_disk(files, wanted, cache)
    assert found is not None
    return found


def everything(found: CachedPixels) -> np.ndarray:
    return found[np.arange(len(found))]


# --- what is in it ----------------------------------------------------------------------------------------------------------------


def test_the_second_scan_decodes_nothing(tmp_path: Path, cache: DecodedCache, no_decoder: Callable[[], None]) -> None:
    files = pictures(tmp_path / "a")
    first, digests = scan(files, RGB, keep=True, cache=cache)
    expected = decoded(files)
    no_decoder()
    second, again = scan(files, RGB, keep=True, cache=cache)
    assert first is not None
    assert second is not None
    assert (first == expected).all()
    assert (second == expected).all()
    assert digests == again
    second[0] = 0  # in memory, and ours
    third, _ = scan(files, RGB, keep=True, cache=cache)
    assert third is not None
    assert (third == expected).all()


def test_order_names_and_splits_do_not_matter(tmp_path: Path, cache: DecodedCache, no_decoder: Callable[[], None]) -> None:
    files = pictures(tmp_path / "a")
    on_disk(files, cache)
    moved = [file.rename(tmp_path / f"moved{file.name}") for file in files]
    chosen = [moved[4], moved[1], moved[1], moved[0]]
    expected = decoded(chosen)
    no_decoder()
    found = on_disk(chosen, cache)
    assert found.shape == (4, 3, 8, 8)
    assert found.nbytes == 4 * ROW
    assert (everything(found) == expected).all()
    assert (found[np.array([3, 0])] == expected[[3, 0]]).all()


def test_a_changed_image_is_another_one(tmp_path: Path, cache: DecodedCache) -> None:
    files = pictures(tmp_path / "a")
    on_disk(files, cache)
    before = files[2].stat()
    files[2].write_bytes(encoded(noise(99)))
    os.utime(files[2], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (everything(on_disk(files, cache)) == decoded(files)).all()
    assert len(kept(cache)) == 2


def test_formats_and_rules_are_told_apart(tmp_path: Path, cache: DecodedCache, monkeypatch: pytest.MonkeyPatch) -> None:
    from netspec.data.images import cached as module

    files = pictures(tmp_path / "a")
    on_disk(files, cache)
    assert (everything(on_disk(files, cache, GREY)) == decoded(files, GREY)).all()
    assert cache.may_have(RGB)
    monkeypatch.setattr(module, "RULES", module.RULES + 1)
    module.decoding.cache_clear()
    try:
        assert not cache.may_have(RGB)
    finally:
        module.decoding.cache_clear()


def test_more_images_than_are_decoded_at_a_time(tmp_path: Path, cache: DecodedCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_CHUNK", 4)
    files = pictures(tmp_path / "a", 11)
    steps: list[tuple[int, int]] = []
    found, digests = scan_to_disk(files, RGB, cache, lambda done, of: steps.append((done, of)))
    assert found is not None
    assert (everything(found) == decoded(files)).all()
    assert len(digests) == 11
    assert steps[-1] == (11, 11)
    pixels, _ = scan(files, RGB, keep=True)
    assert pixels is not None
    assert (pixels == decoded(files)).all()


def test_every_unreadable_image_is_named_with_a_cache_as_without(tmp_path: Path, cache: DecodedCache) -> None:
    files = pictures(tmp_path / "a")
    on_disk(files, cache)
    files[1].write_bytes(b"no picture")
    files[4].write_bytes(b"")
    for look in (lambda: scan(files, RGB, keep=True, cache=cache), lambda: scan_to_disk(files, RGB, cache)):
        with pytest.raises(NetspecError) as caught:
            look()
        assert "1.png" in str(caught.value) or "4.png" in str(caught.value)
    files[4].write_bytes(b"no picture either")
    with pytest.raises(NetspecError) as caught:
        scan_to_disk(files, RGB, cache)
    assert all(name in str(caught.value) for name in ("1.png", "4.png"))
    assert len(kept(cache)) == 1, "nothing half written is left"


# --- when -------------------------------------------------------------------------------------------------------------------------


def test_without_a_cache_and_without_keeping_nothing_is_written(tmp_path: Path, cache: DecodedCache) -> None:
    files = pictures(tmp_path / "a")
    scan(files, RGB, keep=True)
    assert scan(files, RGB, keep=False, cache=cache)[0] is None
    assert not cache.folder.exists()


@pytest.mark.parametrize(
    ("seconds", "size", "pays"),
    [
        pytest.param(1.5, 10**6, False, id="soon decoded"),
        pytest.param(60.0, 15 * 10**9, True, id="100,000 images of 224 on some cores"),
        pytest.param(4.0, 15 * 10**9, False, id="the same, decoded faster than read"),
    ],
)
def test_what_pays(seconds: float, size: int, pays: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert loading.pays(seconds, size) is pays


def test_few_images_are_not_worth_a_place(tmp_path: Path, cache: DecodedCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    scan(pictures(tmp_path / "a"), RGB, keep=True, cache=cache)
    assert not cache.folder.exists()


@pytest.mark.parametrize(("given", "limit"), [(None, 20 * GIGABYTE), ("", 20 * GIGABYTE), ("0.5", GIGABYTE // 2), ("100", 100 * GIGABYTE)])
def test_the_limit_is_in_the_environment(
    given: str | None, limit: int, tmp_path: Path, told: list[Problem], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETSPEC_CACHE", str(tmp_path))
    monkeypatch.delenv("NETSPEC_CACHE_GB", raising=False)
    if given is not None:
        monkeypatch.setenv("NETSPEC_CACHE_GB", given)
    assert DecodedCache.usual(told.append) == DecodedCache(Cache(tmp_path, limit), told.append)


def test_no_room_is_no_cache(told: list[Problem], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETSPEC_CACHE_GB", "0")
    assert DecodedCache.usual(told.append) is None


@pytest.mark.parametrize("given", ["much", "-1", "nan", "inf", "1e999"])
def test_a_limit_that_is_none(given: str, told: list[Problem], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETSPEC_CACHE_GB", given)
    with pytest.raises(NetspecError) as caught:
        DecodedCache.usual(told.append)
    assert [d.code for d in caught.value.diagnostics] == ["N734"]
    assert caught.value.exit is Exit.USAGE


# --- room -------------------------------------------------------------------------------------------------------------------------


def size_of(count: int) -> int:
    return count * (ROW + 32) + 60 + 32


def test_what_was_used_longest_ago_makes_room(tmp_path: Path, told: list[Problem]) -> None:
    cache = DecodedCache(Cache(tmp_path, 2 * size_of(6)), told.append)
    groups = [pictures(tmp_path / str(first), 6, first) for first in (0, 10, 20)]
    for number, group in enumerate(groups[:2]):
        os.utime(on_disk(group, cache).paths[0], (number, number))
    on_disk(groups[0], cache)  # used again, so the second goes
    on_disk(groups[2], cache)
    assert sum(file.stat().st_size for file in kept(cache)) == 2 * size_of(6)
    digests = [[digest for part in loading._each(group, loading._hashed, None) for digest in part] for group in groups]
    assert [cache.find(RGB, d) is not None for d in digests] == [True, False, True]
    assert not told


def test_more_than_the_limit_is_not_kept(tmp_path: Path, told: list[Problem]) -> None:
    cache = DecodedCache(Cache(tmp_path, size_of(6) - 1), told.append)
    files = pictures(tmp_path / "a")
    found, digests = scan_to_disk(files, RGB, cache)
    assert found is None
    assert len(digests) == 6
    pixels, _ = scan(files, RGB, keep=True, cache=cache)
    assert pixels is not None
    assert (pixels == decoded(files)).all()
    assert [p.code for p in told] == ["N732", "N732"]
    assert "the limit is" in told[0].message()


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may become longer than 1,000 bytes: the system refuses as a full disk does."""
    before, action = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, action)


def test_a_disk_that_takes_no_more_is_no_error(
    tmp_path: Path, cache: DecodedCache, told: list[Problem], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_CHUNK", 3)
    files = pictures(tmp_path / "a", 12)
    expected = decoded(files)
    request.getfixturevalue("small_files")
    pixels, _ = scan(files, RGB, keep=True, cache=cache)
    found, digests = scan_to_disk(files, RGB, cache)
    assert pixels is not None
    assert (pixels == expected).all()
    assert found is None
    assert len(digests) == 12
    assert [p.message().rpartition(": ")[2] for p in told] == ["File too large"] * 2
    assert kept(cache) == [], "nothing half written is left"


def test_a_disk_that_is_nearly_full_is_left_alone(
    tmp_path: Path, cache: DecodedCache, told: list[Problem], monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=2 * size_of(6) - 1))
    assert scan_to_disk(pictures(tmp_path / "a"), RGB, cache)[0] is None
    assert "half is left alone" in told[0].message()


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path, told: list[Problem]) -> None:
    (tmp_path / "file").write_text("")
    cache = DecodedCache(Cache(tmp_path / "file", GIGABYTE), told.append)
    assert scan_to_disk(pictures(tmp_path / "a"), RGB, cache)[0] is None
    assert [p.message().rpartition(": ")[2] for p in told] == ["Not a directory"]


# --- damage -----------------------------------------------------------------------------------------------------------------------


def _cut(content: bytes) -> bytes:
    return content[:-1]


def _cut_by_rows(content: bytes) -> bytes:
    return content[ROW + 32 :]


def _longer(content: bytes) -> bytes:
    return content + bytes(ROW + 32)


def _of_other_images(content: bytes) -> bytes:
    return content[: 6 * ROW] + bytes([content[6 * ROW] ^ 1]) + content[6 * ROW + 1 :]


def _of_other_rules(content: bytes) -> bytes:
    return content[:-80] + bytes([content[-80] ^ 1]) + content[-79:]


@pytest.mark.parametrize("spoil", [_cut, _cut_by_rows, _longer, _of_other_images, _of_other_rules, lambda c: b"", lambda c: bytes(len(c))])
def test_a_damaged_file_is_made_anew(
    spoil: Callable[[bytes], bytes], tmp_path: Path, cache: DecodedCache, told: list[Problem], no_decoder: Callable[[], None]
) -> None:
    files = pictures(tmp_path / "a")
    path = on_disk(files, cache).paths[0]
    content = path.read_bytes()
    assert len(content) == size_of(6)
    path.write_bytes(spoil(content))
    assert (everything(on_disk(files, cache)) == decoded(files)).all()
    assert path.read_bytes() == content
    assert not told
    no_decoder()
    on_disk(files, cache)


def test_what_cannot_be_opened_is_left_alone(tmp_path: Path, cache: DecodedCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be another user's, or too many files are open: that says nothing of what is in it."""
    files = pictures(tmp_path / "a")
    path = on_disk(files, cache).paths[0]
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", lambda *_: (_ for _ in ()).throw(OSError(24, "Too many open files")))
        assert cache.find(RGB, []) is None
    assert path.exists()


def test_what_is_no_file_is_left_out(tmp_path: Path, cache: DecodedCache) -> None:
    files = pictures(tmp_path / "a")
    path = on_disk(files, cache).paths[0]
    path.unlink()
    path.mkdir()
    pixels, _ = scan(files, RGB, keep=True, cache=cache)
    assert pixels is not None
    assert (pixels == decoded(files)).all()
    path.rmdir()
    os.mkfifo(path)
    assert (everything(on_disk(files, cache)) == decoded(files)).all()


def test_a_file_cut_while_it_is_used_is_an_error_and_not_the_end(tmp_path: Path, cache: DecodedCache) -> None:
    found = on_disk(pictures(tmp_path / "a"), cache)
    os.truncate(found.paths[0], 2 * ROW + 5)
    assert found[np.array([1])].shape == (1, 3, 8, 8)
    for row in (2, 5):
        with pytest.raises(NetspecError) as caught:
            found[np.array([row])]
        assert [d.code for d in caught.value.diagnostics] == ["N733"]
        assert caught.value.exit is Exit.ENVIRONMENT


def test_a_file_removed_while_it_is_used_goes_on(tmp_path: Path, cache: DecodedCache) -> None:
    files = pictures(tmp_path / "a")
    found = on_disk(files, cache)
    found.paths[0].unlink()
    assert (everything(found) == decoded(files)).all()
