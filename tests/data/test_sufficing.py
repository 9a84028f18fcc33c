"""Whatever training would refuse about data with some settings is told by `check --data`, in the same words."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.cli.main import run
from netspec.diagnostics import Exit
from tests.data.pictures import write_folder

NORMED = "conv(4, 3) -> relu -> global_avgpool -> flatten -> linear(2) -> bn"
PLAIN = "conv(4, 3) -> relu -> global_avgpool -> flatten -> linear(2)"


def spec(root: Path, body: str, train: str) -> str:
    path = root / "photos.net"
    path.write_text(f"net Photos {{ image: input(3x8x8)\n {body} }}\ntrain {{ epochs = 1, batch = 4, {train} }}")
    return str(path)


@pytest.mark.parametrize(
    ("body", "train", "splits", "codes"),
    [
        (PLAIN, "stop = stop(patience=2)", ("train", "test"), ["N767"]),
        (PLAIN, "schedule = plateau(patience=2), stop = stop(val.accuracy)", ("train", "test"), ["N767", "N767"]),
        (PLAIN, "metrics = [auc], keep = best(val.auc)", ("train/a", "train/b", "val/a"), ["N956"]),
        (PLAIN, "metrics = [auc], keep = last", ("train/a", "train/b", "val/a"), []),
        (PLAIN, "metrics = [auc], keep = best(val.auc)", ("train", "val"), []),
        (PLAIN, "stop = stop(train.loss)", ("train", "test"), []),
        (PLAIN, "stop = stop(patience=2)", ("train", "val"), []),
    ],
)
def test_check_and_train_say_the_same(
    tmp_path: Path, body: str, train: str, splits: tuple[str, ...], codes: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [name for split in splits for name in ([split] if "/" in split else [f"{split}/a", f"{split}/b"])]
    write_folder(tmp_path / "data", dict.fromkeys(folders, 3))
    said = []
    for command in (["check"], ["train", "--out", str(tmp_path / "run")]):
        code = run([command[0], spec(tmp_path, body, train), "--data", str(tmp_path / "data"), *command[1:]])
        shown = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error[")]
        assert code == (Exit.DATA if codes else Exit.FINE)
        said.append(shown)
    assert [line.split("[")[1][:4] for line in said[0]] == codes
    assert said[0] == said[1]


@pytest.mark.parametrize(("body", "code"), [(NORMED, Exit.SPEC), (PLAIN, Exit.FINE)])
def test_one_sample_for_a_batch_norm(tmp_path: Path, body: str, code: Exit, capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(tmp_path, {"pictures": 2})
    (tmp_path / "numbers.csv").write_text("image,a,b,split\npictures/0.png,1,2,train\npictures/1.png,1,3,val\n")
    written = spec(tmp_path, body, "loss = mse")
    Path(written).write_text(Path(written).read_text() + "\ndata { target output = column(a, b) }")
    for command in (["check"], ["train", "--out", str(tmp_path / "run")]):
        assert run([command[0], written, "--data", str(tmp_path / "numbers.csv"), *command[1:]]) == code
        assert ("has one value in each channel with one training image" in capsys.readouterr().err) == (code == Exit.SPEC)
