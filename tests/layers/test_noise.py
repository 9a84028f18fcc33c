"""Layers that are there for training alone: what they do to numbers while training, and that they do nothing otherwise."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from netspec import build
from netspec.backends.onnx import to_model
from netspec.backends.torch.modules import construct
from netspec.compiler import compile_source
from netspec.layer import layers
from netspec.source import Source
from tests.graphs import complete
from tests.zoo.peer import ops

NOISY: dict[str, dict[str, Any]] = {
    "dropout": {"rate": 0.3},
    "spatial_dropout": {"rate": 0.3},
    "stochastic_depth": {"rate": 0.3},
    "gaussian_noise": {"std": 0.5},
    "drop_block": {"rate": 0.3, "size": 3},
}
ALL = "dropout(0.3) -> spatial_dropout(0.3) -> alpha_dropout(0.3) -> stochastic_depth(0.3) -> gaussian_noise(0.5) -> drop_block(0.3, 3)"


def training(layer: str, x: torch.Tensor, **arguments: Any) -> torch.Tensor:
    torch.manual_seed(0)
    made = construct(layers()[layer].infer((tuple(x.shape[1:]),), complete(layer, arguments)).torch).train()
    result: torch.Tensor = made(x)
    return result


@pytest.mark.parametrize("name", NOISY)
def test_the_mean_stays(name: str) -> None:
    x = torch.randn(200, 8, 12, 12, generator=torch.Generator().manual_seed(1)) + 1
    y = training(name, x, **NOISY[name])
    assert not torch.equal(x, y)
    assert abs(y.mean() - x.mean()) < 0.08


@pytest.mark.parametrize("rate", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("name", ["spatial_dropout", "stochastic_depth"])
def test_parts_are_kept_or_dropped_whole(name: str, rate: float) -> None:
    x = torch.ones(400, 10, 3, 3)
    y = training(name, x, rate=rate)
    parts = y.flatten(2) if name == "spatial_dropout" else y.flatten(1)
    assert torch.equal(parts, parts[..., :1].expand_as(parts))
    dropped = (parts[..., 0] == 0).float().mean()
    assert abs(dropped - rate) < 0.06
    assert torch.allclose(y[y != 0], torch.tensor(1 / (1 - rate) if rate < 1 else 1.0))


@pytest.mark.parametrize("mode", ["row", "batch"])
@pytest.mark.parametrize("rate", [0.0, 0.2, 1.0])
def test_stochastic_depth_is_torchvisions(mode: str, rate: float) -> None:
    x = torch.randn(64, 3, 4, 4)
    found = training("stochastic_depth", x, rate=rate, mode=mode)
    torch.manual_seed(0)
    assert torch.equal(found, ops.stochastic_depth(x, rate, mode))
    assert mode == "row" or len({bool((row == 0).all()) for row in found}) == 1


def test_noise_is_normally_distributed() -> None:
    noise = training("gaussian_noise", torch.zeros(100, 10, 10, 10), std=0.5)
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 0.5) < 0.01
    assert abs((noise.abs() < 0.5).float().mean() - 0.6827) < 0.01


def test_alpha_dropout_keeps_the_variance() -> None:
    y = training("alpha_dropout", torch.randn(100, 1000), rate=0.3)
    assert abs(y.mean()) < 0.02
    assert abs(y.std() - 1) < 0.02


@pytest.mark.parametrize("size", [1, 2, 5, 40])
def test_blocks_are_squares_and_as_many_as_said(size: int) -> None:
    y = training("drop_block", torch.ones(300, 4, 20, 20), rate=0.1, size=size)
    dropped = (y == 0).float()
    assert abs(dropped.mean() - 0.1) < 0.02
    if size == 40:  # larger than the data: all of a channel, or nothing
        assert torch.equal(dropped.amax((2, 3)), dropped.mean((2, 3)))
    else:  # every dropped point lies in a square that is dropped as a whole
        whole = 1 - torch.nn.functional.max_pool2d(1 - dropped, size, 1)
        grown = torch.nn.functional.max_pool2d(torch.nn.functional.pad(whole, (size - 1,) * 4), size, 1)
        assert torch.equal(grown, dropped)


@pytest.mark.parametrize("frozen", ["", "frozen "])
def test_nothing_happens_in_inference_in_frozen_regions_and_in_onnx(frozen: str) -> None:
    (graph,) = compile_source(Source("a.net", f"net A {{\n image: input(4x8x8)\n {frozen}{{ {ALL} }}\n}}"))
    made = build(graph)
    made.train(bool(frozen))
    x = torch.randn(2, 4, 8, 8)
    assert torch.equal(made(x), x)
    assert {node.op_type for node in to_model(graph, {}).graph.node} == {"Identity"}
    assert not torch.equal(build(graph).train()(x), x) or frozen
