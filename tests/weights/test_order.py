"""Weights under another framework's names, matched by structure: against Keras itself, for nets drawn at random, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.backends.mapping import Contents, Given, Unmappable, map_by_order
from netspec.backends.torch import build
from netspec.backends.torch.loading import Loaded, Reading, load_weights
from netspec.compiler import load
from netspec.diagnostics import Exit, NetspecError
from netspec.graph import Graph
from tests.graphs import resnet50
from tests.weights.files import KERAS, keras2, net, save

ORDER = Reading(order=True)


def refused(graph: Graph, path: Path, code: str, reading: Reading = ORDER) -> str:
    with pytest.raises(NetspecError) as caught:
        load_weights(graph, path, reading)
    assert caught.value.exit is Exit.MODEL_FILE
    assert [d.code for d in caught.value.diagnostics] == [code]
    return str(caught.value)


def done(loaded: Loaded) -> dict[str, str]:
    """What was done to the tensor of each key."""
    return {row.key: row.conversion.words for row in loaded.rows}


# --- against Keras ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["kinds.h5", "kinds.layers.h5", "kinds.weights.h5", "line.h5", "branches.h5", "branches.weights.h5"])
def test_a_net_answers_what_keras_answered(file: str) -> None:
    name = file.partition(".")[0]
    graph = load(KERAS / "nets.net", net=name.capitalize())
    module = build(graph, load_weights(graph, KERAS / file, ORDER).tensors).eval()
    expected = np.load(KERAS / f"{name}.npz")
    with torch.no_grad():
        found = module(torch.from_numpy(expected["images"]).movedim(-1, 1)).numpy()
    assert np.abs(found - expected["answers"]).max() < 1e-5 * np.abs(expected["answers"]).max()


def test_the_table_says_what_was_done_to_each() -> None:
    loaded = load_weights(load(KERAS / "nets.net", net="Kinds"), KERAS / "kinds.h5", ORDER)
    assert done(loaded) == {
        "0.weight": "HWIO -> OIHW", "0.bias": "", "1.weight": "", "1.bias": "", "1.running_mean": "", "1.running_var": "",
        "3.weight": "HWCM -> (CM)1HW", "3.bias": "", "5.weight": "HWOI -> IOHW", "5.bias": "", "6.weight": "HWCM -> (CM)1HW",
        "7.weight": "HWIO -> OIHW", "7.bias": "", **{f"10.{k}": "from 6x4x5 (HxWxC) to 5x6x4 (CxHxW)" for k in
        ("weight", "bias", "running_mean", "running_var")},
        "11.weight": "transposed, inputs from 6x4x5 (HxWxC) to 5x6x4 (CxHxW)", "11.bias": "", "13.weight": "transposed", "13.bias": "",
    }  # fmt: skip
    assert loaded.notes == ("the file has channels last, as Keras': only so do the shapes fit",)
    assert loaded.rows[0].source == "model_weights/c1/sequential/c1/kernel"
    assert loaded.rows[0].found == (3, 2, 2, 4)


def test_a_batch_norm_without_scale_has_ones() -> None:
    loaded = load_weights(load(KERAS / "nets.net", net="Line"), KERAS / "line.h5", ORDER)
    assert done(loaded)["1.weight"] == "none in the file, so ones"
    assert loaded.tensors["1.weight"].tolist() == [1.0] * 4
    text = refused(load(KERAS / "nets.net", net="Line"), KERAS / "line.weights.h5", "N809")
    assert "layers/batch_normalization/vars/0" in text, "of three variables nobody can say which one is missing"


def test_names_decide_between_branches_of_the_same_shapes_and_it_is_said() -> None:
    loaded = load_weights(load(KERAS / "nets.net", net="Branches"), KERAS / "branches.h5", ORDER)
    assert {row.key: row.why for row in loaded.rows}["left.conv.weight"] == "by its name"


# --- nets drawn at random ---------------------------------------------------------------------------------------------------------

STEPS = st.one_of(
    st.builds(
        "conv({}, {}, padding=same, bias={})".format, st.integers(1, 4), st.sampled_from([1, 3, "1x3"]), st.sampled_from(["true", "false"])
    ),
    st.just("conv(2 * x.channels, 3, padding=1, groups=x.channels)"),
    st.builds("conv_transpose({}, 2)".format, st.integers(1, 4)),
    st.sampled_from(["bn", "relu", "residual { conv(x.channels, 3, padding=1) }", "dropout(0.5)", "maxpool(2, stride=1)"]),
)
HEADS = st.lists(st.sampled_from(["linear(5)", "linear(4) -> relu", "bn", "dropout(0.5)"]), max_size=3)


def channels_last(graph: Graph, state: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """A state dict in Keras' layout and words, by formulas of its own: a flattened vector is turned with the map it was made from."""
    found: dict[str, np.ndarray] = {}
    flat: dict[int, tuple[int, ...] | None] = {}
    for node in graph.nodes:
        source = flat.get(node.inputs[0]) if node.inputs else None
        flat[node.index] = graph.nodes[node.inputs[0]].output if node.layer == "flatten" else None if node.layer == "linear" else source
        for name in node.facts.weights:
            array = state[f"{node.path}.{name}"].numpy()
            if name == "num_batches_tracked":
                continue
            words = {"running_mean": "moving_mean", "running_var": "moving_variance"}
            if array.ndim > 2:
                deep = node.layer == "conv" and node.arguments["groups"] > 1
                key = "depthwise_kernel" if deep else "kernel"
                if deep:
                    groups = node.arguments["groups"]
                    array = array.reshape(groups, -1, *array.shape[2:]).transpose(2, 3, 0, 1)
                else:
                    array = np.moveaxis(np.swapaxes(array, 0, 1), (0, 1), (-2, -1))
            elif array.ndim == 2:
                key, array = "kernel", _turned(array.T, source)
            else:
                norm = node.layer == "bn"
                array = _turned(array, source) if norm else array
                key = {"weight": "gamma", "bias": "beta" if norm else "bias"}.get(name, words.get(name, name))
            found[f"{node.layer}_{node.index}/{key}"] = array
    return found


def _turned(array: np.ndarray, shape: tuple[int, ...] | None) -> np.ndarray:
    """The first axis, which goes over a flattened C x H x W map, over H x W x C instead."""
    if shape is None or len(shape) == 1:
        return array
    return array.reshape(*shape, *array.shape[1:]).transpose(1, 2, 0, *range(3, 2 + array.ndim)).reshape(array.shape)


def filled(graph: Graph, seed: int) -> dict[str, torch.Tensor]:
    """Weights of which no two numbers are alike, so that a wrong place would be seen."""
    torch.manual_seed(seed)
    return {k: t if k.endswith("tracked") else torch.rand(t.shape) for k, t in build(graph).state_dict().items()}


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=6), HEADS, st.integers(0, 9))
def test_what_is_turned_to_channels_last_comes_back(steps: list[str], heads: list[str], seed: int) -> None:
    text = f"net N {{\n image: input(2x5x4)\n {' -> '.join(steps)}\n flatten\n {' -> '.join([*heads, 'linear(3)'])}\n}}"
    graph = net(text)
    state = filled(graph, seed)
    arrays = channels_last(graph, state)
    contents = Contents("drawn", {key: array.shape for key, array in arrays.items()}, ordered=True)
    mapped = map_by_order(graph, contents)
    from netspec.backends.torch.mapped import mapped_tensors

    found = mapped_tensors(mapped, {key: torch.from_numpy(array.copy()) for key, array in arrays.items()})
    wanted = {key: tensor for key, tensor in state.items() if not key.endswith("tracked")}
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[key], tensor) for key, tensor in wanted.items()), mapped.rows


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=6), st.integers(0, 9), st.sampled_from(["torch", "npz", "safetensors"]))
def test_other_names_in_the_same_layout(tmp_path_factory: pytest.TempPathFactory, steps: list[str], seed: int, form: str) -> None:
    graph = net(f"net N {{\n image: input(2x5x4)\n {' -> '.join(steps)}\n flatten -> linear(3)\n}}")
    state = filled(graph, seed)
    owners = {node.path: i for i, node in enumerate(graph.owners)}
    renamed = {f"net.{owners[k.rpartition('.')[0]]}.inner.{k.rpartition('.')[2]}": t for k, t in state.items()}
    path = save(renamed, tmp_path_factory.mktemp("order") / "w", form)
    found = load_weights(graph, path, ORDER).tensors
    assert all(torch.equal(found[k], t) for k, t in state.items() if not k.endswith("tracked"))


def test_a_published_net_under_other_names(tmp_path: Path) -> None:
    """Projections and the last convolutions of their blocks have the same shapes: only names can tell, and here they do."""
    graph = resnet50(7)
    state = filled(graph, 0)
    path = save({f"module.backbone.{k}": t for k, t in state.items()}, tmp_path / "w.pth", "torch")
    loaded = load_weights(graph, path, ORDER)
    assert all(torch.equal(loaded.tensors[k], t) for k, t in state.items() if not k.endswith("tracked"))
    assert {row.why for row in loaded.rows} == {"", "by its name"}


def test_what_a_module_learns_itself_stands_first_in_a_file(tmp_path: Path) -> None:
    """PyTorch writes a class token before the convolution whose patches it is put before."""
    graph = load("netspec:vit", net="ViT_B_16", settings={"depth": "2", "size": "32"})
    state = filled(graph, 0)
    renamed = {k: f"trunk.{k.replace('.mlp.0.', '.mlp.linear_1.').replace('.mlp.3.', '.mlp.linear_2.')}" for k in state}
    first = sorted(state, key=lambda k: "class_token" not in k)
    path = save({renamed[k]: state[k] for k in first}, tmp_path / "w", "torch")
    loaded = load_weights(graph, path, ORDER)
    assert {row.key: row.source for row in loaded.rows} == renamed


# --- what is refused --------------------------------------------------------------------------------------------------------------

TWINS = "net Twins {\n image: input(3x4x4)\n concat {\n  | a: conv(2, 1)\n  | b: conv(2, 1)\n }\n}"


def twins(tmp_path: Path, first: str = "conv2d_5", second: str = "conv2d_6") -> Path:
    random = np.random.default_rng(0)
    layers = [(name, {"kernel": random.normal(size=(1, 1, 3, 2)), "bias": random.normal(size=2)}) for name in (first, second)]
    return keras2(tmp_path / "twins.h5", layers)


def test_two_ways_are_refused_with_both_candidates_and_their_places(tmp_path: Path) -> None:
    text = refused(net(TWINS), twins(tmp_path), "N808")
    assert "twins.h5 fits the net in more than one way: conv2d_5 (1x1x3x2, 2) may be a (small.net:4:8) or b (small.net:5:8)" in text
    assert "either here" in text
    assert "or here" in text
    assert "--pair 'conv2d_5=a'" in text


@pytest.mark.parametrize(
    ("given", "swapped", "why"),
    [
        (Given({"conv2d_5": "a"}), False, ""),
        (Given({"conv2d_5": "b"}), True, ""),
        (Given(as_written=True), False, "in the order of the text"),
    ],
)
def test_a_user_may_say_which(tmp_path: Path, given: Given, swapped: bool, why: str) -> None:
    loaded = load_weights(net(TWINS), twins(tmp_path), Reading(True, given))
    sources = {row.key: row.source for row in loaded.rows}
    assert sources["a.weight"] == f"conv2d_{6 if swapped else 5}/conv2d_{6 if swapped else 5}/kernel:0"
    assert {row.why for row in loaded.rows} == {why, ""}


def test_pairs_of_layers_that_are_not_there(tmp_path: Path) -> None:
    for pairs, words in (({"conv2d_55": "a"}, "did you mean conv2d_5?"), ({"conv2d_5": "c"}, "the net has no layer with weights named c")):
        with pytest.raises(NetspecError) as caught:
            load_weights(net(TWINS), twins(tmp_path), Reading(True, Given(pairs)))
        assert caught.value.exit is Exit.USAGE
        assert words in str(caught.value)


def test_norms_follow_the_convolutions_they_are_called_after(tmp_path: Path) -> None:
    """As Keras orders layers by depth: both convolutions first, then both norms."""
    graph = net("net N {\n image: input(3x4x4)\n concat {\n  | a: conv(2, 1) -> p: bn\n  | b: conv(2, 3, padding=1) -> q: bn\n }\n}")
    ones, norm = np.ones, ("gamma", "beta", "moving_mean", "moving_variance")
    layers = [("conv2d_8", {"kernel": ones((1, 1, 3, 2)), "bias": ones(2)}), ("conv2d_9", {"kernel": ones((3, 3, 3, 2)), "bias": ones(2)})]
    norms = [(f"batch_normalization_{n}", {key: ones(2) * n for key in norm}) for n in (9, 8)]
    loaded = load_weights(graph, keras2(tmp_path / "w", [*layers, *norms]), ORDER)
    assert loaded.tensors["p.weight"].tolist() == [8, 8]
    assert {row.why for row in loaded.rows if row.key.startswith(("p.", "q."))} == {"", "as the one behind conv2d_9"}


SQUARE = "net Square {\n vector: input(4)\n linear(4) -> relu -> linear(4)\n}"


def test_square_matrices_lie_as_names_tell_or_are_refused(tmp_path: Path) -> None:
    graph, random = net(SQUARE), np.random.default_rng(0)
    first, second = random.normal(size=(4, 4)), random.normal(size=(4, 4))

    def saved(*names: str) -> Path:
        np.savez(tmp_path / "w.npz", **dict(zip(names, (first, np.ones(4), second, np.ones(4)))))
        return tmp_path / "w.npz"

    keras = load_weights(graph, saved("1/kernel", "1/bias", "2/kernel", "2/bias"), ORDER)
    assert np.array_equal(keras.tensors["0.weight"].numpy(), first.T)
    assert "assumed channels last, as Keras': the shapes fit both ways, and names in the file are of that kind" in keras.notes
    pytorch = load_weights(graph, saved("1.weight", "1.bias", "2.weight", "2.bias"), ORDER)
    assert np.array_equal(pytorch.tensors["0.weight"].numpy(), first)
    assert "assumed channels first" in pytorch.notes[0]
    text = refused(graph, saved("W1", "b1", "W2", "b2"), "N817")
    assert "W1 is 4x4, and may be 0.weight as it is, or transposed" in text
    assert "small.net:3:2" in text


def test_shapes_decide_against_names(tmp_path: Path) -> None:
    """Flax and others say `kernel` too; what fits in one way alone is that way."""
    graph = net("net N {\n vector: input(4)\n linear(3)\n}")
    np.savez(tmp_path / "w.npz", **{"dense/kernel": np.ones((3, 4)), "dense/bias": np.ones(3)})
    loaded = load_weights(graph, tmp_path / "w.npz", ORDER)
    assert done(loaded)["0.weight"] == ""
    assert loaded.notes == ("the file has channels first, as PyTorch's: only so do the shapes fit",)


@pytest.mark.parametrize("channels", ["first", "last"])
def test_a_kernel_of_one_point_is_a_matrix(tmp_path: Path, channels: str) -> None:
    text = "net N {{\n image: input(4x2x2)\n global_avgpool\n {}\n}}"
    dense, conv = net(text.format("flatten -> linear(3)")), net(text.format("conv(3, 1)"))
    matrix, kernel = build(dense).state_dict()["2.weight"].numpy(), build(conv).state_dict()["1.weight"].numpy()
    for graph, key, array in ((dense, "2.weight", kernel), (conv, "1.weight", matrix)):
        stored = array if channels == "first" else array.transpose(*range(2, array.ndim), 1, 0)
        np.savez(tmp_path / "w.npz", **{("top.weight" if channels == "first" else "top/kernel"): stored, "top.bias": np.ones(3)})
        if channels == "last":
            np.savez(tmp_path / "w.npz", **{"top/kernel": stored, "top/bias": np.ones(3)})
        loaded = load_weights(graph, tmp_path / "w.npz", ORDER)
        assert np.array_equal(loaded.tensors[key].numpy().ravel(), array.ravel())
        assert "one point" in done(loaded)[key]


def test_what_does_not_fit_is_shown_with_both_shapes_and_the_line(tmp_path: Path) -> None:
    graph = net("net N {\n image: input(3x4x4)\n conv(2, 3) -> conv(5, 1)\n flatten -> linear(6)\n}")
    ones = np.ones
    layers = [("c1", {"kernel": ones((3, 3, 3, 2)), "bias": ones(2)}), ("c2", {"kernel": ones((1, 1, 2, 4)), "bias": ones(4)}),
              ("d", {"kernel": ones((16, 6)), "bias": ones(6)}), ("e", {"kernel": ones((6, 6)), "bias": ones(6)})]  # fmt: skip
    text = refused(graph, keras2(tmp_path / "w", layers), "N809")
    for words in (
        "it has 4 layers with weights, and the net 3; the first 1 fit",
        "c2/c2/kernel:0 is 1x1x2x4, and 5x2x1x1 as 1.weight in the net (small.net:3:16)",
        "d/d/kernel:0 is 16x6, and 6x20 as 3.weight in the net (small.net:4:13)",
        "left over in the file: e",
    ):
        assert words in text


@pytest.mark.parametrize("step", ["reshape(2x4) -> flatten -> linear(8)", "pixel_shuffle(2)"])
def test_layers_that_mean_something_else_with_channels_last(tmp_path: Path, step: str) -> None:
    graph = net(f"net N {{\n image: input(3x1x1)\n conv(8, 1) -> {step} -> dropout(0.1)\n}}")
    random = np.random.default_rng(0)
    layers = [("c", {"kernel": random.normal(size=(1, 1, 3, 8)), "bias": np.ones(8)})]
    if "linear" in step:
        layers.append(("d", {"kernel": np.ones((8, 8)), "bias": np.ones(8)}))
    assert f"`{step.partition('(')[0]}` at 1" in refused(graph, keras2(tmp_path / "w", layers), "N818")


def test_a_linear_layer_behind_who_knows_what(tmp_path: Path) -> None:
    """A vector of unknown order flows in: no matrix is turned by guessing."""
    graph = net("net N {\n signal: input(3x4)\n flatten -> linear(2)\n}")
    path = keras2(tmp_path / "w", [("d", {"kernel": np.ones((12, 2)), "bias": np.ones(2)})])
    assert "`linear`" in refused(graph, path, "N818")


def test_a_search_without_end_is_given_up() -> None:
    """Forty equal branches: 40! ways in one order, none in the other."""
    branches = "\n".join(f"  | c{i}: conv(1, 1) -> conv(1, 1) -> d{i}: conv(1, 3, padding=1)" for i in range(12))
    graph = net(f"net N {{\n image: input(1x4x4)\n concat {{\n{branches}\n }}\n}}")
    shapes = {f"k{i}/kernel": (3, 3, 1, 1) if i % 3 == 0 else (1, 1, 1, 1) for i in range(36)}
    shapes |= {f"k{i}/bias": (1,) for i in range(36)}
    ordered = {key: shapes[key] for i in range(36) for key in (f"k{i}/kernel", f"k{i}/bias")}
    with pytest.raises(Unmappable) as caught:
        map_by_order(graph, Contents("w", ordered, ordered=True))
    assert caught.value.problem.code == "N809"


# --- parts of files ---------------------------------------------------------------------------------------------------------------


def test_a_part_is_found_in_a_longer_file_or_refused(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    sizes = [(3, 8), (8, 8), (8, 8), (8, 5)]
    layers = [(f"c{i}", {"kernel": random.normal(size=(1, 1, *s)), "bias": np.ones(s[1])}) for i, s in enumerate(sizes)]
    path = keras2(tmp_path / "w", layers)
    extra = Reading(True, allow_extra=True)
    head = load_weights(net("net N {\n image: input(3x4x4)\n conv(8, 1) -> conv(8, 1)\n}"), path, extra)
    assert head.rows[0].source == "c0/c0/kernel:0"
    assert head.left_over == ("c2/c2/kernel:0", "c2/c2/bias:0", "c3/c3/kernel:0", "c3/c3/bias:0")
    text = refused(net("net N {\n image: input(8x4x4)\n conv(8, 1)\n}"), path, "N808", extra)
    assert "c1 to c1 or c2 to c2" in text
    refused(net("net N {\n image: input(3x4x4)\n conv(8, 1) -> conv(8, 1)\n}"), path, "N809")


def test_states_of_random_generators_are_no_weights(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {"d/kernel": np.ones((4, 3)), "d/bias": np.ones(3), "dropout/seed_generator/vars/0": np.ones(2, np.uint32)}
    np.savez(tmp_path / "w.npz", **arrays, iterations=np.array(7))
    assert len(load_weights(net("net N {\n vector: input(4)\n linear(3)\n}"), tmp_path / "w.npz", ORDER).rows) == 2


def test_numbers_that_no_weight_can_have(tmp_path: Path) -> None:
    graph = net("net N {\n vector: input(4)\n linear(3)\n}")
    np.savez(tmp_path / "w.npz", **{"d/kernel": np.full((4, 3), np.nan), "d/bias": np.ones(3)})
    assert "0.weight has 12 values that are not finite" in refused(graph, tmp_path / "w.npz", "N806")
    assert load_weights(graph, tmp_path / "w.npz", Reading(True, allow_nonfinite=True)).tensors
