"""Learned tensors that stand under a layer's own path: one parameter in the region around, whatever is done to the net."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from netspec.backends.onnx import open_session, to_model
from netspec.backends.torch import CompiledNet, build
from netspec.compiler import compile_source
from netspec.graph import Graph
from netspec.source import Source
from tests.backends.test_torch_build import UNSAFE
from tests.graphs import Builder
from tests.zoo.peer import models

VIT = """
block encoder_block(heads, width) {
    let features = x.shape[1]
    add {
        |
        | ln_1: layer_norm(eps=1e-6) -> self_attention: attention(heads) -> "dropout": dropout(0.0)
    }
    add {
        |
        | ln_2: layer_norm(eps=1e-6) -> mlp: { linear(width) -> gelu -> dropout(0.0) -> linear(features) -> dropout(0.0) }
    }
}

net ViT(heads = 3, width = 24, depth = 2) {
    image: input(3x32x32)
    conv_proj: conv(12, 8, stride=8)
    flatten(1) -> transpose
    "class_token": class_token
    encoder: {
        pos_embedding: position_embedding
        dropout(0.0)
        layers: { for i in range(depth) { "encoder_layer_{i}": encoder_block(heads, width) } }
        ln: layer_norm(eps=1e-6)
    }
    slice(0, 1) -> flatten
    heads: { head: linear(10) }
}
"""


def vit() -> Graph:
    return compile_source(Source("vit.net", VIT))[0]


def peer() -> nn.Module:
    """torchvision's, with random numbers also where it has zeros to begin with."""
    torch.manual_seed(0)
    model = models.VisionTransformer(32, 8, 2, 3, 12, 24, num_classes=10)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model


def beside_layers() -> Graph:
    """Learned tensors at the root and within regions that hold layers as well; one of them used twice, one frozen."""
    b = Builder()
    b.input((5, 4))
    b.add("class_token", path="token", tokens=2)
    b.add("linear", path="body.fc", features=4)
    b.add("position_embedding", path="body.places")
    b.add("layer_scale", path="body.inner.scale", frozen=True, init=0.5)
    b.add("linear", path="body.inner.fc", features=4)
    first = b.add("layer_scale", path="shared", init=2.0)
    b.add("layer_scale", first, path="shared", init=2.0)
    return b.graph()


KEYS = [
    "token",
    "shared",
    "body.places",
    "body.fc.weight",
    "body.fc.bias",
    "body.inner.scale",
    "body.inner.fc.weight",
    "body.inner.fc.bias",
]


def by_hand(state: dict[str, Tensor], x: Tensor) -> Tensor:
    x = torch.cat([state["token"].expand(len(x), 2, 4), x], 1)
    x = x @ state["body.fc.weight"].T + state["body.fc.bias"] + state["body.places"]
    x = (x * state["body.inner.scale"]) @ state["body.inner.fc.weight"].T + state["body.inner.fc.bias"]
    return x * state["shared"] * state["shared"]


def random_state(graph: Graph, seed: int = 1) -> dict[str, Tensor]:
    chance = torch.Generator().manual_seed(seed)
    return {key: torch.randn(weight.shape, generator=chance) for key, weight, _ in graph.weights()}


def assert_computes(net: nn.Module, state: dict[str, Tensor]) -> None:
    x = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(net(x.to(next(iter(state.values())))), by_hand(state, x.to(next(iter(state.values())))))


# --- torchvision ------------------------------------------------------------------------------------------------------------------


def test_vision_transformer_is_torchvisions_key_for_key() -> None:
    graph, theirs = vit(), peer().eval()
    ours = build(graph).eval()
    shapes = {key: tuple(tensor.shape) for key, tensor in theirs.state_dict().items()}
    assert {key: tuple(tensor.shape) for key, tensor in ours.state_dict().items()} == shapes
    assert {key: weight.shape for key, weight, _ in graph.weights()} == shapes
    assert {name for name, _ in ours.named_parameters()} == set(shapes)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-5, atol=1e-5)


def test_vision_transformer_learns_as_torchvisions_does() -> None:
    theirs = peer().train()
    ours = build(vit(), theirs.state_dict()).train()
    images, gradients = torch.randn(2, 3, 32, 32), []
    for model in (ours, theirs):
        model.zero_grad()
        model(images).square().sum().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    for name, gradient in gradients[1].items():
        torch.testing.assert_close(gradients[0][name], gradient, rtol=1e-4, atol=1e-4 * float(gradient.abs().max()), msg=name)


# --- one parameter, whatever is done to the net -----------------------------------------------------------------------------------


def test_keys_stand_in_their_regions() -> None:
    graph = beside_layers()
    net = build(graph)
    assert list(net.state_dict()) == KEYS
    assert {k for k, _, _ in graph.weights()} == set(KEYS)
    assert [n for n, _ in net.named_parameters()] == KEYS
    assert sum(p.numel() for p in net.parameters()) == graph.parameters
    assert net.get_parameter("body.inner.scale").tolist() == [0.5] * 4
    assert net.get_parameter("token").count_nonzero() == 0
    assert not [n for n, _ in net.named_buffers()]
    assert "places" in repr(net)


@pytest.mark.parametrize("assign", [False, True])
def test_what_is_loaded_is_what_is_used(assign: bool) -> None:
    graph = beside_layers()
    net, state = build(graph), random_state(graph)
    net(torch.randn(1, 5, 4))
    net.load_state_dict(state, strict=True, assign=assign)
    assert_computes(net, state)
    assert (net.get_parameter("token").data_ptr() == state["token"].data_ptr()) is assign
    for missing in ("token", "body.inner.scale"):
        with pytest.raises(RuntimeError, match=missing):
            net.load_state_dict({k: v for k, v in state.items() if k != missing}, strict=True)


def test_weights_given_become_the_modules_own() -> None:
    graph = beside_layers()
    state = random_state(graph)
    before = torch.random.get_rng_state()
    net = build(graph, state)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(tensor.data_ptr() == state[key].data_ptr() for key, tensor in net.state_dict().items())
    assert not any(p.is_meta for p in net.parameters())
    assert_computes(net, state)


def test_copies_moves_and_swaps_are_seen() -> None:
    graph = beside_layers()
    state, other = random_state(graph), random_state(graph, 2)
    net = build(graph, state)
    twin = copy.deepcopy(net)
    twin.load_state_dict(other)
    assert_computes(net, state)
    assert_computes(twin, other)
    assert_computes(copy.deepcopy(net).double(), {k: v.double() for k, v in state.items()})
    x = torch.randn(3, 5, 4)
    torch.testing.assert_close(functional_call(net, other, (x,)), by_hand(other, x))
    assert_computes(net, state)


def test_moving_that_makes_new_parameters_is_seen() -> None:
    graph = beside_layers()
    state = random_state(graph)
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        net = build(graph, state).to(torch.float64)
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(False)
    assert_computes(net, {k: v.double() for k, v in state.items()})
    empty = build(graph).to("meta").to_empty(device="cpu")
    empty.load_state_dict(state)
    assert_computes(empty, state)


def test_frozen_ones_have_no_gradients() -> None:
    net = build(beside_layers()).train()
    assert {n for n, p in net.named_parameters() if not p.requires_grad} == {"body.inner.scale"}
    net(torch.randn(2, 5, 4)).sum().backward()
    assert {n for n, p in net.named_parameters() if p.grad is None} == {"body.inner.scale"}
    net.freeze({"token", "shared"})
    assert {n for n, p in net.named_parameters() if not p.requires_grad} == {"token", "shared"}
    net.load_state_dict(random_state(net.graph), assign=True)
    assert {n for n, p in net.named_parameters() if not p.requires_grad} == {"token", "shared"}


def test_a_compiler_sees_them() -> None:
    net = build(beside_layers()).eval()
    state = random_state(net.graph)
    compiled = torch.compile(net, backend="eager", fullgraph=True)
    compiled(torch.randn(3, 5, 4))
    net.load_state_dict(state, assign=True)
    assert_computes(compiled, state)
    exported = torch.export.export(net, (torch.randn(3, 5, 4),))
    assert set(exported.state_dict) == set(KEYS)


def test_onnx_has_them() -> None:
    graph = beside_layers()
    state = random_state(graph)
    session = open_session(to_model(graph, {k: v.numpy() for k, v in state.items()}).SerializeToString())
    for batch in (1, 3):
        x = torch.randn(batch, 5, 4)
        (found,) = session.run(None, {"image": x.numpy()})
        torch.testing.assert_close(torch.from_numpy(found), by_hand(state, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("nested", [False, True])
def test_no_label_can_hurt(nested: bool) -> None:
    b = Builder()
    b.input((2, 3))
    for name in (*UNSAFE, "tensor", "table", "name", "settle"):
        b.add("layer_scale", path=f"{name}.{name}" if nested else name, init=1.0)
    graph = b.graph()
    net = build(graph)
    x, state = torch.randn(2, 2, 3), random_state(graph)
    for module in (net, copy.deepcopy(net), build(graph, {k: v.clone() for k, v in state.items()})):
        module.load_state_dict({k: v.clone() for k, v in state.items()}, assign=True)
        product = torch.stack(list(state.values())).prod(0)
        torch.testing.assert_close(module.train().eval()(x), x * product)
        torch.testing.assert_close(module.double()(x.double()), (x * product).double(), rtol=1e-5, atol=1e-6)
        assert isinstance(module, CompiledNet)
        assert list(module.state_dict()) == list(state)
        assert module.training is False


@pytest.mark.parametrize("paths", [("a", "a.b"), ("a.b", "a")])
def test_nothing_stands_below_a_learned_tensor(paths: tuple[str, str]) -> None:
    b = Builder()
    b.input((2, 3))
    b.add("layer_scale", path=paths[0])
    b.add("linear", path=paths[1], features=3)
    with pytest.raises(RuntimeError, match=r"leads through a layer|is taken"):
        build(b.graph())


def test_beginnings() -> None:
    def start(layer: str, **arguments: Any) -> Tensor:
        b = Builder()
        b.input((50, 60))
        b.add(layer, path="it", **arguments)
        return build(b.graph()).get_parameter("it").detach()

    torch.manual_seed(0)
    assert start("class_token", tokens=3).shape == (1, 3, 60)
    places = start("position_embedding")
    assert (round(float(places.std()), 3), abs(float(places.mean())) < 1e-3) == (0.02, True)
    assert start("layer_scale").tolist() == pytest.approx([1e-6] * 60)
    assert start("layer_scale", axis=0, init=0.1).shape == (50, 1)
