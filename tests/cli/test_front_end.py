"""What `check`, `summary`, `layers`, `explain` and `new` print, word for word, and how they end."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from netspec.cli.main import COMMANDS, run
from netspec.layer import layers
from netspec.resources import folder
from tests.cli.program import ENVIRONMENT, netspec
from tests.errors.pages import pages

Golden = Callable[[str, str], None]
SPECS = sorted(p.stem for p in folder("specs").glob("*.net"))
GOOD = "net A { image: input(1x8x8)\nconv(4, 3) -> relu -> flatten -> linear(2) }\n"


@pytest.fixture(autouse=True)
def _in_the_specs_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("COLUMNS", "NO_COLOR", "TERM"):
        monkeypatch.setenv(name, ENVIRONMENT[name])
    monkeypatch.chdir(folder("specs"))
    yield


@pytest.mark.parametrize("command", ["check", "summary", "layers", "explain", "new"])
def test_help(command: str, capsys: pytest.CaptureFixture[str], golden: Golden) -> None:
    assert run([command, "--help"]) == 0
    golden(f"cli/{command}-help.txt", capsys.readouterr().out)


def test_help_of_the_program_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {command} " in out for command in COMMANDS)


@pytest.mark.parametrize("spec", SPECS)
def test_check(spec: str, capsys: pytest.CaptureFixture[str], golden: Golden) -> None:
    assert run(["check", f"{spec}.net"]) == 0
    shown = capsys.readouterr()
    golden(f"cli/check-{spec}.txt", shown.out)
    assert shown.err == ""


def test_check_with_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "vgg16.net", "--net", "VGG16Features", "--set", "size=180"]) == 0
    out = capsys.readouterr().out
    assert "features 512x5x5" in out
    assert "expectations of the file not checked, since parameters were set" in out


def test_check_as_json(capsys: pytest.CaptureFixture[str], golden: Golden) -> None:
    assert run(["check", "vgg16.net", "--json"]) == 0
    text = capsys.readouterr().out
    golden("cli/check-vgg16.json", text)
    assert [n["name"] for n in json.loads(text)["nets"]] == ["VGG16", "VGG16Features"]


def test_check_of_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], golden: Golden, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wrong.net").write_text("net A { image: input(1x8x8)\nconv(4, kernal=3) -> rleu\nflatten -> linear(2) }\n")
    assert run(["check", "wrong.net"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    golden("cli/check-wrong.txt", shown.err)
    assert run(["check", "wrong.net", "--json"]) == 1
    golden("cli/check-wrong.json", capsys.readouterr().out)


def test_a_warning_is_shown_and_is_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "a.net"
    spec.write_text("net A { image: input(1x8x8)\nStem: relu\nstem: relu\nflatten -> linear(2) }\n")
    assert run(["check", str(spec)]) == 0
    shown = capsys.readouterr()
    assert shown.err.startswith("warning[N313]")
    assert shown.out.startswith("A: image 1x8x8 -> output 2")
    assert run(["check", str(spec), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["ok"], [(d["code"], d["severity"], d["line"]) for d in data["diagnostics"]]) == (True, [("N313", "warning", 3)])


def test_summary(capsys: pytest.CaptureFixture[str], golden: Golden) -> None:
    assert run(["summary", "lenet5.net"]) == 0
    golden("cli/summary-lenet5.txt", capsys.readouterr().out)
    assert run(["summary", "resnet50.net", "--set", "classes=5", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert (rows[-1]["path"], rows[-1]["output"], rows[-1]["parameters"]) == ("fc", [5], 10245)
    assert run(["summary", "no.net"]) == 2


def test_summary_marks_what_is_frozen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.net").write_text("net A { image: input(1x8x8)\nbase: frozen conv(4, 3)\nflatten -> linear(2) }\n")
    assert run(["summary", str(tmp_path / "a.net")]) == 0
    assert "* frozen: 290 of 330 parameters are trainable" in capsys.readouterr().out


def test_summary_marks_what_is_for_training_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.net").write_text(
        "net A { image: input(1x8x8)\nstem: conv(4, 3)\nflatten -> main: linear(2)\nstem -> flatten -> aux: linear(2)\n"
        "output(main)\nauxiliary(aux, weight=0.3) }\n"
    )
    assert run(["summary", str(tmp_path / "a.net")]) == 0
    shown = capsys.readouterr().out
    assert "+ auxiliary: for training alone, and not in the sum of the MACs, which is that of inference" in shown
    assert [line.split()[0] for line in shown.splitlines() if line.endswith(" +")] == ["3", "aux"]
    assert run(["summary", str(tmp_path / "a.net"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    inferred = sum(row["macs"] for row in rows if not row["auxiliary"])
    assert run(["check", str(tmp_path / "a.net"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["macs"] == inferred


def test_weights_that_are_not_there_are_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = 'block b(c) { conv(c, 3) }\nnet A { image: input(1x8x8)\nb(4, weights="%s")\nflatten -> linear(2) }\n'
    spec = tmp_path / "a.net"
    spec.write_text(text % "b.npz")
    assert run(["check", str(spec)]) == 0
    shown = capsys.readouterr()
    assert shown.err.startswith("warning[N828]: there is no file b.npz beside the spec")
    assert "a.net:3:14" in shown.err
    (tmp_path / "b.npz").write_bytes(b"not read")
    assert run(["check", str(spec)]) == 0
    assert capsys.readouterr().err == ""
    spec.write_text(text % "netspec:resnet51")
    assert run(["check", str(spec)]) == 4
    assert capsys.readouterr().err.startswith("error[N822]: there is no published checkpoint named resnet51")
    spec.write_text(text % "netspec:resnet50")
    assert run(["check", str(spec)]) == 0
    assert capsys.readouterr().err == ""


def test_layers(capsys: pytest.CaptureFixture[str], golden: Golden) -> None:
    assert run(["layers"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out for name in layers())
    assert run(["layers", "conv"]) == 0
    golden("cli/layers-conv.txt", capsys.readouterr().out)
    assert run(["layers", "Conv2D"]) == 0
    assert capsys.readouterr().out.startswith("`Conv2D` is called `conv` here\n\nconv(channels, kernel")
    assert run(["layers", "conv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["arguments"][0]["name"] == "channels"
    assert run(["layers", "cnov"]) == 2
    assert "did you mean conv?" in capsys.readouterr().err


@pytest.mark.parametrize("code", ["N203", "n203", "203"])
def test_explain(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", code]) == 0
    assert capsys.readouterr().out == pages()["N203"].path.read_text("utf-8")


@pytest.mark.parametrize("code", ["N999", "999", "0203", "../N203", "N203\n", "\x1b[31m", ""])
def test_explain_of_what_is_no_code(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", code]) == 2
    assert "\x1b" not in (err := capsys.readouterr().err)
    assert err.startswith("error[N021]")


def test_explain_lists_every_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain"]) == 0
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == sorted(pages())


def test_new(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["new", "lenet5.net"]) == 0
    assert Path("lenet5.net").read_text("utf-8") == (folder("specs") / "lenet5.net").read_text("utf-8")
    assert "netspec check lenet5.net" in capsys.readouterr().out
    assert run(["new", "lenet5.net"]) == 2
    assert run(["new", "pets.net", "--from", "resnet50"]) == 0
    assert run(["check", "pets.net"]) == 0
    assert run(["new", "first.net"]) == 0
    assert run(["new", "pets.txt"]) == 2
    assert run(["new", "other.net", "--from", "resnet51"]) == 2
    assert "did you mean resnet50?" in capsys.readouterr().err
    assert run(["new", "nowhere/a.net"]) == 5
    assert capsys.readouterr().err.startswith("error[N025]")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["first.net", "lenet5.net", "pets.net"]


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["check"], 2),
        (["check", "no.net"], 2),
        (["check", "."], 2),
        (["check", "/dev/null"], 2),
        (["check", "a\0b.net"], 5),
        (["check", "lenet5.net", "--set", "classes"], 2),
        (["check", "lenet5.net", "--set", "=5"], 2),
        (["check", "lenet5.net", "--set", "clases=5"], 1),
        (["check", "lenet5.net", "--net", "LeNet"], 1),
        (["check", "lenet5.net", "--max-bytes", "10"], 1),
        (["check", "lenet5.net", "--max-nodes", "5"], 1),
        (["check", "lenet5.net", "--max-nodes", "0"], 2),
        (["check", "lenet5.net", "--unheard"], 2),
        (["check", "-x.net"], 2),
        (["chekc", "lenet5.net"], 2),
    ],
)
def test_wrong_usage(arguments: list[str], exit_code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == exit_code
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    assert "rror" in shown.err
    assert shown.out == ""


def test_near_names_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "lenet.net"]) == 2
    assert "beside it is lenet5.net" in capsys.readouterr().err
    assert run(["check", str(folder("specs"))]) == 2
    assert "in it are" in capsys.readouterr().err


@pytest.mark.parametrize("code", ["N001", "N020", "N021", "N022", "N023", "N025", "N407"])
def test_pages_show_what_the_program_prints(
    code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(["new", "lenet5.net"])
    capsys.readouterr()
    page = pages()[code]
    program, *arguments = shlex.split(page.blocks("When", "sh")[0].splitlines()[-1])
    assert program == "netspec"
    assert run(arguments) in {1, 2, 5}
    shown = capsys.readouterr().err
    lines = page.output.splitlines()
    assert [shown.splitlines()[0], shown.splitlines()[-1].strip()] == [lines[0], lines[-1].strip()]


# ---- in a process of its own


def test_standard_input_and_strange_paths(tmp_path: Path) -> None:
    assert netspec("check", "-", given=GOOD.encode()).returncode == 0
    wrong = netspec("check", "-", given=b"net A { rleu }")
    assert wrong.returncode == 1
    assert b"--> <stdin>:1:9" in wrong.stderr
    for name in (b"-x.net", b"a\nb.net", b"\xff\x1b[31m.net"):
        (tmp_path / os.fsdecode(name)).write_text(GOOD)
        assert netspec("check", "--", name, folder=tmp_path).returncode == 0
        (tmp_path / os.fsdecode(name)).write_text("net A { rleu }")
        shown = netspec("check", "--", name, folder=tmp_path)
        assert shown.returncode == 1
        assert b"\x1b" not in shown.stderr
        assert b"error[N309]" in shown.stderr or b"error[N301]" in shown.stderr


def test_a_closed_pipe_is_no_crash() -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "netspec", "summary", "specs/googlenet.net"], cwd=folder("specs").parent, env=ENVIRONMENT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    err = child.stderr.read()
    child.stderr.close()
    assert child.wait(30) in {0, 1, 5}
    assert b"Traceback" not in err


LOADED = """
import sys
from netspec.cli.main import run
code = run(sys.argv[1:])
heavy = {"torch", "onnx", "onnxruntime", "numpy", "PIL", "lark", "rich", "matplotlib", "safetensors", "graphviz"}
print(sorted(heavy & set(sys.modules)), code, file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", f"{folder('specs')}/resnet50.net"],
        ["summary", f"{folder('specs')}/lenet5.net"],
        ["new", "lenet5.net"],
        ["render", "--help"],
        ["layers"],
        ["explain"],
        ["check", f"{folder('specs')}/lenet5.net", "--json"],
    ],
)
def test_nothing_heavy_is_loaded(tmp_path: Path, arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", LOADED, *arguments], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "[] 0"
