"""Small nets of torchvision's families written in the language: state dict, outputs, gradients and MACs of the real ones."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from netspec.backends.onnx import open_session, to_model
from netspec.backends.torch import build
from netspec.compiler import compile_source
from netspec.graph import Graph
from netspec.source import Source
from tests.zoo.peer import models

SWIN = """
block embed(channels) { conv(channels, 4, stride=4) -> permute([1, 2, 0]) -> layer_norm(over=last) }

block swin_block(heads, shift) {
    let channels = x.shape[2]
    residual { norm1: layer_norm(over=last) -> attn: window_attention(heads, window=4, shift=shift) }
    residual {
        norm2: layer_norm(over=last)
        mlp: { linear(4 * channels, over=last) -> gelu -> dropout(0.0) -> linear(channels, over=last) }
    }
}

block stage(depth, heads) { for i in range(depth) { swin_block(heads, shift = 0 if i % 2 == 0 else 2) } }

block patch_merging {
    let channels = x.shape[2]
    concat(axis=2) {
        | slice(0, step=2, axis=0) -> slice(0, step=2, axis=1)
        | slice(1, step=2, axis=0) -> slice(0, step=2, axis=1)
        | slice(0, step=2, axis=0) -> slice(1, step=2, axis=1)
        | slice(1, step=2, axis=0) -> slice(1, step=2, axis=1)
    }
    norm: layer_norm(over=last)
    reduction: linear(2 * channels, bias=false, over=last)
}

net Swin {
    image: input(3x48x40)
    features: { embed(12) -> stage(2, heads=2) -> patch_merging -> stage(2, heads=4) }
    norm: layer_norm(over=last)
    permute([2, 0, 1]) -> global_avgpool -> flatten
    head: linear(10)
}
"""

CONVNEXT = """
block stem(width) { conv(width, 4, stride=4) -> layer_norm(over=channels, eps=1e-6) }
block down(width) { layer_norm(over=channels, eps=1e-6) -> conv(width, 2, stride=2) }

block cn_block {
    let width = x.channels
    residual {
        "block": {
            conv(width, 7, padding=3, groups=width)
            permute([1, 2, 0]) -> layer_norm(over=last, eps=1e-6) -> linear(4 * width, over=last) -> gelu
            linear(width, over=last) -> permute([2, 0, 1])
        }
        "layer_scale": layer_scale
    }
}

block stage(depth) { repeat(depth) { cn_block } }

net ConvNeXt {
    image: input(3x32x32)
    features: { stem(8) -> stage(1) -> down(16) -> stage(2) }
    global_avgpool
    classifier: { layer_norm(over=channels, eps=1e-6) -> flatten -> linear(10) }
}
"""


def swin() -> nn.Module:
    return models.SwinTransformer([4, 4], 12, [2, 2], [2, 4], [4, 4], stochastic_depth_prob=0.0, num_classes=10)


def convnext() -> nn.Module:
    setting = [models.convnext.CNBlockConfig(8, 16, 1), models.convnext.CNBlockConfig(16, None, 2)]
    return models.convnext.ConvNeXt(setting, num_classes=10)


@pytest.fixture(scope="module", params=[(SWIN, swin), (CONVNEXT, convnext)], ids=["swin", "convnext"])
def pair(request: pytest.FixtureRequest) -> tuple[Graph, nn.Module]:
    text, make = request.param
    torch.manual_seed(0)
    peer = make()
    for parameter in peer.parameters():
        nn.init.normal_(parameter, std=0.3)
    return compile_source(Source("peer.net", text))[0], peer


def test_state_dict_is_the_same_key_for_key(pair: tuple[Graph, nn.Module]) -> None:
    graph, peer = pair
    ours = {key: (tuple(weight.shape), f"torch.{weight.dtype}") for key, weight, _ in graph.weights()}
    assert ours == {key: (tuple(t.shape), str(t.dtype)) for key, t in peer.state_dict().items()}


def test_outputs_and_gradients_are_the_same(pair: tuple[Graph, nn.Module]) -> None:
    graph, peer = pair
    net = build(graph)
    net.load_state_dict(peer.state_dict(), strict=True)
    images, found = torch.randn(2, *graph.inputs[0].output), []
    for module in (net.train(), peer.train()):
        module.zero_grad()
        out = module(images)
        out.square().mean().backward()
        found.append((out, {name: p.grad for name, p in module.named_parameters()}))
    (ours, our_slopes), (theirs, their_slopes) = found
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * float(theirs.detach().abs().max()))
    for name, slope in their_slopes.items():
        torch.testing.assert_close(our_slopes[name], slope, rtol=1e-3, atol=1e-4 * float(slope.abs().max()), msg=name)


def test_macs_and_onnx_are_those_of_the_real_model(pair: tuple[Graph, nn.Module]) -> None:
    graph, peer = pair
    images = torch.randn(1, *graph.inputs[0].output)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        expected = peer.eval()(images)
    assert counter.get_total_flops() == 2 * graph.macs
    model = to_model(graph, {k: v.numpy() for k, v in peer.state_dict().items()})
    (found,) = open_session(model.SerializeToString()).run(None, {"image": images.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))
