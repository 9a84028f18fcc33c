"""Nets with open sizes, built, exported, drawn and asked: one module and one file for every size that is accepted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from netspec.backends.dot import to_dot
from netspec.backends.onnx import export, open_session, read_onnx_metadata
from netspec.backends.torch import build
from netspec.cli.main import run
from netspec.compiler import compile_source
from netspec.data import Wanted, wanted_data
from netspec.diagnostics import NetspecError
from netspec.graph import Graph
from netspec.inference import SpecModel, evaluate, predict
from netspec.report.figures import outline, rows, table
from netspec.source import Source
from netspec.training.stages import lessons

UNET = """
block twice(width) { conv(width, 3, padding=1, bias=false) -> bn -> relu -> conv(width, 3, padding=1, bias=false) -> bn -> relu }

net UNet(classes = 2) {
    image: input(3xHxW)
    preprocess { scale(1/255) }
    e1: twice(4)
    maxpool(2) -> e2: twice(8)
    maxpool(2) -> e3: twice(8)
    maxpool(2) -> e4: twice(8)
    maxpool(2) -> twice(8)
    conv_transpose(8, 2, stride=2) -> concat(e4) -> twice(8)
    upsample(2, mode=bilinear) -> concat(e3) -> twice(8)
    conv_transpose(8, 2, stride=2) -> concat(e2) -> twice(4)
    upsample(2) -> concat(e1) -> twice(4)
    mask: conv(classes, 1)
}
"""
CLASSIFIER = """
net Pets {
    image: input(3xHxW)
    conv(4, 3, stride=2, padding=1) -> relu -> residual { maxpool(2) -> upsample(2) }
    adaptive_avgpool(3) -> flatten -> linear(3)
}
"""


def compiled(text: str, **sizes: int) -> Graph:
    return compile_source(Source("a.net", text), **sizes)[0]


@pytest.fixture(scope="module")
def unet() -> Graph:
    return compiled(UNET)


@pytest.fixture
def weights(unet: Graph) -> dict[str, Any]:
    torch.manual_seed(0)
    return build(unet).state_dict()


def test_a_fully_convolutional_net_runs_at_three_sizes_as_in_pytorch(unet: Graph, weights: dict[str, Any], tmp_path: Path) -> None:
    target = tmp_path / "unet.onnx"
    assert export(unet, weights, target).max_rel < 1e-5
    session, net = open_session(str(target)), build(unet, weights).eval()
    assert session.get_inputs()[0].shape == ["batch", 3, "H", "W"]
    assert session.get_outputs()[0].shape == ["batch", 2, "H", "W"]
    assert unet.sizes is not None and str(unet.sizes.rules["H"]) == "a multiple of 16"
    for height, width in ((32, 48), (64, 16), (112, 80)):
        x = torch.randint(0, 256, (2, 3, height, width)).float()
        with torch.inference_mode():
            expected = net(x).numpy()
        found = session.run(None, {"image": x.numpy()})[0]
        assert found.shape == expected.shape == (2, 2, height, width)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * float(np.abs(expected).max()))


def test_the_module_is_that_of_each_size(unet: Graph, weights: dict[str, Any]) -> None:
    plain = build(compiled(UNET, H=32, W=48), weights).eval()
    x = torch.rand(1, 3, 32, 48)
    assert torch.equal(build(unet, weights).eval()(x), plain(x))


def test_sizes_that_are_refused_say_why_and_where(unet: Graph, weights: dict[str, Any]) -> None:
    net = build(unet, weights)
    net(torch.rand(2, 3, 16, 32))
    with pytest.raises(NetspecError) as caught:
        net(torch.rand(2, 3, 40, 32))
    said = caught.value.diagnostics[0]
    assert (said.code, str(said.place)) == ("N830", "a.net:12:39")
    assert "the net does not take H = 40 and W = 32: `concat` joins along axis 0" in said.message
    assert [*said.problem.notes()] == ["H must be a multiple of 16"]
    assert said.problem.help() == "resize or pad to H = 32 or 48"
    with pytest.raises(NetspecError, match="must be a batch of 3xHxW, float or uint8, and is of shape"):
        net(torch.rand(2, 1, 16, 32))
    with pytest.raises(NetspecError, match="must be a batch of 3xHxW"):
        net(torch.rand(3, 16, 32))


def test_inputs_of_one_letter_have_one_size() -> None:
    net = build(compiled("net A { left: input(3xHxW)\nright: input(1xHxW) -> concat(left) -> conv(2, 1) }"))
    assert net(torch.rand(1, 3, 5, 6), torch.rand(1, 1, 5, 6)).shape == (1, 2, 5, 6)
    with pytest.raises(NetspecError, match=r"input `right` must be a batch of 1xHxW.*where H is 5, where W is 6"):
        net(torch.rand(1, 3, 5, 6), torch.rand(1, 1, 5, 7))


def test_a_size_that_follows_from_another() -> None:
    text = "net A { image: input(3xHxW)\nsmall: maxpool(2)\nhalf: input(small.shape) -> add(small) }"
    net = build(compiled(text))
    assert net(torch.rand(1, 3, 5, 6), torch.rand(1, 3, 2, 3)).shape == (1, 3, 2, 3)
    with pytest.raises(NetspecError, match="input `half` must be a batch of"):
        net(torch.rand(1, 3, 5, 6), torch.rand(1, 3, 3, 3))


def test_what_needs_one_size_in_pytorch_is_refused_where_it_stands() -> None:
    text = "net A { image: input(3xHxW)\nflatten(start=1) -> transpose -> rms_norm(over=channels, affine=false) }"
    with pytest.raises(NetspecError) as caught:
        build(compiled(text))
    assert (caught.value.diagnostics[0].code, str(caught.value.diagnostics[0].place)) == ("N831", "a.net:2:34")
    assert build(compiled(text, H=4, W=5))(torch.rand(1, 3, 4, 5)).shape == (1, 20, 3)


def test_training_needs_a_size(tmp_path: Path) -> None:
    with pytest.raises(NetspecError) as caught:
        asked(compiled(CLASSIFIER))
    assert caught.value.diagnostics[0].code == "N832"
    assert caught.value.diagnostics[0].problem.help() == "set it: --set H=224 --set W=224"
    assert asked(compiled(CLASSIFIER, H=20, W=32)).inputs[0].shape == (3, 20, 32)


def asked(graph: Graph) -> Wanted:
    return wanted_data(graph, lessons(graph)[-1].learned)


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    chance = np.random.default_rng(0)
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path, size in zip(paths, ((16, 20), (31, 12), (44, 44)), strict=True):
        Image.fromarray(chance.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    return paths


def test_prediction_takes_each_picture_in_its_own_size(pictures: list[Path], tmp_path: Path) -> None:
    graph = compiled(CLASSIFIER)
    torch.manual_seed(0)
    net = build(graph).eval()
    file = tmp_path / "pets.onnx"
    export(graph, net.state_dict(), file, classes=["cat", "dog", "hamster"])
    found = predict(file, pictures)
    for path, answer in zip(pictures, found, strict=True):
        pixels = torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)[None].float()
        with torch.inference_mode():
            expected = torch.softmax(net(pixels)[0], 0)
        assert answer.probability == pytest.approx(float(expected.max()), rel=1e-4)
        assert answer.label == ("cat", "dog", "hamster")[int(expected.argmax())]


def test_prediction_says_which_picture_is_refused(pictures: list[Path], tmp_path: Path) -> None:
    odd = tmp_path / "odd.png"
    Image.new("RGB", (18, 20)).save(odd)
    graph = compiled(CLASSIFIER)
    weights = tmp_path / "w.safetensors"
    from netspec.backends.torch.weights import write_weights

    write_weights(weights, build(graph).state_dict())
    file = tmp_path / "pets.onnx"
    export(graph, build(graph).state_dict(), file, classes=["cat", "dog", "hamster"])
    for model in (SpecModel(graph, str(weights), "cpu"), file):
        with pytest.raises(NetspecError) as caught:
            predict(model, [pictures[0], odd])
        said = caught.value.diagnostics[0]
        assert said.code == "N830" and said.problem.exit == 3
        assert said.message.startswith(f"{odd}: the net does not take H = 20 and W = 18")
        assert "W must be 0 or 3 more than a multiple of 4" in [*said.problem.notes()]
        with pytest.raises(NetspecError, match="leaves the size of its input open, and an evaluation"):
            evaluate(model, tmp_path)


@pytest.mark.parametrize("said", ["[]", "nonsense", '{"H": {}}', '{"H": {"period": 0, "residues": [0], "settled": 1, "early": []}}'])
def test_a_model_that_lies_about_its_sizes_is_refused(said: str, pictures: list[Path], tmp_path: Path) -> None:
    import onnx

    graph = compiled(CLASSIFIER)
    file = tmp_path / "pets.onnx"
    export(graph, build(graph).state_dict(), file, classes=["cat", "dog", "hamster"])
    assert json.loads(read_onnx_metadata(str(file))["netspec.sizes"])["H"]["period"] == 4
    model = onnx.load(str(file))
    next(p for p in model.metadata_props if p.key == "netspec.sizes").value = said
    onnx.save(model, str(file))
    with pytest.raises(NetspecError, match="what it says of its open sizes is no such thing"):
        predict(file, pictures)


def test_reports_show_formulas(unet: Graph) -> None:
    found = outline(unet)
    assert (found["inputs"], found["outputs"]) == ({"image": [3, "H", "W"]}, {"mask": [2, "H", "W"]})
    assert found["macs"].endswith(" H W/2")
    rule = json.loads(json.dumps(found))["sizes"]["rules"]["W"]
    assert rule == {"period": 16, "residues": [0], "settled": 1, "early": [], "must": "a multiple of 16"}
    assert json.loads(json.dumps([found, rows(unet)]))
    assert [8, "H/16", "W/16"] in [row["output"] for row in rows(unet)]
    assert "8 x H/16 x W/16" in table(unet)
    assert "8 × H/16 × W/16" in to_dot(unet)


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "unet.net"
    spec.write_text(UNET, "utf-8")
    assert run(["check", str(spec)]) == 0
    said = capsys.readouterr().out
    assert "UNet: image 3xHxW -> mask 2xHxW" in said
    assert "H and W must each be a multiple of 16: with H = 17, `concat` joins along axis 0" in said
    assert run(["check", str(spec), "--set", "H=32", "--set", "W=48"]) == 0
    assert "UNet: image 3x32x48 -> mask 2x32x48" in capsys.readouterr().out
    assert run(["check", str(spec), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sizes"]["symbols"] == ["H", "W"]
    assert run(["summary", str(spec)]) == 0
    assert "H/16" in capsys.readouterr().out
    assert run(["train", str(spec), "--data", str(tmp_path)]) == 1
