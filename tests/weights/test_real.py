"""Real weights on real pictures. ``NETSPEC_DATA`` names a folder with them; without it these tests are left out.

- ``weights/mobilenet_v2-b0353104.pth``: torchvision's own, of https://download.pytorch.org/models/mobilenet_v2-b0353104.pth
- ``imagenet20/imagenet_NN_CLASS.jpg``: twenty pictures of ImageNet, with the number of the class in the name
- ``weights/vgg16_features.npz``: the convolutions of VGG-16 trained on ImageNet, under torchvision's names
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netspec.backends.checkpoints import checkpoint
from netspec.backends.torch import build
from netspec.compiler import compile_source
from netspec.resources import folder
from netspec.source import Source
from tests.weights.files import command

DATA = Path(os.environ.get("NETSPEC_DATA", "/nowhere"))
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="set NETSPEC_DATA to a folder with real weights and pictures")


def needed(name: str) -> Path:
    if not (DATA / name).exists():
        pytest.skip(f"there is no {name} in NETSPEC_DATA")
    return DATA / name


def test_mobilenet_v2_knows_at_least_eighteen_of_twenty(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, pictures = needed("weights/mobilenet_v2-b0353104.pth"), needed("imagenet20")
    spec = folder("specs") / "mobilenet_v2.net"
    monkeypatch.setenv("NETSPEC_CACHE", str(weights.parent))
    monkeypatch.setenv("NETSPEC_OFFLINE", "1")
    for given in (weights, "netspec:mobilenet_v2"):
        code, out, err = command(capsys)("predict", spec, pictures, "--weights", given, "--json", "--device", "cpu")
        assert (code, err) == (0, "")
        answers = json.loads(out)
        assert len(answers) == 20
        right = sum(Path(a["file"]).stem.rpartition("_")[2].lstrip("0") == a["label"] for a in answers)
        assert right >= 18
    assert len(checkpoint("mobilenet_v2").sha256) == 64


@pytest.mark.parametrize("spec", ["vgg", "vgg16"])
def test_the_convolutions_of_vgg16_load_into_their_part(spec: str, tmp_path: Path) -> None:
    needed("weights/vgg16_features.npz")
    text = f"""\
use VGG16 from "netspec:{spec}"
net CatsDogs {{
    image: input(3x64x64)
    base: frozen VGG16.features(weights="weights/vgg16_features.npz")
    flatten -> linear(2)
}}
"""
    graph = compile_source(Source("cats_dogs.net", text, str(DATA.resolve())))[0]
    state = build(graph).state_dict()
    arrays = np.load(DATA / "weights" / "vgg16_features.npz")
    assert len(arrays.files) == 26
    assert all(np.array_equal(state[f"base.{key.removeprefix('features.')}"].numpy(), arrays[key]) for key in arrays.files)
