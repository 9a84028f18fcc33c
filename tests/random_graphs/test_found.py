"""What random files have found, each by itself, so that it stays mended."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch

from netspec.backends.onnx import export
from netspec.backends.torch import build
from netspec.compiler import compile_source
from netspec.source import Source


def checked(body: str, folder: Path) -> torch.nn.Module:
    """The net of a body, exported: which holds PyTorch's numbers against those of onnxruntime, plain and with all optimisations."""
    graph = compile_source(Source("found.net", f"net Found {{\nimage: {body}\n}}"))[0]
    net = build(graph).eval()
    export(graph, net.state_dict(), folder / "found.onnx", force=True)
    onnx.shape_inference.infer_shapes(onnx.load(folder / "found.onnx"), check_type=True, strict_mode=True, data_prop=True)
    return net


@pytest.mark.parametrize(
    "body",
    [
        "input(2x8x8) -> pad(1) -> maxpool(2)",
        "input(2x8x8) -> pad(3) -> avgpool(2)",
        "input(1x8) -> pad(4) -> adaptive_avgpool(8)",
        "input(2x3x3) -> conv_transpose(2, 1, stride=2, dilation=4, output_padding=3, bias=false) -> maxpool(2)",
    ],
)
def test_onnxruntime_does_not_make_a_margin_part_of_a_pooling(body: str, tmp_path: Path) -> None:
    checked(body, tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        "input(6x6x2x1) -> maxpool(4x1x1, stride=3, ceil_mode=true) -> relu",
        "input(2x6x8) -> avgpool(1x4, 2, ceil_mode=true) -> relu",
        "input(2x1x8) -> maxpool(1x2, stride=3x2, ceil_mode=true) -> relu",
        "input(2x6x7) -> avgpool(1x4, 2, padding=0x1, ceil_mode=true, count_include_pad=false) -> concat(axis=1) { | | } -> relu",
        "input(2x6x7) -> lp_pool(2, 1x4, 2, ceil_mode=true) -> concat(axis=1) { | | } -> relu",
        "input(2x5x7) -> maxpool(2x3, 3x2, dilation=2x1, padding=1, ceil_mode=true) -> relu",
    ],
)
def test_no_window_begins_behind_the_data(body: str, tmp_path: Path) -> None:
    checked(body, tmp_path)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("size", "wanted"), [((8, 8), (2, 1)), ((8, 1), (3, 1)), ((3, 5), (5, 1)), ((1, 4), (1, 1))])
def test_a_picture_one_wide_is_resized_as_one_high(mode: str, size: tuple[int, int], wanted: tuple[int, int], tmp_path: Path) -> None:
    net = checked(f"input(3x{size[0]}x{size[1]}) -> resize({wanted[0]}x{wanted[1]}, mode={mode})", tmp_path)
    x = torch.rand(2, 3, *size)
    turned = torch.nn.functional.interpolate(x.mT, wanted[::-1], mode=mode, antialias=True).mT
    torch.testing.assert_close(net(x), turned)


def test_lrn_of_numbers_in_another_order(tmp_path: Path) -> None:
    checked("input(2x3x2x2) -> permute([1, 0, 3, 2]) -> lrn -> slice(0, 2, step=2) -> lrn", tmp_path)


def test_a_tensor_with_more_axes_than_have_names(tmp_path: Path) -> None:
    checked("input(1x8) -> unflatten(1, [2, 2, 1, 2]) -> if x.channels == 1 { relu } -> flatten(x.shape[0])", tmp_path)


def test_an_empty_block_has_a_position_each_time_it_is_repeated() -> None:
    text = "block nothing {\n}\nnet A { image: input(4)\nrepeat(3) { nothing }\nlinear(4) }"
    (graph,) = compile_source(Source("found.net", text))
    assert [n.path for n in graph.layers] == ["3"]


def test_a_net_that_does_nothing_passes_on_what_flows_in() -> None:
    text = "net A { image: input(4)\nB -> relu }\nnet B { image: input(4)\nif x.channels > 4 { relu } }"
    (graph,) = compile_source(Source("found.net", text))
    assert [n.layer for n in graph.layers] == ["relu"]


@pytest.mark.parametrize("mode", ["zeros", "reflect"])
@pytest.mark.parametrize("steps", ["pad(1)", "pad([1, 2, 3, 0])", "permute([1, 2, 0]) -> pad([1, 2, 1, 0])"])
def test_onnxruntime_pads_the_right_axes_beside_a_permutation(steps: str, mode: str, tmp_path: Path) -> None:
    steps = steps.replace("pad(", f"pad(mode={mode}, sides=")
    checked(f"input(3x7x7) -> relu -> {steps} -> permute([2, 0, 1]) -> conv(2, 3) -> permute([1, 2, 0]) -> relu", tmp_path)


def test_a_permutation_that_changes_nothing_behind_a_margin(tmp_path: Path) -> None:
    checked("input(3x7x7) -> pad(1) -> hardsigmoid -> permute([0, 1, 2]) -> pad(2x1) -> permute([0, 1, 2]) -> relu", tmp_path)


def test_zeros_behind_a_transposed_convolution_beside_a_permutation(tmp_path: Path) -> None:
    padded = "conv_transpose(2, 1, stride=2, dilation=4, output_padding=3x2, bias=false)"
    checked(f"input(2x3x3) -> {padded} -> permute([0, 1, 2]) -> relu", tmp_path)
    checked(f"input(2x3x3) -> {padded} -> permute([1, 2, 0]) -> conv(2, 2) -> relu", tmp_path)
