"""The specs against what others have published: torchvision's models, and figures of papers and books."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import netspec
from netspec.backends.onnx.session import open_session
from tests.zoo.peer import models

SPECS = Path(__file__).resolve().parents[2] / "specs"
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)

PEERS: dict[str, Callable[[], nn.Module]] = {
    "alexnet": models.alexnet,
    "vgg16": models.vgg16,
    "resnet18": models.resnet18,
    "resnet50": models.resnet50,
    "googlenet": lambda: models.googlenet(aux_logits=False, init_weights=False),
}

FIGURES = {
    "lenet5": (61_706, None),
    "mnist_convnet": (104_202, None),
    "cats_dogs": (991_041, None),
    "alexnet": (61_100_840, 0.714e9),
    "vgg16": (138_357_544, 15.470e9),
    "resnet18": (11_689_512, 1.814e9),
    "resnet50": (25_557_032, 4.089e9),
    "googlenet": (6_624_904, 1.498e9),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name: str) -> None:
    parameters, macs = FIGURES[name]
    graph = netspec.load(SPECS / f"{name}.net")
    assert graph.parameters == parameters
    assert macs is None or round(graph.macs / 1e6) == round(macs / 1e6)
    assert graph.expectations, "every spec of the library carries expectations"


def test_every_spec_is_tested_here() -> None:
    assert {p.stem for p in SPECS.glob("*.net")} == set(FIGURES)


def test_resnet152_from_the_same_text() -> None:
    assert netspec.load(SPECS / "resnet50.net", settings={"depths": "[3, 8, 36, 3]"}).parameters == 60_192_808
    assert netspec.load(SPECS / "resnet50.net", depths=[3, 4, 23, 3]).parameters == 44_549_160
    assert netspec.load(SPECS / "resnet18.net", depths=[3, 4, 6, 3]).parameters == 21_797_672


def test_convolutional_part_of_vgg16() -> None:
    graph = netspec.load(SPECS / "vgg16.net", net="VGG16Features", size=180)
    assert graph.parameters == 14_714_688
    assert graph.output_shapes() == {"features": (512, 5, 5)}


@pytest.fixture(scope="module", params=PEERS)
def pair(request: pytest.FixtureRequest) -> tuple[netspec.Graph, nn.Module]:
    torch.manual_seed(7)
    peer = PEERS[request.param]().eval()
    with torch.no_grad():  # statistics as a trained net has them, and not the 0 and 1 of a new one
        for module in peer.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 1.5)
    return netspec.load(SPECS / f"{request.param}.net"), peer


def test_state_dict_is_the_same_key_for_key(pair: tuple[netspec.Graph, nn.Module]) -> None:
    graph, peer = pair
    ours = {key: (tuple(weight.shape), weight.dtype) for key, weight, _ in graph.weights()}
    theirs = {key: (tuple(t.shape), str(t.dtype).removeprefix("torch.")) for key, t in peer.state_dict().items()}
    assert ours == theirs


def test_macs_equal_a_count_of_the_real_model(pair: tuple[netspec.Graph, nn.Module]) -> None:
    graph, _ = pair
    with torch.device("meta"):
        meta = PEERS[graph.name.lower()]().eval()
    with FlopCounterMode(display=False) as counter:
        meta(torch.empty(1, *graph.inputs[0].output, device="meta"))
    assert counter.get_total_flops() == 2 * graph.macs


def test_outputs_equal_torchvision_and_onnxruntime(pair: tuple[netspec.Graph, nn.Module], tmp_path: Path) -> None:
    graph, peer = pair
    net = netspec.build(graph)
    net.load_state_dict(peer.state_dict(), strict=True)
    net.eval()
    image = torch.randint(0, 256, (2, *graph.inputs[0].output), generator=torch.Generator().manual_seed(1)).float()
    with torch.inference_mode():
        theirs = peer((image / 255 - MEAN) / STD)
        ours = net(image)
    _assert_close(ours.numpy(), theirs.numpy())
    netspec.export(graph, peer.state_dict(), tmp_path / "net.onnx")
    session = open_session(tmp_path / "net.onnx")
    exported = session.run(None, {session.get_inputs()[0].name: image.numpy()})[0]
    _assert_close(exported, theirs.numpy())


def _assert_close(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Equal within 1e-5 of the largest output."""
    assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()
