"""Parts of photographs are cut out of the photographs themselves, and are the same wherever these lie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from netspec.augment.cutting import Cutting
from netspec.cache import Cache
from netspec.data import Splits, open_data
from netspec.data.cutting import CutColumn, cut_inputs
from netspec.data.images.cache import DecodedCache
from netspec.data.images.cached import CachedPhotographs, Table
from netspec.data.images.decode import ImageFormat, decode, kept_size
from netspec.data.images.loading import expected_bytes
from netspec.data.images.photographs import FilePhotographs, HeldPhotographs, Photographs, scan_photographs
from netspec.data.opening import Division
from netspec.data.task import Wanted, WantedInput, WantedTarget
from netspec.diagnostics import NetspecError, Problem
from tests.augment.making import augmenter, compiled, noisy
from tests.data.photos import REGIONS, SIZES, cutting, smooth, write_photos
from tests.data.pictures import encoded
from tests.zoo.peer import transforms

WHOLE = ImageFormat(3, 16, 24, whole=True)
PLAIN = ImageFormat(3, 16, 24)
COUNT = 40


@pytest.fixture
def told() -> list[Problem]:
    return []


@pytest.fixture
def cache(tmp_path: Path, told: list[Problem]) -> DecodedCache:
    return DecodedCache(Cache(tmp_path / "cache", 10**9), told.append)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return write_photos(tmp_path / "photos", COUNT)


def column(photographs: Photographs, region: str = REGIONS[1], epoch: int = 0) -> CutColumn:
    return CutColumn(photographs, 0, len(photographs.sizes), WHOLE, cutting(region)).in_epoch(epoch)


def everything(photographs: Photographs, region: str = REGIONS[1], epoch: int = 0) -> Tensor:
    return column(photographs, region, epoch).rows(torch.arange(COUNT))


# --- what is cut out --------------------------------------------------------------------------------------------------------------


def by_torchvision(picture: np.ndarray, steps: list[dict[str, float]]) -> Tensor:
    """Cut out of the photograph, stretched and mirrored by the figures that are shown."""
    functional, bilinear = transforms.functional, transforms.InterpolationMode.BILINEAR
    made = torch.from_numpy(picture).float()
    for step in steps:
        if step["step"] == "random_resized_crop":
            box = [int(step[name]) for name in ("top", "left", "height", "width")]
            made = functional.resized_crop(made, *box, [16, 24], bilinear, antialias=False)
        else:
            made = functional.hflip(made) if step["horizontal"] else made
            made = functional.vflip(made) if step.get("vertical") else made
    return made


@pytest.mark.parametrize("region", REGIONS[:3])
def test_a_part_of_the_photograph_is_stretched(files: list[Path], region: str) -> None:
    held, _ = scan_photographs(files, WHOLE, keep=True)
    made = column(held, region)
    rows, figures = made.rows(torch.arange(COUNT)), made.figures(torch.arange(COUNT), 0)
    assert rows.shape == (COUNT, 3, 16, 24)
    assert rows.dtype == torch.uint8
    looked = 0
    for file, row, steps in zip(files, rows, figures, strict=True):
        crop = next(step for step in steps if step["step"] == "random_resized_crop")
        if crop["width"] <= 48 and crop["height"] <= 32:  # what is more than twice as large is smoothed
            looked += 1
            assert (row.float() - by_torchvision(decode(file.read_bytes(), WHOLE), steps)).abs().max() <= 1.5
    assert looked > COUNT / 2


def test_a_part_of_many_pixels_is_their_means() -> None:
    """Stripes of single pixels, which two points along each axis would show as waves."""
    image = np.zeros((3, 88, 132), np.uint8)
    image[:, :, ::2] = 255
    seen = CutColumn(HeldPhotographs([image]), 0, 1, WHOLE, cutting("random_resized_crop(scale=[0.999, 1], ratio=[1.5, 1.5])"))
    rows = seen.in_epoch(0).rows(torch.tensor([0])).float()
    assert (rows - 127.5).abs().max() < 25


def test_an_axis_of_many_points_is_averaged_where_the_other_grows() -> None:
    image = np.zeros((3, 200, 100), np.uint8)
    image[:, ::2] = 255
    wanted = ImageFormat(3, 16, 240, whole=True)
    cut = cutting("random_resized_crop(scale=[0.9, 1], ratio=[0.5, 0.5])", "3x16x240")
    rows = CutColumn(HeldPhotographs([image]), 0, 1, wanted, cut).in_epoch(0).rows(torch.tensor([0])).float()
    assert (rows - 127.5).abs().max() < 25


@pytest.mark.parametrize("region", REGIONS)
def test_of_pictures_of_the_nets_size_it_is_what_the_augmenter_makes(region: str) -> None:
    pictures, numbers = noisy(COUNT, 3, 16, 24), torch.arange(COUNT)
    seen = column(HeldPhotographs(list(pictures.numpy())), region, 2).rows(numbers)
    assert torch.equal(seen, augmenter(region, "3x16x24")(pictures, numbers, 2))


@pytest.mark.parametrize("epoch", [0, 3])
def test_what_follows_draws_as_it_did(epoch: int) -> None:
    """The steps behind the crop draw the same figures for pictures that come cut as for those that do not."""
    graph, numbers = compiled("flip -> random_resized_crop -> rotate(0.1) -> contrast(0.3)", "3x16x24"), torch.arange(COUNT)
    of = type(augmenter("flip")).of
    whole, rest = (made["image"].draw(numbers, epoch, (3, 16, 24)) for made in (of(graph, 7), of(graph, 7, {"image"})))
    assert [rest.figures(i) for i in range(COUNT)] == [whole.figures(i)[2:] for i in range(COUNT)]
    assert of(graph, 7, {"image"})["image"].joined() == (
        "cut out of the photograph: flip, random_resized_crop",
        "one resampling: rotate",
        "one matrix of colours: contrast",
    )


@pytest.mark.parametrize(
    ("region", "count"),
    [
        ("flip", 0),
        ("rotate(0.1) -> random_resized_crop", 0),
        ("brightness(0.1) -> random_resized_crop", 0),
        ("random_resized_crop", 1),
        ("flip -> random_resized_crop -> alternating_flip -> rotate(0.1) -> flip", 3),
        ("random_resized_crop -> flip -> random_resized_crop", 2),
        ("random_resized_crop -> flip -> trivial_augment -> erase -> cutmix", 2),
    ],
)
def test_which_regions_begin_so(region: str, count: int) -> None:
    found = Cutting.of(compiled(region), 0)
    assert len(found["image"].steps if found else ()) == count


# --- where it lies ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("region", REGIONS)
def test_memory_files_and_cache_give_the_same(files: list[Path], cache: DecodedCache, region: str) -> None:
    held, digests = scan_photographs(files, WHOLE, keep=True)
    read, _ = scan_photographs(files, WHOLE, keep=False)
    cached, again = scan_photographs(files, WHOLE, keep=False, cache=cache)
    assert isinstance(held, HeldPhotographs)
    assert isinstance(read, FilePhotographs)
    assert isinstance(cached, CachedPhotographs)
    assert digests == again
    for epoch in (0, 5):
        first = everything(held, region, epoch)
        assert torch.equal(first, everything(read, region, epoch))
        assert torch.equal(first, everything(cached, region, epoch))
    assert not torch.equal(everything(held, region, 0), everything(held, region, 1))


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("keep", [True, False])
def test_threads_and_batches_do_not_matter(files: list[Path], threads: int, keep: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures import ThreadPoolExecutor

    photographs, _ = scan_photographs(files, WHOLE, keep=keep)
    whole, made = everything(photographs).clone(), column(photographs)
    monkeypatch.setattr("netspec.data.cutting.workers", lambda: threads)
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(0))
    with ThreadPoolExecutor(threads) as pool:
        waiting = [(part, made.read(part, pool)) for part in torch.split(order, 7)]
        for part, get in waiting:
            assert torch.equal(get(), whole[part])


def test_outside_of_an_epoch_all_of_it_is_seen(files: list[Path]) -> None:
    held, _ = scan_photographs(files, WHOLE, keep=True)
    rows = CutColumn(held, 3, 10, WHOLE, cutting("random_resized_crop")).rows(torch.arange(10))
    for file, row in zip(files[3:13], rows, strict=True):
        assert (row.float() - torch.from_numpy(decode(file.read_bytes(), PLAIN)).float()).abs().max() <= 8


@pytest.mark.parametrize(
    ("size", "kept"),
    [
        ((16, 24), (16, 24)),
        ((48, 72), (48, 72)),
        ((67, 101), (67, 101)),  # less than twice the pixels of what would be left
        ((68, 102), (48, 72)),
        ((1600, 2400), (48, 72)),
        ((1600, 72), (1600, 72)),  # long, and not more than three times as wide
        ((1600, 240), (480, 72)),
        ((9, 9), (9, 9)),
    ],
)
def test_how_large_a_whole_image_is(size: tuple[int, int], kept: tuple[int, int]) -> None:
    assert kept_size(size, WHOLE) == kept
    assert decode(encoded(smooth(0, size)), WHOLE).shape == (3, *kept)


@pytest.mark.parametrize(
    ("size", "kept"), [((67, 101), (67, 101)), ((96, 143), (48, 72)), ((96, 144), (48, 72)), ((199, 300), (50, 75)), ((500, 600), (63, 75))]
)
def test_a_jpeg_is_made_smaller_while_it_is_decoded(size: tuple[int, int], kept: tuple[int, int]) -> None:
    found = decode(encoded(smooth(0, size, 1), "JPEG"), ImageFormat(1, 16, 24, whole=True))
    assert found.shape == (1, *kept)
    means = decode(encoded(smooth(0, size, 1)), ImageFormat(1, *kept))
    assert np.abs(found.astype(int) - means).max() < 25


@pytest.mark.parametrize("sizes", [SIZES, ((134, 201), (268, 402), (402, 268)), ((400, 600),)])
def test_about_how_much_it_takes_is_known_before(tmp_path: Path, sizes: tuple[tuple[int, int], ...]) -> None:
    files = write_photos(tmp_path, COUNT, sizes)
    held, _ = scan_photographs(files, WHOLE, keep=True)
    assert expected_bytes(files, WHOLE) == pytest.approx(3 * held.sizes.prod(1).sum(), rel=0.02)
    assert expected_bytes(files, PLAIN) == COUNT * 3 * 16 * 24
    assert expected_bytes([], WHOLE) == 0


def test_the_cache_knows_whole_images_from_others(files: list[Path], cache: DecodedCache, monkeypatch: pytest.MonkeyPatch) -> None:
    first, digests = scan_photographs(files, WHOLE, keep=False, cache=cache)
    assert cache.find(PLAIN, digests) is None
    assert cache.find(ImageFormat(3, 24, 16, whole=True), digests) is None
    monkeypatch.setattr("netspec.data.images.loading.decode", lambda *_: pytest.fail("decoded"))
    again, _ = scan_photographs(files[::-1], WHOLE, keep=False, cache=cache)
    backwards = CutColumn(again, 0, COUNT, WHOLE, _Backwards()).in_epoch(0).rows(torch.arange(COUNT))
    assert torch.equal(everything(first), backwards.flip(0))
    held, _ = scan_photographs(files, WHOLE, keep=True, cache=cache)
    assert torch.equal(everything(first), everything(held))


@pytest.mark.parametrize("keep", [True, False])
def test_what_is_lacking_is_added(files: list[Path], cache: DecodedCache, keep: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where shares are drawn by another seed: nothing is decoded twice, and no image lies in two files."""
    decoded: list[bytes] = []
    monkeypatch.setattr("netspec.data.images.loading.decode", lambda content, wanted: decoded.append(content) or decode(content, wanted))
    scan_photographs(files[:30], WHOLE, keep=False, cache=cache)
    found, _ = scan_photographs(files[5:36], WHOLE, keep=keep, cache=cache)
    assert len(decoded) == 36
    found, digests = scan_photographs(files, WHOLE, keep=keep, cache=cache)
    assert len(decoded) == 40
    assert [path.stat().st_size > 0 for path in cache.folder.iterdir()] == [True] * 3
    plain, plain_digests = scan_photographs(files, WHOLE, keep=True)
    assert digests == plain_digests
    assert torch.equal(everything(found), everything(plain))


def test_an_added_image_that_cannot_be_read_is_named(files: list[Path], cache: DecodedCache) -> None:
    scan_photographs(files[:30], WHOLE, keep=False, cache=cache)
    for file in (files[33], files[38]):
        file.write_bytes(b"no image")
    with pytest.raises(NetspecError) as raised:
        scan_photographs(files, WHOLE, keep=False, cache=cache)
    (found,) = [d.problem for d in raised.value.diagnostics]
    assert [path for path, _ in vars(found)["files"]] == [str(files[33]), str(files[38])]


def test_more_than_was_expected_keeps_to_the_limit(tmp_path: Path, told: list[Problem], monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_photos(tmp_path / "photos", COUNT, ((60, 100),))
    monkeypatch.setattr("netspec.data.images.loading.expected_bytes", lambda *_: 10)
    roomy, narrow = (DecodedCache(Cache(tmp_path / str(limit), limit), told.append) for limit in (10**7, 300_000))
    found, _ = scan_photographs(files, WHOLE, keep=False, cache=roomy)
    assert isinstance(found, CachedPhotographs)
    assert not told
    found, _ = scan_photographs(files, WHOLE, keep=False, cache=narrow)
    assert isinstance(found, FilePhotographs)
    assert [problem.code for problem in told] == ["N732"]
    assert not list(narrow.folder.iterdir())


class _Backwards:
    """The parts of photographs that lie in the other order."""

    def parts(self, indices: Tensor, epoch: int, sizes: np.ndarray) -> object:
        return cutting(REGIONS[1]).parts(COUNT - 1 - indices, epoch, sizes)

    def figures(self, indices: Tensor, epoch: int, sizes: np.ndarray) -> list[list[dict[str, float]]]:
        raise NotImplementedError


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:-1],
        lambda content: content[:40],
        lambda content: b"",
        lambda content: content[1:],
        lambda content: content[:-60] + b"\xff\xff\xff\x7f" + content[-56:],
        lambda content: content[:-40] + bytes([content[-40] ^ 1]) + content[-39:],
        lambda content: Table(WHOLE, [b"a" * 32] * 4, np.full((4, 2), 2**31)).packed(),
        lambda content: Table(WHOLE, [b"a" * 32], np.zeros((1, 2), np.int64)).packed(),
    ],
    ids=["cut", "a head of nothing", "empty", "shifted", "sizes", "count", "sizes that overflow", "sizes of nothing"],
)
def test_a_spoilt_file_is_removed_and_made_anew(spoil: Callable[[bytes], bytes], files: list[Path], cache: DecodedCache) -> None:
    first, digests = scan_photographs(files, WHOLE, keep=False, cache=cache)
    expected = everything(first).clone()
    (path,) = cache.folder.iterdir()
    path.write_bytes(spoil(path.read_bytes()))
    assert cache.find(WHOLE, digests) is None
    assert not path.exists()
    again, _ = scan_photographs(files, WHOLE, keep=False, cache=cache)
    assert isinstance(again, CachedPhotographs)
    assert torch.equal(everything(again), expected)


def test_without_room_on_the_disk_files_are_decoded(files: list[Path], tmp_path: Path, told: list[Problem]) -> None:
    cache = DecodedCache(Cache(tmp_path / "cache", 1000), told.append)
    found, _ = scan_photographs(files, WHOLE, keep=False, cache=cache)
    assert isinstance(found, FilePhotographs)
    assert [problem.code for problem in told] == ["N732"]


# --- opened data ------------------------------------------------------------------------------------------------------------------


def opened(root: Path, region: str = REGIONS[0], *, wanted: Wanted | None = None, budget: int | None = None, cut: bool = True) -> Splits:
    asked = wanted or Wanted("Net", (WantedInput("image", (3, 16, 24), PLAIN),), (WantedTarget("output", "class", 2),))
    division = Division((0.7, 0.2, 0.1))
    return open_data(root, asked, division=division, budget=budget, cuts={"image": cutting(region)} if cut else None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        write_photos(tmp_path / "data" / name, 12, SIZES if name == "a" else SIZES[::-1])
    for file in (tmp_path / "data/b").iterdir():
        file.write_bytes(file.read_bytes() + b"b")
    return tmp_path / "data"


@pytest.mark.parametrize("budget", [None, 0])
def test_the_training_split_alone_is_cut(root: Path, budget: int | None) -> None:
    cut, plain = opened(root, budget=budget), opened(root, budget=budget, cut=False)
    assert {name: cut_inputs(samples) for name, samples in cut.sets().items()} == {"train": {"image"}, "val": set(), "test": set()}
    assert (cut.fingerprint, cut.content) == (plain.fingerprint, plain.content)
    for name in ("val", "test"):
        samples, others = cut.sets()[name], plain.sets()[name]
        numbers = torch.arange(len(samples))
        assert torch.equal(samples.inputs["image"].rows(numbers), others.inputs["image"].rows(numbers))
    assert cut.train is not None
    assert plain.train is not None
    assert [cut.train.name(i) for i in range(len(cut.train))] == [plain.train.name(i) for i in range(len(plain.train))]


def test_progress_is_through_all_files(root: Path) -> None:
    steps: list[tuple[int, int]] = []
    asked = Wanted("Net", (WantedInput("image", (3, 16, 24), PLAIN),), (WantedTarget("output", "class", 2),))
    open_data(root, asked, cuts={"image": cutting(REGIONS[0])}, progress=lambda done, of: steps.append((done, of)))
    assert steps == sorted(steps)
    assert steps[-1] == (24, 24)
    assert {of for _, of in steps} == {24}


def test_of_two_inputs_one_may_be_cut(root: Path, tmp_path: Path) -> None:
    lines = [f"{file},{file},{path.parent.name}" for path in sorted(root.rglob("*.*")) if (file := path.relative_to(tmp_path))]
    (tmp_path / "all.csv").write_text("image,other,kind\n" + "\n".join(lines))
    inputs = tuple(WantedInput(name, (3, 16, 24), PLAIN) for name in ("image", "other"))
    asked = Wanted("Net", inputs, (WantedTarget("kind", "class", 2),))
    cut, plain = (opened(tmp_path / "all.csv", wanted=asked, cut=cut) for cut in (True, False))
    assert cut.train is not None
    assert cut_inputs(cut.train) == {"image"}
    assert cut.fingerprint == plain.fingerprint
    batch = next(iter(cut.train.in_epoch(1).batches(torch.arange(5), [(0, 5)])))
    assert not torch.equal(batch.inputs["image"], batch.inputs["other"])


def test_a_photograph_that_is_another_one_meanwhile_is_named(root: Path) -> None:
    samples = opened(root, budget=0).train
    assert samples is not None
    path = Path(samples.name(2))
    path.write_bytes(encoded(smooth(5, (19, 19))))
    with pytest.raises(NetspecError) as raised:
        list(samples.in_epoch(0).batches(torch.arange(len(samples)), [(0, len(samples))]))
    (found,) = raised.value.diagnostics
    assert found.problem.code == "N711"
    assert str(path) in found.problem.message() + str(vars(found.problem))


def test_bad_photographs_of_all_splits_are_told_together(root: Path) -> None:
    bad = [root / "a/000.png", root / "a/005.jpg", root / "b/002.png", root / "b/007.jpg", root / "a/010.png"]
    for path in bad:
        path.write_bytes(b"no image")
    with pytest.raises(NetspecError) as raised:
        opened(root)
    (found,) = [d.problem for d in raised.value.diagnostics if d.problem.code == "N711"]
    assert {path for path, _ in vars(found)["files"]} == {str(path) for path in bad}
