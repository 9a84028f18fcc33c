"""Norms beside what the published nets have in their place, and what is said where one cannot be."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from netspec import build
from netspec.backends.torch.modules import construct
from netspec.compiler import compile_source
from netspec.layer import layers
from netspec.shape import Shape
from netspec.source import Source
from tests.errors.text import net, only
from tests.graphs import complete


def module(layer: str, shape: Shape, **arguments: object) -> torch.nn.Module:
    return construct(layers()[layer].infer((shape,), complete(layer, dict(arguments))).torch).eval()


def test_channels_at_each_place_as_in_convnext() -> None:
    x = torch.randn(2, 6, 5, 4)
    expected = F.layer_norm(x.permute(0, 2, 3, 1), (6,), eps=1e-6).permute(0, 3, 1, 2)
    assert torch.equal(module("layer_norm", (6, 5, 4), over="channels", eps=1e-6)(x), expected)


def test_features_of_each_token_as_in_a_transformer() -> None:
    x = torch.randn(2, 5, 8)
    assert torch.equal(module("layer_norm", (5, 8), eps=1e-6)(x), torch.nn.LayerNorm(8, 1e-6)(x))


def test_everything_is_one_group() -> None:
    x = torch.randn(2, 6, 5, 4)
    grouped = module("group_norm", (6, 5, 4), groups=1, affine=False)(x)
    torch.testing.assert_close(module("layer_norm", (6, 5, 4), over="all", affine=False)(x), grouped)


def test_the_length_of_channels_as_in_ssd() -> None:
    text = "net A {\n image: input(3x8x8)\n backbone: { conv(5, 3) -> scale_weight: l2_norm(20) }\n}"
    (graph,) = compile_source(Source("ssd.net", text))
    made = build(graph)
    assert dict(made.state_dict())["backbone.scale_weight"].tolist() == [20.0] * 5
    x = torch.randn(2, 3, 8, 8)
    y = torch.conv2d(x, made.state_dict()["backbone.0.weight"], made.state_dict()["backbone.0.bias"])
    with torch.no_grad():
        assert torch.equal(made(x), made.state_dict()["backbone.scale_weight"].view(1, -1, 1, 1) * F.normalize(y))


def test_local_response_by_the_papers_formula() -> None:
    x = torch.randn(1, 9, 3, 3)
    found = module("lrn", (9, 3, 3), size=5, alpha=5e-4, k=2.0)(x)
    for c in range(9):
        around = x[:, max(0, c - 2) : c + 3].square().sum(1)
        torch.testing.assert_close(found[:, c], x[:, c] / (2 + 1e-4 * around) ** 0.75)


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        (
            "layer_norm",
            "N202",
            "layer_norm(over=channels) normalises the channels at each place, over=last the last axis, over=all everything",
        ),
        ("layer_norm(3)", "N401", "sizes are known: leave it out, or write over=last"),
        ("instance_norm(3)", "N401", "the channels are known: leave them out, and write instance_norm"),
        ("group_norm(2)", "N205", "groups may be 1 or 3"),
        ("global_avgpool -> instance_norm", "N215", "leave it out: each number is its own mean"),
        ("conv(8, 1) -> global_avgpool -> group_norm(8)", "N215", "take fewer groups"),
        ("glu", "N215", "make it even"),
    ],
)
def test_what_is_said(body: str, code: str, says: str) -> None:
    said = only(net(body))
    assert (said.code, said.problem.help()) == (code, says)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("conv(8, 3, padding=64, padding_mode=reflect)",
         "padding of `conv` must be at most 63x63 where padding_mode is reflect and 3x64x64 flows in"),
        ("conv_transpose(8, 2, stride=2, output_padding=2)",
         "output_padding of `conv_transpose` must be less than stride 2x2 or dilation 1x1, so at most 1x1"),
        ("conv_transpose(8, 1, padding=32)", "padding of `conv_transpose` must be at most 31x31, or nothing is left of the output"),
        ("hardtanh(1, 1)", "high of `hardtanh` must be above low, which is 1"),
        ("rrelu(0.5, 0.25)", "upper of `rrelu` must be at least lower, which is 0.5"),
    ],
)  # fmt: skip
def test_which_values_are_accepted(body: str, says: str) -> None:
    said = only(net(body))
    assert (said.code, said.message) == ("N401", says)
