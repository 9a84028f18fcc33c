"""Weights on the command line: where each tensor goes, files written anew, prediction and export with them, and training from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from netspec.backends.torch import build, read_weights, write_weights
from netspec.diagnostics import NetspecError
from netspec.inference import SpecModel, predict
from tests.weights.files import KERAS, SPEC, Command, command, net, save


@pytest.fixture
def do(capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.net").write_text(SPEC.replace("2x6x6", "3x6x6"))
    state = build(net((tmp_path / "small.net").read_text())).state_dict()
    save(state, tmp_path / "small.pth", "torch")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (9, 7, 3), np.uint8)).save(tmp_path / "picture.png")
    return command(capsys)


# --- netspec weights --------------------------------------------------------------------------------------------------------------


def test_the_table_of_a_mapping(do: Command) -> None:
    code, out, err = do("weights", KERAS / "nets.net", KERAS / "kinds.h5", "--map", "order", "--net", "Kinds")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["in", "the", "file", "shape", "in", "the", "net", "shape", "done"]
    assert lines[2] == ["model_weights/c1/sequential/c1/kernel", "3x2x2x4", "0.weight", "4x2x3x2", "HWIO", "->", "OIHW"]
    assert "note: the file has channels last, as Keras': only so do the shapes fit" in out


def test_the_table_of_the_documentation_is_this_one(do: Command) -> None:
    page = (KERAS.parents[2] / "docs" / "weights.md").read_text("utf-8")
    shown = page[page.index("```text\nin the file") :].split("```")[1].splitlines()[1:]
    out = do("weights", KERAS / "nets.net", KERAS / "kinds.h5", "--map", "order", "--net", "Kinds")[1].splitlines()
    assert len(shown) > 6
    assert all(line in out for line in shown if line != "…")


def test_the_table_for_programs(do: Command) -> None:
    code, out, _ = do("weights", "small.net", "small.pth", "--json")
    found = json.loads(out)
    assert code == 0
    assert [row["key"] for row in found["rows"]] == list(read_weights("small.pth"))
    assert found["rows"][0] == {
        "from": "0.weight", "shape": [4, 3, 3, 3], "key": "0.weight", "wanted": [4, 3, 3, 3], "done": None, "why": None,
    }  # fmt: skip


def test_a_mapped_file_is_written_under_the_nets_keys(do: Command, tmp_path: Path) -> None:
    arguments = ("weights", KERAS / "nets.net", KERAS / "branches.h5", "--net", "Branches", "--map", "order", "--out", "new.safetensors")
    code, out, _ = do(*arguments)
    assert (code, "wrote new.safetensors: 20 tensors under the net's keys" in out) == (0, True)
    assert do("weights", KERAS / "nets.net", "new.safetensors", "--net", "Branches")[0] == 0
    code, _, err = do(*arguments)
    assert (code, "new.safetensors exists" in err) == (2, True)
    assert do(*arguments, "--force")[0] == 0
    assert do(*arguments[:-1], str(KERAS / "branches.h5"), "--force")[0] == 2, "over its own input"


def test_what_a_spec_asks_for_is_shown(do: Command, tmp_path: Path) -> None:
    (tmp_path / "user.net").write_text(
        'block trunk { conv(4, 3, padding=1, bias=false) -> bn }\nnet User {\n image: input(3x6x6)\n t: trunk(weights="part.pth")\n'
        " flatten -> linear(2)\n}"
    )
    state = read_weights("small.pth")
    save({k: t for k, t in state.items() if k.startswith(("0.", "1."))}, tmp_path / "part.pth", "torch")
    code, out, _ = do("weights", "user.net")
    assert code == 0
    assert "t from part.pth\n" in out
    assert "start fresh: 2 tensors: 2.weight, 2.bias" in out
    found = json.loads(do("weights", "user.net", "--json")[1])
    assert found["fresh"] == ["2.weight", "2.bias"]
    assert [len(part["rows"]) for part in found["parts"]] == [6]
    assert "start fresh: 7 tensors" in do("weights", "small.net")[1]
    code, _, err = do("export", "user.net", "--onnx", "u.onnx")
    assert (code, "no weights for 2 tensors, which get fresh random ones" in err) == (0, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--map", "names"),
        ("--pair", "a=b"),
        ("--as-written",),
        ("--map", "order", "--pair", "ab"),
        ("--map", "order", "--pair", "=b"),
    ],
)
def test_what_is_not_said_right(do: Command, arguments: tuple[str, ...]) -> None:
    assert do("weights", "small.net", "small.pth", *arguments)[0] == 2
    assert do("weights", "small.net", "--out", "w")[0] == 2


# --- prediction, export -------------------------------------------------------------------------------------------------------------


def test_prediction_with_a_file_of_weights(do: Command, tmp_path: Path) -> None:
    code, out, err = do("predict", "small.net", "picture.png", "--weights", "small.pth", "--json", "--device", "cpu")
    assert code == 0
    assert err == "note: nothing names the classes, so they are called by their numbers; --labels FILE gives names, one a line\n"
    (answer,) = json.loads(out)
    assert {entry["label"] for entry in answer["top"]} == {"0", "1", "2"}
    (tmp_path / "names.txt").write_text("ant\ncät\r\n\x1b[31mzebra\n")
    code, out, _ = do("predict", "small.net", "picture.png", "--weights", "small.pth", "--labels", "names.txt", "--device", "cpu")
    assert code == 0
    assert "\x1b[31m" not in out, "shown escaped"
    assert "\\x1b[31mzebra" in out
    write_weights("named.safetensors", read_weights("small.pth"), {"netspec.classes": '["a", "b", "c"]'})
    found = predict(SpecModel(net((tmp_path / "small.net").read_text()), "named.safetensors", "cpu"), "picture.png")
    assert {entry.label for entry in found[0].top} == {"a", "b", "c"}


def test_a_net_without_weights_predicts_nothing(do: Command) -> None:
    code, _, err = do("predict", "small.net", "picture.png")
    assert code == 4
    assert "Small has no weights for 7 tensors" in err
    assert "0.weight (small.net:3:5)" in err


def test_labels_that_do_not_go_with_the_net(do: Command, tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text("a\nb\n")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    (tmp_path / "long.txt").write_bytes(b"x" * (5 * 2**20))
    given = ("predict", "small.net", "picture.png", "--weights", "small.pth", "--labels")
    for name, words in (
        ("two.txt", "has 2 class labels for 3 outputs"),
        ("latin.txt", "not text in UTF-8"),
        ("long.txt", "at most"),
        ("none", "No such file"),
    ):
        code, _, err = do(*given, name)
        assert (code, words in err) == (4, True), err
    assert do("predict", "small.net", "picture.png", "--labels", "two.txt", "--weights", "none")[0] == 4


def test_options_of_specs_go_with_specs(do: Command, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for option in (("--weights", "w"), ("--labels", "l"), ("--set", "classes=3"), ("--net", "N")):
        assert do("predict", "run", "picture.png", *option)[0] == 2
        assert do("eval", "run", "--data", ".", *option)[0] == 2


def test_evaluation_with_a_file_of_weights(do: Command, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(2):
            Image.new("RGB", (6, 6), (40 * i, 80, 7)).save(tmp_path / "data" / name / f"{i}.png")
    (tmp_path / "names.txt").write_text("a\nb\nc\n")
    given = ("eval", "small.net", "--data", "data", "--weights", "small.pth", "--json", "--device", "cpu")
    code, out, _ = do(*given, "--labels", "names.txt")
    assert (code, json.loads(out)["images"]) == (0, 6)
    assert do(*given)[0] == 3, "the classes of the data are not called 0, 1, 2"


def test_labels_go_into_an_exported_model_and_beside_it(do: Command, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("ant\nbear\ncat\n")
    (tmp_path / "two.txt").write_text("a\nb\n")
    given = ("export", "small.net", "--weights", "small.pth", "--onnx")
    assert do(*given, "named.onnx", "--labels", "names.txt")[0] == 0
    assert do(*given, "plain.onnx")[0] == 0
    assert do(*given, "wrong.onnx", "--labels", "two.txt")[0] == 4
    assert not (tmp_path / "wrong.onnx").exists()
    predicted = {}
    for name, more in (("named", ()), ("plain", ()), ("plain", ("--labels", "names.txt"))):
        code, out, err = do("predict", f"{name}.onnx", "picture.png", "--json", "--device", "cpu", *more)
        assert (code, "by their numbers" in err) == (0, name == "plain" and not more)
        predicted[name, bool(more)] = {entry["label"]: entry["probability"] for entry in json.loads(out)[0]["top"]}
    assert set(predicted["plain", False]) == {"0", "1", "2"}
    assert set(predicted["named", False]) == {"ant", "bear", "cat"}
    assert predicted["named", False] == predicted["plain", True]
    assert do("predict", "plain.onnx", "picture.png", "--labels", "two.txt")[0] == 4
    (tmp_path / "run").mkdir()
    assert do("export", "run", "--onnx", "r.onnx", "--labels", "names.txt")[0] == 2


@pytest.mark.parametrize("form", ["safetensors", "npz", "h5"])
def test_export_reads_every_format_and_other_names(do: Command, tmp_path: Path, form: str) -> None:
    state = read_weights("small.pth")
    save(state, tmp_path / "w", form)
    assert do("export", "small.net", "--weights", "w", "--onnx", "a.onnx")[0] == 0
    assert do("export", "small.net", "--weights", "small.pth", "--onnx", "b.onnx")[0] == 0
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    kernel = {
        "c/kernel": "0.weight",
        "n/gamma": "1.weight",
        "n/beta": "1.bias",
        "n/moving_mean": "1.running_mean",
        "n/moving_variance": "1.running_var",
    }
    arrays = {k: state[v].numpy().transpose(2, 3, 1, 0) if v == "0.weight" else state[v].numpy() for k, v in kernel.items()}
    dense = state["fc.weight"].numpy().reshape(3, 4, 3, 3).transpose(2, 3, 1, 0).reshape(36, 3)
    np.savez(tmp_path / "k.npz", **arrays, **{"d/kernel": dense, "d/bias": state["fc.bias"].numpy()})
    assert do("export", "small.net", "--weights", "k.npz", "--map", "order", "--onnx", "c.onnx")[0] == 0
    assert (tmp_path / "c.onnx").read_bytes() == (tmp_path / "a.onnx").read_bytes()


def test_export_of_a_spec_keeps_the_classes_that_its_weights_name(do: Command) -> None:
    from netspec.backends.onnx.session import read_onnx_metadata

    write_weights("named.safetensors", read_weights("small.pth"), {"netspec.classes": '["a", "b", "c"]'})
    assert do("export", "small.net", "--weights", "named.safetensors", "--onnx", "n.onnx")[0] == 0
    assert json.loads(read_onnx_metadata(Path("n.onnx"))["netspec.classes"]) == ["a", "b", "c"]


# --- training -----------------------------------------------------------------------------------------------------------------------


def test_a_training_starts_from_the_file_and_goes_on_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from netspec.compiler import load
    from netspec.training import load_run, train
    from tests.training.nets import write_data

    monkeypatch.chdir(tmp_path)
    data = write_data(tmp_path, train=24, val=0, test=6)
    shape = "1x" + "x".join(map(str, np.load(data)["x_train"].shape[1:3]))
    (tmp_path / "t.net").write_text(
        "block trunk { conv(3, 3, padding=1) -> bn -> relu }\n"
        f'net T(classes = 3) {{\n image: input({shape})\n preprocess {{ scale(1/255) }}\n base: frozen trunk(weights="w.pth")\n'
        " global_avgpool -> flatten -> linear(classes)\n}\ntrain { epochs = 1, batch = 8 }\n"
    )
    given = {"0.weight": torch.rand(3, 1, 3, 3), "0.bias": torch.rand(3), "1.weight": torch.rand(3), "1.bias": torch.rand(3),
             "1.running_mean": torch.rand(3), "1.running_var": torch.rand(3)}  # fmt: skip
    torch.save(given, tmp_path / "w.pth")
    said = _console()
    train(load("t.net"), data, out="run", device="cpu", console=said)
    assert "base starts from w.pth: 7 tensors; all else starts fresh" in said.export_text()
    (tmp_path / "w.pth").unlink()
    kept = load_run(Path("run")).weights()
    assert all(torch.equal(kept[f"base.{k}"], t) for k, t in given.items()), "frozen, to the last bit"
    assert predict("run", _picture(tmp_path), device="cpu")
    record = json.loads(Path("run/run.json").read_text()) | {"status": "interrupted"}
    Path("run/run.json").write_text(json.dumps(record))
    train(load("t.net"), data, out="run", resume=True, device="cpu")
    with pytest.raises(NetspecError, match="cannot be read"):
        train(load("t.net"), data, out="another", device="cpu")
    assert not Path("another").exists() or not list(Path("another").glob("*.safetensors"))


def _console() -> Any:
    from rich.console import Console

    return Console(record=True, width=200, force_terminal=False)


def _picture(folder: Path) -> Path:
    Image.new("L", (8, 8), 90).save(folder / "p.png")
    return folder / "p.png"
