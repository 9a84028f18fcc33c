"""Resampling, padding and cropping beside torchvision, and what is said where they cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch.nn import functional as F

from netspec import build
from netspec.backends.onnx import to_model
from netspec.backends.torch.modules import construct
from netspec.compiler import compile_source
from netspec.graph import Graph
from netspec.layer import layers
from netspec.shape import Shape
from netspec.source import Source
from tests.errors.text import net, only
from tests.graphs import complete
from tests.zoo.peer import transforms

SIZES = ((375, 500), (500, 375), (256, 256), (224, 300), (1000, 701), (100, 80), (257, 1031), (30, 2000), (300, 1))
EVALUATED = """net A {
    image: input(SIZE)
    preprocess { resize(256, fit=shorter) -> crop(224) -> scale(1/255) -> normalize(imagenet) }
    conv(2, 3)
}"""


def compiled(text: str) -> Graph:
    (graph,) = compile_source(Source("a.net", text))
    return graph


def module(layer: str, shape: Shape, **arguments: object) -> torch.nn.Module:
    return construct(layers()[layer].infer((shape,), complete(layer, dict(arguments))).torch).eval()


def session(graph: Graph, weights: dict[str, torch.Tensor]) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = to_model(graph, {key: value.numpy() for key, value in weights.items()})
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def evaluated(x: torch.Tensor) -> torch.Tensor:
    """What torchvision's classifiers see of a picture."""
    tv = transforms.functional
    cropped = tv.center_crop(tv.resize(x, [256], antialias=True), [224])
    return tv.normalize(cropped / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])  # type: ignore[no-any-return]


@pytest.mark.parametrize("size", SIZES)
def test_pictures_of_one_size_are_prepared_as_torchvision_does(size: tuple[int, int]) -> None:
    _prepared_as_torchvision_does(compiled(EVALUATED.replace("SIZE", f"3x{size[0]}x{size[1]}")), size)


def test_pictures_of_any_size_are_prepared_as_torchvision_does() -> None:
    graph = compiled(EVALUATED.replace("SIZE", "3xHxW"))
    assert [str(n) for n in graph.nodes[1].output] == ["3", "max(floor(256H/W), 256)", "max(floor(256W/H), 256)"]
    for size in SIZES:
        _prepared_as_torchvision_does(graph, size)


def _prepared_as_torchvision_does(graph: Graph, size: tuple[int, int]) -> None:
    made = build(graph).eval()
    x = torch.randint(0, 256, (2, 3, *size), generator=torch.Generator().manual_seed(0)).float()
    seen = x
    for node in graph.nodes:
        if node.role == "preprocess":
            seen = made.get_submodule(node.path)(seen)
    assert seen.shape == (2, 3, 224, 224)
    torch.testing.assert_close(seen, evaluated(x), rtol=0, atol=3e-6)
    with torch.inference_mode():
        expected = made(x)
    assert isinstance(expected, torch.Tensor)
    (found,) = session(graph, made.state_dict()).run(None, {"image": x.numpy()})
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    "step",
    [
        "upsample(size=613x1040, mode=bilinear)",
        "upsample(size=613x1040, mode=bicubic, corners=true)",
        "resize(301x1400, bicubic, antialias=false)",
        "resize(301x1400)",
        "upsample(size=301x1400)",
    ],
)
def test_the_far_side_of_a_large_picture_is_the_same_in_onnx(step: str) -> None:
    graph = compiled(f"net A {{ image: input(1xHxW)\n {step} }}")
    x = torch.randn(1, 1, 457, 1201, generator=torch.Generator().manual_seed(0))
    expected: Any = build(graph).eval()(x)
    (found,) = session(graph, {}).run(None, {"image": x.numpy()})
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("height", range(1, 40))
def test_sides_keep_their_proportion_as_in_torchvision(height: int) -> None:
    for width in range(1, 40):
        x = torch.zeros(1, 1, height, width)
        expected = tuple(transforms.functional.resize(x, [17], antialias=False).shape[2:])
        facts = layers()["resize"].infer(((1, height, width),), complete("resize", {"size": 17, "fit": "shorter", "antialias": False}))
        assert facts.output[1:] == expected
        assert construct(facts.torch)(x).shape[2:] == expected


def test_the_longer_side_and_two_numbers() -> None:
    assert module("resize", (1, 30, 60), size=20, fit="longer")(torch.zeros(1, 1, 30, 60)).shape[2:] == (10, 20)
    assert module("resize", (1, 30, 60), size=(20, 20), fit="longer")(torch.zeros(1, 1, 1, 500)).shape[2:] == (1, 20)
    assert module("resize", (1, 30, 60), size=(20, 30), fit="shorter")(torch.zeros(1, 1, 30, 60)).shape[2:] == (20, 40)
    assert module("resize", (1, 30, 60), size=(20, 30), fit="longer")(torch.zeros(1, 1, 30, 60)).shape[2:] == (15, 30)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_one_column_is_smoothed_as_one_row(mode: str) -> None:
    """PyTorch itself mixes up the rows of a picture one column wide."""
    x = torch.randn(2, 3, 9, 1)
    expected = F.interpolate(x.mT.contiguous(), (1, 4), mode=mode, antialias=True).mT
    torch.testing.assert_close(module("resize", (3, 9, 1), size=(4, 1), mode=mode)(x), expected)


@pytest.mark.parametrize("spare", range(12))
def test_the_middle_is_that_of_torchvision(spare: int) -> None:
    x = torch.arange(float((8 + spare) * 8)).view(1, 1, 8 + spare, 8)
    expected = transforms.functional.center_crop(x, [8, 7])
    assert torch.equal(module("crop", (1, 8 + spare, 8), size=(8, 7))(x), expected)


def test_margins_are_in_pytorchs_order() -> None:
    x = torch.randn(1, 2, 5, 6)
    assert torch.equal(module("pad", (2, 5, 6), sides=(1, 2, 3, 4))(x), F.pad(x, (1, 2, 3, 4)))
    assert torch.equal(module("pad", (2, 5, 6), sides=(1, 2))(x), F.pad(x, (2, 2, 1, 1)))
    assert torch.equal(module("crop", (2, 5, 6), margins=(1, 2, 3, 0))(x), F.pad(x, (-1, -2, -3, 0)))


def test_a_skip_of_the_first_unet_is_cut_to_size() -> None:
    graph = compiled("net A { image: input(2x20x30)\n wide: relu\n conv(2, 5) -> small: relu\n wide -> crop_to(small) -> concat(small) }")
    assert graph.nodes[-1].output == (4, 16, 26)
    x = torch.randn(1, 2, 20, 30)
    found: Any = build(graph).eval()(x)
    assert torch.equal(found[:, :2], x.relu()[:, :, 2:18, 2:28])


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ("upsample", "N404", "`upsample` needs factor or size"),
        ("upsample(2, size=9)", "N401", "size of `upsample` must be left out where there is a factor"),
        ("upsample(2, corners=true)", "N401", "write mode=bilinear, or leave corners out"),
        ("upsample(1/3)", "N401", "write size=, with the height and width that it should have"),
        ("upsample(1/32) -> upsample(1/4)", "N401", "large enough that something is left of 3x2x2"),
        ("flatten -> upsample(2)", "N202", "put this before flatten"),
        ("flatten -> resize(8)", "N202", "`resize` needs channels, height and width"),
        ("pixel_shuffle(2)", "N401", "such that its square divides the channels of 3x64x64"),
        ("pixel_unshuffle(5)", "N401", "such that it divides height and width of 3x64x64"),
        ("pad(64, reflect)", "N401", "sides of `pad` must be at most 63x63 where mode is reflect and 3x64x64 flows in"),
        ("pad(1, value=3)", "N401", "value of `pad` must be left out where mode is zeros"),
        ("pad([1, 2, 3])", "N209", "has 3 numbers for the 2 axes"),
        ("crop", "N404", "`crop` needs size or margins"),
        ("crop(65)", "N401", "size of `crop` must be at most that of 3x64x64"),
        ("crop(margins=32)", "N401", "such that something is left of 3x64x64"),
        ("reshape([5, -1])", "N401", "shape of `reshape` must be of a divisor of 12,288 numbers"),
        ("permute([0, 1])", "N401", "axes of `permute` must be each of 0, 1, 2 once"),
        ("split([1, 1], 0)", "N401", "sizes of `split` must be sizes that add up to 3, and these make 2"),
        ("chunk(2, 2)", "N401", "index of `chunk` must be that of one of the 2 parts of 3"),
        ("slice(3)", "N401", "start of `slice` must be such that something is left of the 3 there are"),
        ("squeeze(1)", "N401", "an axis of 1 beside others"),
        ("channel_shuffle(2)", "N401", "groups of `channel_shuffle` must be a divisor of the 3 channels"),
        ("reduce_mean([0, 1, 2])", "N202", "write keep=true"),
        ("reduce_max(3)", "N210", "there is no axis 3"),
        ("lp_pool(3, 2)", "N401", "norm of `lp_pool` must be 1 or an even number"),
    ],
)
def test_what_is_said(body: str, code: str, says: str) -> None:
    said = only(net(body))
    assert said.code == code
    assert says in f"{said.problem.message()} {said.problem.help() or ''}"
