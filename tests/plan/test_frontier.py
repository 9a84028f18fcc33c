"""What can be kept of a stage and what not, by cases of which each has a reason of its own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netspec.backends.torch.modules import construct
from netspec.compiler import compile_source
from netspec.freezing import selected
from netspec.frontier import _CHANCE, Frontier, frontier_of
from netspec.graph import Facts, Graph
from netspec.layer import Reject, layers
from netspec.source import Source
from tests.layers.drawing import uses

BASE = "base: { conv(4, 3, padding=1) -> bn -> relu -> conv(6, 3, padding=1) -> bn -> relu }"


def graph(body: str, before: str = "") -> Graph:
    return compile_source(Source("a.net", f"{before}\nnet A {{\n image: input(3x8x8)\n {body}\n}}"))[0]


def found(net: Graph, *frozen: str, **seen: Any) -> Frontier:
    return frontier_of(net, selected(net, frozen), seen)


def kept(net: Graph, frontier: Frontier) -> list[str]:
    return [net.nodes[v.node].layer for v in frontier.values]


def test_layers_without_weights_behind_a_frozen_base_belong_to_it() -> None:
    net = graph(f"{BASE}\n maxpool(2) -> flatten -> dropout(0.2) -> head: linear(2)")
    frontier = found(net, "base")
    assert kept(net, frontier) == ["flatten"]
    assert frontier.values[0].shape == (96,)
    assert (frontier.inputs, frontier.ends, frontier.through, frontier.reasons) == ((), ("head",), (), ())
    assert frontier.macs == 64 * 9 * (3 * 4 + 4 * 6)


def test_nothing_frozen() -> None:
    net = graph(f"{BASE}\n flatten -> linear(2)")
    frontier = found(net)
    assert (frontier.values, frontier.inputs, frontier.ends) == ((), (0,), ("base.0",))
    assert frontier.reasons == ("nothing is frozen",)


def test_frozen_behind_what_learns() -> None:
    net = graph(f"stem: conv(3, 1)\n {BASE}\n flatten -> linear(2)")
    frontier = found(net, "base")
    assert (frontier.values, frontier.ends) == ((), ("stem",))
    assert frontier.through == ("base.0", "base.1", "base.3", "base.4")
    assert frontier.reasons == (
        "2 frozen layers from base.0 on are computed in every step: stem before learns, and gradients flow through",
    )


def test_statistics_alone_keep_a_value_from_being_still() -> None:
    net = graph(f"norm: bn(affine=false)\n {BASE}\n flatten -> head: linear(2)")
    frontier = found(net, "base")
    assert (frontier.values, frontier.through, frontier.ends) == ((), (), ("head",))
    assert frontier.reasons == ("2 frozen layers from base.0 on are computed in every step: norm before learns",)
    assert kept(net, found(net, "base", "norm")) == ["flatten"]


def test_a_frozen_batch_norm_before_one_that_learns() -> None:
    net = graph("conv(4, 3) -> bn -> relu -> late: bn -> flatten -> linear(2)")
    frontier = found(net, "[:2]")
    assert (kept(net, frontier), frontier.ends) == (["relu"], ("late",))


@pytest.mark.parametrize("layer", sorted(set(_CHANCE) - {"rrelu"}))
def test_chance_before_a_frozen_base(layer: str) -> None:
    argument = _CHANCE[layer]
    net = graph(f"noise: {layer}({argument}=0.5)\n {BASE}\n flatten -> linear(2)")
    assert found(net, "base").values == ()
    assert found(net, "base").reasons == (
        f"2 frozen layers from base.0 on are computed in every step: noise before draws anew, as {layer} does while training",
    )
    assert kept(net, found(net, "base", "noise")) == ["flatten"]
    still = graph(f"noise: {layer}({argument}=0)\n {BASE}\n flatten -> linear(2)")
    assert kept(still, found(still, "base")) == ["flatten"]


def test_augmentation() -> None:
    net = graph(f"{BASE}\n flatten -> linear(2)")
    assert found(net, "base", image="plain").views == 1
    mirrored = found(net, "base", image="mirrored")
    assert (mirrored.views, mirrored.values[0].numbers) == (2, 2 * 6 * 64)
    varied = found(net, "base", image="varied")
    assert (varied.values, varied.inputs) == ((), (0,))
    assert varied.reasons == (
        "2 frozen layers from base.0 on are computed in every step: image is augmented by more than mirroring left and right",
    )


def test_what_is_larger_than_what_it_is_made_of_is_made_anew() -> None:
    net = graph(f"{BASE}\n upsample(4) -> relu -> conv(2, 3) -> flatten -> linear(2)")
    assert kept(net, found(net, "base")) == ["relu"]
    assert found(net, "base").values[0].shape == (6, 8, 8)


def test_preprocessing_alone_is_not_worth_a_place() -> None:
    net = graph("preprocess { scale(1/255) -> normalize(imagenet) }\n frozen relu -> conv(2, 3) -> flatten -> linear(2)")
    frontier = frontier_of(net, frozenset({"0"}))
    assert (frontier.values, frontier.inputs) == ((), (0,))
    assert frontier.reasons == ("no frozen layer has anything to compute",)


def test_a_value_that_is_used_twice() -> None:
    net = graph(f"{BASE}\n base -> a: conv(6, 1)\n add(base) -> flatten -> linear(2)")
    assert kept(net, found(net, "base")) == ["relu"]


def test_two_values_where_a_frozen_part_is_left_twice() -> None:
    net = graph("low: conv(4, 3, padding=1)\n high: conv(8, 3, padding=1)\n high -> up: conv(4, 1)\n add(low) -> flatten -> linear(2)")
    assert [v.path for v in found(net, "low", "high").values] == ["low", "high"]


def test_a_shared_block_is_still_in_one_use_and_not_in_the_other() -> None:
    net = graph(
        "one: encoder\n one -> stem: conv(3, 1) -> two: encoder\n add(one) -> flatten -> linear(2)",
        "shared block encoder { conv(3, 3, padding=1) -> relu }",
    )
    frontier = found(net, "encoder")
    assert kept(net, frontier) == ["relu"]
    assert (frontier.through, frontier.ends) == (("encoder.0",), ("stem",))
    assert frontier.macs * 2 < frontier.whole


def test_an_output_without_anything_that_learns() -> None:
    net = graph(f"{BASE}\n flatten -> fixed: {{ linear(3) -> softmax }}\n base -> flatten -> head: linear(2)\n output(a=fixed, b=head)")
    frontier = found(net, "base", "fixed")
    assert "fixed.0" in [v.path for v in frontier.values]
    assert len(frontier.values) == 2


def test_auxiliary_outputs_are_part_of_a_training() -> None:
    sides = "base -> flatten -> side: linear(2)\n base -> global_avgpool -> flatten -> main: linear(2)"
    net = graph(f"{BASE}\n {sides}\n output(main)\n auxiliary(side)")
    frontier = found(net, "base")
    assert kept(net, frontier) == ["flatten", "flatten"]
    assert frontier.ends == ("side", "main")


TWO = """
shared block encoder { conv(4, 3) -> relu -> flatten }
net Two {
    left: input(1x8x8)
    one: encoder
    right: input(1x8x8)
    encoder -> distance(one, l1) -> same: linear(1)
}
"""


def test_two_inputs() -> None:
    net = compile_source(Source("two.net", TWO))[0]
    assert kept(net, found(net, "encoder")) == ["distance"]
    half = found(net, "encoder", left="mirrored")
    assert [(v.mirrored, net.nodes[v.node].layer) for v in half.values] == [("left", "distance")]
    both = found(net, "encoder", left="mirrored", right="mirrored")
    assert sorted((v.mirrored or "", net.nodes[v.node].layer) for v in both.values) == [("left", "flatten"), ("right", "flatten")]
    one = found(net, "encoder", left="varied")
    assert (len(one.values), one.inputs) == (1, (net.inputs[0].index,))
    assert one.reasons == ("encoder.0 is computed in every step: left is augmented by more than mirroring left and right",)


def test_products_behind_two_mirrored_inputs_are_said_to_be_computed_again() -> None:
    text = TWO.replace("distance(one, l1)", "concat(one) -> trunk: linear(5)")
    net = compile_source(Source("two.net", text))[0]
    frontier = found(net, "encoder", "trunk", left="mirrored", right="mirrored")
    assert frontier.reasons == ("trunk is computed in every step: left and right before are mirrored each by itself",)


@pytest.mark.parametrize("name", sorted(layers()))
def test_a_layer_without_weights_is_still_just_where_training_repeats_itself(name: str) -> None:
    """Held against the modules themselves: whatever draws or learns statistics in training mode must be known to do so."""
    layer = layers()[name]

    @settings(max_examples=15, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def hold(data: st.DataObject) -> None:
        shapes, arguments = data.draw(uses(layer))
        try:
            facts = layer.infer(shapes, arguments)
        except Reject:
            return
        if not facts.weights and (name not in _CHANCE or (_CHANCE[name] is not None and arguments[str(_CHANCE[name])] == 0)):
            _repeats_itself(facts, shapes)

    hold()


def _repeats_itself(facts: Facts, shapes: tuple[tuple[int, ...], ...]) -> None:
    module = construct(facts.torch)
    given_ = [torch.rand(2, *shape) for shape in shapes]
    found_ = []
    for seed, mode in ((0, True), (1, True), (2, False)):
        torch.manual_seed(seed)
        found_.append(module.train(mode)(*given_))
    assert all(torch.equal(found_[0], other) or bool(found_[0].isnan().any()) for other in found_[1:])


@pytest.mark.parametrize("name", sorted(_CHANCE))
def test_what_is_said_to_draw_does(name: str) -> None:
    arguments = {p.name: p.default for p in layers()[name].signature.parameters} | ({} if name == "rrelu" else {str(_CHANCE[name]): 0.5})
    module = construct(layers()[name].infer(((4, 9, 9),), arguments).torch).train()
    x = torch.randn(8, 4, 9, 9)
    assert not torch.equal(module(x), module(x))
