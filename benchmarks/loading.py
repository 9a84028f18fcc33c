"""Rows 8, 9, 10 and 12: from JPEG files, or from what was decoded of them, to batches of training.

Photographs are taken from the folder ``$NETSPEC_DATA`` (`fruit`, 348 x 348 and baseline; `imagenet20`, 512 x 512 and progressive, and the
same saved again as baseline, as those of ImageNet are), else made up. The peers read them as their users write it: Pillow, torchvision's
transforms a picture at a time, and PyTorch's DataLoader around that.

Both sides cut the same kind of part out of the photograph and stretch it to 224. The peer smooths where that makes the part smaller; ours
averages where it is made less than half as high or as wide.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.measure import Side
from netspec.augment import Augmenter
from netspec.augment.cutting import Cutting
from netspec.cache import Cache
from netspec.compiler import compile_source
from netspec.data.cutting import CutColumn
from netspec.data.images.cache import DecodedCache
from netspec.data.images.decode import ImageFormat
from netspec.data.images.loading import workers
from netspec.data.images.photographs import FilePhotographs, Photographs, scan_photographs
from netspec.data.samples import Column, MemoryColumn, Samples
from netspec.source import Source

SIZE = 224
BATCH = 64
WANTED = ImageFormat(3, SIZE, SIZE, whole=True)
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SPEC = f"net A {{\n image: input(3x{SIZE}x{SIZE})\n augment {{ random_resized_crop -> flip }}\n global_avgpool -> flatten -> linear(2) }}"

_SMALL = """
net Small {
    image: input(3x32x32)
    augment { pad(4) -> crop(32) -> flip }
    conv(32, 3, padding=1) -> bn -> relu -> maxpool(2)
    conv(64, 3, padding=1) -> bn -> relu -> maxpool(2)
    conv(128, 3, padding=1) -> bn -> relu -> global_avgpool
    flatten -> linear(10)
}
"""


@dataclass(frozen=True)
class Files:
    """Files of one kind, and what a row calls them."""

    name: str
    files: tuple[Path, ...]


@contextmanager
def files_of(count: int) -> Iterator[list[Files]]:
    """The photographs there are, so many of each kind."""
    root = os.environ.get("NETSPEC_DATA")
    with TemporaryDirectory() as folder:
        if root is None:
            yield [Files("made-up photographs of 500 x 375", tuple(_made_up(Path(folder), count)))]
            return
        fruit = sorted((Path(root) / "fruit" / "train").rglob("*.jpg"))
        large = sorted((Path(root) / "imagenet20").glob("*.jpg"))
        yield [
            Files("photographs of 348 x 348", tuple(fruit[:: max(len(fruit) // count, 1)][:count])),
            Files("photographs of 512 x 512", _as_many(list(_baseline(large, Path(folder))), count)),
            Files("photographs of 512 x 512, progressive", _as_many(large, count)),
        ]


def _as_many(files: Sequence[Path], count: int) -> tuple[Path, ...]:
    return tuple((list(files) * (count // len(files) + 1))[:count])


def _baseline(files: Sequence[Path], folder: Path) -> Iterator[Path]:
    """The same pictures as baseline JPEG."""
    for file in files:
        with Image.open(file) as image:
            image.save(folder / file.name, quality=92)
        yield folder / file.name


def _made_up(folder: Path, count: int) -> Iterator[Path]:
    """Noise whose strength falls with its frequency, as that of photographs does."""
    frequency = np.hypot(np.fft.fftfreq(375)[:, None], np.fft.fftfreq(500)) + 1 / 500
    for number in range(count):
        draws = np.random.default_rng(number).normal(size=(3, 375, 500))
        values = np.fft.ifft2(np.fft.fft2(draws) / frequency).real
        values[1:] = 0.7 * values[:1] + 0.3 * values[1:]
        shades = (values / values.std() * 45 + 128).clip(0, 255).astype(np.uint8)
        path = folder / f"{number}.jpg"
        Image.fromarray(shades.transpose(1, 2, 0)).save(path, quality=90)
        yield path


@contextmanager
def kept(files: Sequence[Path]) -> Iterator[tuple[Photographs, Photographs]]:
    """The photographs to be decoded from their files, as in an epoch whose images fit nowhere, and decoded in a cache of their own."""
    with TemporaryDirectory() as folder:
        cache = DecodedCache(Cache(Path(folder), 10**10), lambda problem: print(problem.message()))
        found, _ = scan_photographs(files, WANTED, keep=False, cache=cache)
        assert found.kept
        yield FilePhotographs(files, WANTED, found.sizes), found


def column(photographs: Photographs) -> CutColumn:
    """Random resized crop and flip of the photographs, as training reads them in its first epoch."""
    cut = Cutting.of(compile_source(Source("a.net", _SPEC))[0], 0)["image"]
    return CutColumn(photographs, 0, len(photographs.sizes), WANTED, cut).in_epoch(0)


class Normalised:
    """Batches of bytes as floats about 0, a picture at a time, each batch into the memory of the one before.

    That is what a loop around netspec's batches does. `netspec train` does not: it hands bytes to the net, whose own layers `scale` and
    `normalize` go over the batch as a whole, on whatever device that lies, and take about eight times as long for it on a CPU.
    """

    def __init__(self) -> None:
        mean, deviation = (torch.tensor(v)[:, None, None] for v in (_MEAN, _DEVIATION))
        self._factor, self._offset = 1 / (255 * deviation), mean / deviation
        self._room = torch.empty(BATCH, 3, SIZE, SIZE)

    def __call__(self, pixels: Tensor) -> Tensor:
        made = self._room[: len(pixels)]
        for picture, target in zip(pixels, made, strict=True):
            target.copy_(picture).mul_(self._factor).sub_(self._offset)
        return made


def peer(floats: bool) -> Callable[[Path], Tensor]:
    """Theirs: a picture, cropped and flipped, as bytes or as normalised floats."""
    from tests.zoo.peer import transforms

    end = [transforms.ToTensor(), transforms.Normalize(_MEAN, _DEVIATION)] if floats else [transforms.PILToTensor()]
    steps = transforms.Compose([transforms.RandomResizedCrop(SIZE), transforms.RandomHorizontalFlip(), *end])

    def read(path: Path) -> Tensor:
        with Image.open(path) as image:
            made: Tensor = steps(image.convert("RGB"))
        return made

    return read


def batches(files: Sequence[Path]) -> list[tuple[Sequence[Path], Tensor]]:
    """The files in batches, with their numbers."""
    return [(files[start : start + BATCH], torch.arange(start, min(start + BATCH, len(files)))) for start in range(0, len(files), BATCH)]


def decoding(
    files: Sequence[Path], photographs: Photographs, floats: bool, theirs_floats: bool
) -> tuple[Callable[[], object], Callable[[], object]]:
    """Rows 8 and 9: ours, from files or from what was decoded of them, and theirs; each makes all batches once, of bytes or of floats."""
    pictures, normalised, read, parts = column(photographs), Normalised(), peer(theirs_floats), batches(files)

    def ours() -> None:
        for _, numbers in parts:
            made = pictures.rows(numbers)
            if floats:
                normalised(made)

    def theirs() -> None:
        for paths, _ in parts:
            torch.stack([read(path) for path in paths])

    return ours, theirs


class Pictures(torch.utils.data.Dataset[Tensor]):
    """What a DataLoader reads from."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files
        self.read = peer(floats=True)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor:
        return self.read(self.files[index])


def wall(work: Callable[[], object]) -> Side:
    """A side measured by the clock on the wall."""

    def side() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return side


def our_loader(photographs: Photographs) -> Callable[[], object]:
    """Row 10: an epoch of ours, read a few batches ahead on threads, from files or decoded before; as floats in the end, as theirs."""
    count, normalised = len(photographs.sizes), Normalised()
    samples = _samples(column(photographs), count)
    bounds = [(start, min(start + BATCH, count)) for start in range(0, count, BATCH)]

    def epoch() -> None:
        for batch in samples.batches(torch.arange(count), bounds):
            normalised(batch.inputs["image"])

    return epoch


def _samples(column: Column, count: int) -> Samples:
    labels = MemoryColumn(torch.arange(count) % 10)
    return Samples({"image": column}, {"class": labels}, str)


@contextmanager
def their_loader(files: Sequence[Path]) -> Iterator[tuple[Callable[[], object], int]]:
    """Row 10: an epoch of PyTorch's DataLoader, and the number of workers that was fastest of 0, half, all and twice the cores; they are
    started before and stay."""
    cores = workers()
    loaders = {n: _loader(files, n) for n in sorted({0, max(cores // 2, 1), cores, 2 * cores})}
    seconds = {n: min(wall(lambda loader=loader: list(loader))() for _ in range(3)) for n, loader in loaders.items()}
    best = min(seconds, key=lambda n: seconds[n])
    loader = loaders[best]
    del loaders
    yield lambda: [None for _ in loader], best


def _loader(files: Sequence[Path], count: int) -> torch.utils.data.DataLoader[Tensor]:
    return torch.utils.data.DataLoader(Pictures(files), BATCH, num_workers=count, persistent_workers=count > 0)


def training(device: torch.device, augment: bool) -> tuple[Callable[[], object], Callable[[], object]]:
    """Row 12: an epoch on 1,024 pictures held on the device, in random order, and the same steps on one batch that is there already.

    With ``augment`` the real pictures are padded, cropped and flipped, as is usual for pictures of this size.
    """
    from netspec.backends.torch import build

    count, draws = 1024, torch.Generator().manual_seed(0)
    graph = compile_source(Source("small.net", _SMALL))[0]
    net = build(graph).to(device).train()
    augmented = Augmenter.of(graph, 0)["image"]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    pixels = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=draws)
    samples = _samples(MemoryColumn(pixels), count).to(device)
    bounds = [(start, start + BATCH) for start in range(0, count, BATCH)]

    def step(image: Tensor, label: Tensor) -> None:
        torch.nn.functional.cross_entropy(net(image.to(torch.float32)), label).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def real() -> None:
        order = torch.randperm(count, generator=draws)
        for (start, end), batch in zip(bounds, samples.batches(order, bounds), strict=True):
            image = batch.inputs["image"]
            step(augmented(image, order[start:end], 0) if augment else image, batch.targets["class"])
        _finish(device)

    held = next(samples.batches(torch.arange(BATCH), [(0, BATCH)]))

    def synthetic() -> None:
        for _ in bounds:
            step(held.inputs["image"], held.targets["class"])
        _finish(device)

    return real, synthetic


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
