"""Every net of the library beside the same net of others: row by row of the table in ``peers.py``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

import netspec
from netspec.compiler import compile_source
from netspec.source import Source
from tests.zoo import comparing, lines, table
from tests.zoo.comparing import SPECS, graph_of, ours
from tests.zoo.peers import ALONE, PEERS, SAME, TRAINED, Peer

TOLERANCE = 1e-5
"""Relative to the largest number of a tensor, in single precision; gradients are compared in double."""

every = pytest.mark.parametrize("peer", PEERS, ids=str)


def test_every_net_of_the_library_is_held() -> None:
    written = {(path.stem, graph.name) for path in SPECS.glob("*.net") for graph in _nets(path)}
    held = [(p.spec, p.net) for p in PEERS] + [*SAME, *ALONE]
    assert sorted(written) == sorted(held)


def _nets(path: Path) -> tuple[netspec.Graph, ...]:
    graphs = compile_source(Source(str(path), path.read_text("utf-8")), every=True)
    assert any(g.expectations for g in graphs), f"{path.name} carries no expectations"
    return graphs


@every
def test_figures(peer: Peer) -> None:
    graph = ours(peer)
    assert graph.inputs[0].output == peer.size
    assert graph.parameters == comparing.their_parameters(peer)
    assert 2 * graph.macs == comparing.their_flops(peer)
    assert graph_of(peer.spec, peer.net).expectations, "a published net carries its published figures"


@every
def test_state_dict_is_the_same_key_for_key(peer: Peer) -> None:
    mine, theirs = comparing.our_state(peer), comparing.their_state(peer)
    assert sorted(mine) == sorted(theirs)
    assert mine == theirs or not peer.order


@pytest.mark.parametrize("peer", [p for p in PEERS if p.run], ids=str)
def test_outputs(peer: Peer) -> None:
    assert comparing.outputs(peer) <= TOLERANCE


@pytest.mark.parametrize("peer", [p for p in PEERS if p.onnx], ids=str)
def test_outputs_of_the_onnx_file(peer: Peer) -> None:
    assert comparing.onnx_outputs(peer) <= TOLERANCE


@pytest.mark.parametrize("peer", [*(p for p in PEERS if p.gradients), *TRAINED], ids=str)
def test_training_mode_and_gradients(peer: Peer) -> None:
    assert comparing.gradients(peer) <= TOLERANCE**2


@pytest.mark.parametrize(("one", "other"), SAME.items())
def test_nets_that_are_the_same(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert _layers(graph_of(*one)) == _layers(graph_of(*other))


def _layers(graph: netspec.Graph) -> list[tuple[str, str, Mapping[str, Any], tuple[int, ...]]]:
    return [(n.path, n.layer, n.arguments, n.inputs) for n in graph.nodes]


def test_other_nets_from_the_same_text() -> None:
    assert netspec.load(SPECS / "resnet50.net", settings={"depths": "[3, 8, 36, 3]"}).parameters == 60_192_808
    assert netspec.load(SPECS / "resnet50.net", depths=[3, 4, 23, 3]).parameters == 44_549_160
    part = netspec.load(SPECS / "vgg16.net", net="VGG16Features", size=180)
    assert part.parameters == 14_714_688
    assert part.output_shapes() == {"features": (512, 5, 5)}


def test_the_table_of_the_documentation_is_of_these_nets() -> None:
    page = table.PAGE.read_text("utf-8")
    assert [line for line in page.splitlines() if line.startswith("| `")] != []
    for peer in PEERS:
        assert f"| {' | '.join(table.figures(peer))} |" in page, f"{peer} is not in {table.PAGE.name}: python -m tests.zoo.table"


# ---- the measures themselves


def test_a_difference_is_seen() -> None:
    one = {"a": torch.tensor([1.0, -4.0]), "b": torch.zeros(2)}
    assert comparing.largest(one, one) == 0
    assert comparing.largest({**one, "a": torch.tensor([1.0, -4.1])}, one) == pytest.approx(0.1 / 4)
    assert comparing.largest({**one, "a": torch.tensor([1.0, float("nan")])}, one) == float("inf")
    assert comparing.largest({**one, "a": torch.tensor([1.0])}, one) == float("inf")
    assert comparing.largest({**one, "b": torch.tensor([0.0, 1e-3])}, one) > 1


def test_a_net_that_differs_in_one_layer_is_seen() -> None:
    peer = next(p for p in PEERS if p.net == "LeNet5")
    model = comparing.with_weights(peer).eval()
    net = netspec.build(ours(peer), {key: tensor.clone() for key, tensor in model.state_dict().items()}).eval()
    image = comparing.raw_images(peer, 2)[0]
    with torch.inference_mode():
        assert torch.equal(net(image), model(peer.prepare(image)))
        model[2] = torch.nn.MaxPool2d(2)
        assert comparing.largest({"output": net(image)}, {"output": model(peer.prepare(image))}) > 1e-2


PYTHON = '''\
"""A file."""

import math
__all__ = [
    "A",
]
X_META = 1

@f
def a(
    x,  # x
):
    """Doc
    of a."""
    return x

class A_Weights:
    b = 1
'''


def test_lines_of_code() -> None:
    assert lines.ours("# a net\n\nnet A {\n    relu  # as it is\n}\n") == 3
    assert lines.theirs(PYTHON, network_alone=False) == 12
    assert lines.theirs(PYTHON, network_alone=True) == 4


def test_our_files_are_a_fraction() -> None:
    counts = [int(cell) for cell in lines.table().splitlines()[-1].split("|")[3:6]]
    assert counts[0] * 3 < counts[1] < counts[2]
