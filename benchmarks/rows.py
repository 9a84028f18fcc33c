"""The rows: what is measured, against what, and what is asked of it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

from benchmarks.measure import Comparison, compare, function, process, spread
from netspec.compiler import Limits, compile_source
from netspec.source import Source

SPECS = Path(__file__).resolve().parent.parent / "specs"
NETSPEC = str(Path(sys.executable).with_name("netspec"))


@dataclass(frozen=True)
class Row:
    """One line of the table. ``found`` says in words what was measured, ``data`` holds all of it."""

    number: str
    what: str
    against: str
    asked: str
    found: str
    data: dict[str, Any]


def check_process() -> Iterator[Row]:
    """1: a check as a whole process, against the interpreter alone and against importing torch."""
    check = process(NETSPEC, "check", str(SPECS / "resnet50.net"))
    for against, code, asked, rounds in (("python -c pass", "pass", "<= 20x", 15), ("import torch", "import torch", "<= 1/6", 7)):
        found = compare(check, process(sys.executable, "-c", code), rounds)
        times = 1 / found.ratio.median
        shown = f"{times:.1f}x" if times > 1 else f"1/{found.ratio.median:.1f}"
        yield _row("1", "netspec check resnet50.net, whole process", against, asked, shown, found)


def check_in_process() -> Iterator[Row]:
    """2: a check within a process, by the node, and how the cost grows with the net."""
    source = Source("resnet.net", (SPECS / "resnet.net").read_text())
    nodes = len(compile_source(source, net="ResNet152")[0].nodes)
    found = compare(function(lambda: compile_source(source, net="ResNet152"), 10), function(_shape_propagation()), 7)
    ours, theirs = found.ours.median / nodes * 1e6, found.peer.median / nodes * 1e6
    yield _row(
        "2",
        "check in process, resnet152",
        "torch.fx ShapeProp on meta",
        "<= 20 us a node",
        f"{ours:.1f} us a node, theirs {theirs:.0f}",
        found,
    )
    cost = {count: _flat(count) for count in (100, 1_000, 10_000, 100_000)}
    slope = (log(cost[100_000]) - log(cost[100])) / (log(100_000) - log(100))
    shown = ", ".join(f"{seconds / count * 1e6:.1f}" for count, seconds in cost.items())
    data = {"seconds": {str(k): v for k, v in cost.items()}, "slope": slope}
    yield Row(
        "2", "flat nets of 10^2 to 10^5 layers", "itself", "<= 20 us a node, slope <= 1.05", f"{shown} us a node, slope {slope:.3f}", data
    )


def _flat(count: int) -> float:
    """CPU seconds to check a net of that many layers written one by one: the median of a few runs."""
    layers = "\n".join("conv(8, 3, padding=1)\nrelu" for _ in range(count // 2))
    source = Source("flat.net", f"net Flat {{\nimage: input(3x8x8)\n{layers}\n}}\n")
    side = function(lambda: compile_source(source, limits=Limits(nodes=200_000, bytes=10**8)), max(1, 3_000 // count))
    side()
    return spread([side() for _ in range(5)]).median


def _shape_propagation() -> Callable[[], object]:
    import torch
    from torch.fx import symbolic_trace
    from torch.fx.passes.shape_prop import ShapeProp

    from tests.zoo.peer import models

    with torch.device("meta"):
        model = models.resnet152().eval()
        image = torch.empty(1, 3, 224, 224)
    traced = symbolic_trace(model)
    return lambda: ShapeProp(traced).propagate(image)


def check_zoo() -> Iterator[Row]:
    """2: a check of every net of the library in one process, and of its deepest alone, each net written out anew."""
    sources = [Source(str(path), path.read_text()) for path in sorted(SPECS.glob("*.net"))]
    zoo = function(lambda: [compile_source(source, every=True) for source in sources])
    first = zoo()
    seconds = spread([zoo() for _ in range(5)])
    nets = sum(len(compile_source(source, every=True)) for source in sources)
    shown = f"{seconds} s of CPU for {nets} nets in {len(sources)} files; the first time {first:.3g} s"
    yield Row("2", "every net of specs/ checked in one process", "itself", "< 3 s", shown, {"first": first, **vars(seconds)})
    source = next(source for source in sources if source.name.endswith("resnet.net"))
    deepest = function(lambda: compile_source(source, net="ResNet152"))
    deepest()
    milliseconds = spread([1000 * deepest() for _ in range(20)])
    yield Row("2", "resnet152 checked in one process", "itself", "< 30 ms", f"{milliseconds} ms of CPU", vars(milliseconds))


_MILLION = """
block half(width) { conv(width, 3, padding=1, bias=false) -> bn }
block unit(width) { residual { half(width) -> relu -> half(width) } -> relu }
block stage(width, depth) { repeat(depth) { unit(width) } }

net Million {
    image: input(3x32x32)
    conv(16, 3, padding=1)
    repeat(14_285) { stage(16, 10) }
    global_avgpool -> flatten -> linear(10)
}
"""
_CHECKED = """
import resource, sys
from netspec.compiler import Limits, compile_source
from netspec.source import Source
graph = compile_source(Source("million.net", sys.stdin.read()), limits=Limits(nodes=2_000_000))[0]
usage = resource.getrusage(resource.RUSAGE_SELF)
print(len(graph.nodes), graph.parameters, graph.macs, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6)
"""


def check_million() -> Iterator[Row]:
    """3: a check of a million layers written with blocks and `repeat`, as a whole process: CPU time and peak memory."""
    runs = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", _CHECKED], input=_MILLION, capture_output=True, text=True, check=True)
        runs.append([float(n) for n in done.stdout.split()])
    seconds, memory = spread([r[3] for r in runs]), spread([r[4] for r in runs])
    shown = f"{int(runs[0][0]):,} layers: {seconds} s of CPU, {memory} GB"
    data = {"seconds": vars(seconds), "gigabytes": vars(memory)}
    yield Row("3", "a million layers in blocks and loops, whole process", "nobody does it", "<= 10 s, 2 GB", shown, data)


def spec_to_module() -> Iterator[Row]:
    """4: from the spec's text to a module with its weights loaded."""
    import netspec
    from tests.zoo.peer import models

    weights = models.resnet50().state_dict()

    def ours() -> object:
        return netspec.build(netspec.load(SPECS / "resnet50.net"), weights)

    def peer() -> object:
        return models.resnet50().load_state_dict(weights)

    found = compare(function(ours), function(peer), 7)
    yield _row(
        "4",
        "spec to module with weights, resnet50",
        "torchvision's constructor and load_state_dict",
        "r >= 0.91",
        f"r = {found.ratio}",
        found,
    )


def forward_backward() -> Iterator[Row]:
    """5: a forward and backward pass of a small net, against the same net written by hand."""
    import torch

    import netspec

    torch.set_num_threads(1)
    net = netspec.build(netspec.load(SPECS / "mnist_convnet.net")).train()
    hand = _by_hand()
    hand.load_state_dict(dict(zip(hand.state_dict(), net.state_dict().values(), strict=True)))
    for batch in (1, 16):
        image = torch.rand(batch, 1, 28, 28) * 255

        def step(module: torch.nn.Module, image: torch.Tensor = image) -> Callable[[], object]:
            return lambda: module(image).sum().backward()

        same = torch.equal(net(image), hand(image))
        found = compare(function(step(net), 10), function(step(hand), 10), 150)
        shown = f"{1 / found.ratio.median:.3f}x, output {'identical' if same else 'NOT identical'}"
        yield _row(
            "5", f"forward and backward, mnist_convnet, batch {batch}", "a hand-written nn.Module", "<= 1.0x, bit-identical", shown, found
        )


def step_memory() -> Iterator[Row]:
    """6: the peak memory of a training step, against the same net written by hand."""
    from benchmarks.training import WithPreprocessing, step_peaks, zoo
    from tests.zoo.peer import models

    pairs = (("mnist_convnet", None, _by_hand, 64), ("resnet", "ResNet18", lambda: WithPreprocessing(models.resnet18()), 8))
    for spec, net, hand, batch in pairs:
        ours, theirs = step_peaks(zoo(spec, net), hand(), batch)
        shown = f"{ours / theirs:.3f}x: {ours / 1e6:.1f} MB, by hand {theirs / 1e6:.1f} MB"
        data = {"ours": ours, "peer": theirs}
        yield Row("6", f"peak memory of a step, {net or spec}, batch {batch}", "written by hand", "<= 1.01x", shown, data)


def frozen_base() -> Iterator[Row]:
    """13: a head trained behind a frozen base for E epochs, as planned, against the same without keeping anything."""
    import torch

    from benchmarks.training import frozen_sides

    torch.set_num_threads(1)
    for pays, epochs in ((True, 5), (True, 1), (False, 5)):
        ours, peer, decision = frozen_sides(pays, epochs)
        found = compare(function(ours), function(peer), 3)
        asked = f"r >= {0.8 * epochs:.1f}" if decision.where != "no" else "r >= 0.98"
        what = "ResNet-18 at 64x64" if pays else "one 1x1 convolution"
        yield _row(
            "13",
            f"frozen {what}, {epochs} epochs",
            "without kept values",
            asked,
            f"r = {found.ratio}; {decision.where}: {decision.reason}",
            found,
        )


def _by_hand() -> Any:
    import torch
    from torch import nn
    from torch.nn import functional as f

    class ByHand(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2, self.conv3 = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3), nn.Conv2d(64, 128, 3)
            self.fc = nn.Linear(1152, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x * (1 / 255)
            x = f.max_pool2d(f.relu(self.conv1(x)), 2)
            x = f.max_pool2d(f.relu(self.conv2(x)), 2)
            x = f.relu(self.conv3(x))
            return self.fc(torch.flatten(x, 1))

    return ByHand()


_EMIT = """
import sys
from netspec.backends.onnx.model import to_model
from netspec.compiler import load
from safetensors.numpy import load_file
open(sys.argv[3], "wb").write(to_model(load(sys.argv[1]), load_file(sys.argv[2])).SerializeToString())
"""
_PEER_EXPORT = """
import sys, torch
sys.path.insert(0, sys.argv[1])
from tests.zoo.peer import models
torch.onnx.export(models.resnet50().eval(), (torch.rand(1, 3, 224, 224),), sys.argv[2], dynamo=True)
"""


def onnx_export() -> Iterator[Row]:
    """7: an ONNX export as a whole process, imports included: the file alone, and with the comparison that every export makes."""
    against = "torch.onnx.export(dynamo=True), which compares nothing"
    with tempfile.TemporaryDirectory() as folder:
        weights, ours_file, peer_file = (str(Path(folder) / name) for name in ("weights.safetensors", "ours.onnx", "peer.onnx"))
        _write_weights(weights)
        spec = str(SPECS / "resnet50.net")
        peer = process(sys.executable, "-c", _PEER_EXPORT, str(SPECS.parent), peer_file)
        emit = compare(process(sys.executable, "-c", _EMIT, spec, weights, ours_file), peer, 3)
        yield _row("7", "ONNX file of resnet50 from spec and weights, imports included", against, "r >= 8", f"r = {emit.ratio}", emit)
        whole = process(NETSPEC, "export", spec, "--weights", weights, "--onnx", ours_file, "--force")
        found = compare(whole, peer, 3)
        yield _row("7", "the same with our comparison with PyTorch in onnxruntime", against, "r >= 8", f"r = {found.ratio}", found)


def _write_weights(path: str) -> None:
    from netspec.backends.torch.weights import write_weights
    from tests.zoo.peer import models

    write_weights(path, models.resnet50().state_dict())


_CROPPED_BY = {
    (False, True): "Pillow and torchvision's transforms, each to what it trains on: bytes here, normalised floats there",
    (False, False): "the same, both to bytes",
    (True, True): "the same, both to normalised floats",
}


def decoding() -> Iterator[Row]:
    """8: from JPEG files to batches (decode, random resized crop, flip), CPU time, against the usual transforms a picture at a time."""
    import torch

    from benchmarks.loading import decoding, files_of, kept

    torch.set_num_threads(1)
    with files_of(128) as kinds:
        for kind in kinds:
            with kept(kind.files) as (in_files, _):
                for floats, against in _CROPPED_BY.items():
                    found = compare(*map(function, decoding(kind.files, in_files, *floats)), 7)
                    yield _pictures("8", f"{kind.name} to batches at 224", against, "r >= 2", len(kind.files), found)


def decoded() -> Iterator[Row]:
    """9: the same from what was decoded before, as in every epoch but the first."""
    import torch

    from benchmarks.loading import decoding, files_of, kept

    torch.set_num_threads(1)
    with files_of(128) as kinds:
        for kind in kinds:
            with kept(kind.files) as (_, cached):
                for floats, against in _CROPPED_BY.items():
                    found = compare(*map(function, decoding(kind.files, cached, *floats)), 7)
                    yield _pictures("9", f"{kind.name}, cached, to batches at 224", against, "r >= 12", len(kind.files), found)


def loading() -> Iterator[Row]:
    """10: an epoch of the loader by the clock, on all cores, against PyTorch's DataLoader with its best number of workers."""
    import torch

    from benchmarks.loading import files_of, kept, our_loader, their_loader, wall
    from netspec.data.images.loading import workers

    torch.set_num_threads(1)
    with files_of(256) as kinds:
        for kind in kinds:
            with kept(kind.files) as (in_files, cached), their_loader(kind.files) as (theirs, best):
                against = f"PyTorch's DataLoader with {best} workers on {workers()} cores"
                for what, photographs in (("from files", in_files), ("from the cache", cached)):
                    found = compare(wall(our_loader(photographs)), wall(theirs), 5)
                    yield _pictures(
                        "10", f"{kind.name}, {what}, to normalised batches at 224, wall time", against, "r >= 1.5", len(kind.files), found
                    )


def _pictures(number: str, what: str, against: str, asked: str, count: int, found: Comparison) -> Row:
    ours, peer = (1000 * side.median / count for side in (found.ours, found.peer))
    return _row(number, what, against, asked, f"r = {found.ratio}; ours {ours:.3f} ms a picture, theirs {peer:.3f}", found)


def training() -> Iterator[Row]:
    """12: training on data that fits on the device, against the same steps on one batch that is there."""
    import torch

    from benchmarks.loading import training, wall

    devices = ["cpu", *["cuda"] * torch.cuda.is_available()]
    for device in devices:
        side = function if device == "cpu" else wall
        for augment, what in ((False, "1,024 pictures of 3x32x32"), (True, "the same padded, cropped and flipped")):
            found = compare(*map(side, training(torch.device(device), augment)), 9)
            yield _row("12", f"training on {what}, {device}", "one batch over and over", ">= 0.97", f"{found.ratio}", found)


def augmentation() -> Iterator[Row]:
    """11: flip, rotate, zoom, shift and contrast of a batch, against torchvision a picture at a time."""
    import torch

    from benchmarks.augmentation import BATCH, PEERS, sides

    torch.set_num_threads(1)
    for size in (32, 224):
        for against in PEERS:
            ours, peer = sides(size, against)
            found = compare(function(ours), function(peer), 7)
            shown = f"r = {found.ratio}; ours {1000 * found.ours.median / BATCH:.3f} ms a picture"
            yield _row("11", f"augmentation of {BATCH} pictures of 3x{size}x{size}, CPU", against, "r >= 2", shown, found)


def _row(number: str, what: str, against: str, asked: str, shown: str, found: Comparison) -> Row:
    data = {name: vars(getattr(found, name)) for name in ("ours", "peer", "ratio", "control")}
    return Row(number, what, against, asked, f"{shown}; control {found.control}", data)


ROWS: tuple[Callable[[], Iterator[Row]], ...] = (
    check_process,
    check_in_process,
    check_zoo,
    check_million,
    spec_to_module,
    forward_backward,
    step_memory,
    onnx_export,
    decoding,
    decoded,
    loading,
    augmentation,
    training,
    frozen_base,
)
