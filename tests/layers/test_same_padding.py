"""`padding=same`, which PyTorch has only in part: convolutions by TensorFlow's formula, transposed ones as their gradient."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from netspec.backends.onnx import to_model
from netspec.backends.torch.modules import construct
from netspec.layer import layers
from netspec.values import Word
from tests.graphs import Builder, complete

WINDOWS = [(k, s, d) for k, s, d in product((1, 2, 3, 4), (1, 2, 3), (1, 2)) if k > 1 or d == 1]
MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}


def facts(layer: str, *shape: int, **arguments: Any) -> Any:
    return layers()[layer].infer((shape,), complete(layer, {"padding": Word("same"), **arguments}))


def module(layer: str, *shape: int, **arguments: Any) -> Any:
    return construct(facts(layer, *shape, **arguments).torch).eval()


def by_definition(x: Tensor, weight: Tensor, bias: Tensor, stride: int, dilation: int, mode: str = "constant") -> Tensor:
    """TensorFlow's rule, as its documentation states it, on the last axis."""
    places = -(-x.shape[-1] // stride)
    total = max((places - 1) * stride + (weight.shape[-1] - 1) * dilation + 1 - x.shape[-1], 0)
    return F.conv1d(F.pad(x, (total // 2, total - total // 2), mode), weight, bias, stride, 0, dilation)


@pytest.mark.parametrize(("kernel", "stride", "dilation"), WINDOWS)
@pytest.mark.parametrize("mode", MODES)
def test_a_convolution_is_padded_by_the_formula(kernel: int, stride: int, dilation: int, mode: str) -> None:
    for size in range(5, 15):
        net = module("conv", 2, size, channels=3, kernel=kernel, stride=stride, dilation=dilation, padding_mode=mode)
        assert facts("conv", 2, size, channels=3, kernel=kernel, stride=stride, dilation=dilation).output == (3, -(-size // stride))
        x = torch.randn(2, 2, size)
        torch.testing.assert_close(net(x), by_definition(x, net.weight, net.bias, stride, dilation, MODES[mode]))


@pytest.mark.parametrize(("kernel", "stride", "dilation"), WINDOWS)
def test_one_module_and_one_model_serve_every_size(kernel: int, stride: int, dilation: int) -> None:
    b = Builder()
    b.input((2, 10))
    b.add("conv", path="it", channels=3, kernel=kernel, stride=stride, dilation=dilation, padding="same")
    net: Any = construct(b.graph().layers[0].facts.torch).eval()
    model = to_model(b.graph(), {f"it.{name}": w.detach().numpy() for name, w in net.state_dict().items()})
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[2].dim_param = "any"
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for size in range(1, 15):
        x = torch.randn(2, 2, size)
        expected = by_definition(x, net.weight, net.bias, stride, dilation)
        torch.testing.assert_close(net(x), expected)
        np.testing.assert_allclose(session.run(None, {"image": x.numpy()})[0], expected.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_axes_are_padded_apart() -> None:
    net = module("conv", 1, 7, 8, channels=2, kernel=(3, 2), stride=(2, 3))
    x = torch.randn(1, 1, 7, 8)
    expected = F.conv2d(F.pad(x, (0, 0, 1, 1)), net.weight, net.bias, (2, 3))
    torch.testing.assert_close(net(x), expected)


@pytest.mark.parametrize(("kernel", "stride", "dilation"), WINDOWS)
def test_a_transposed_convolution_is_the_gradient_of_a_convolution(kernel: int, stride: int, dilation: int) -> None:
    for size in range(1, 6):
        window = {"kernel": kernel, "stride": stride, "dilation": dilation, "bias": False}
        net = module("conv_transpose", 2, size, channels=3, **window)
        forward = module("conv", 3, size * stride, channels=2, **window)
        forward.load_state_dict(net.state_dict())
        small, large = torch.randn(1, 2, size), torch.randn(1, 3, size * stride, requires_grad=True)
        (gradient,) = torch.autograd.grad(forward(large), large, small)
        torch.testing.assert_close(net(small), gradient)
        assert facts("conv_transpose", 2, size, channels=3, **window).output == (3, size * stride)
