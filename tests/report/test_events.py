"""Event files, read back with TensorBoard's own reader."""

from __future__ import annotations

import sys
import warnings
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from netspec.diagnostics import NetspecError
from netspec.report.confusion import draw_confusion, draw_confusions
from netspec.report.events import EVENTS, EventLog, require_tensorboard
from netspec.report.models import EpochRow
from tests.report.making import evaluation, rows, rows_of_two

pytest.importorskip("tensorboard")


def read(folder: Path) -> tuple[dict[str, list[tuple[int, float]]], list[str]]:
    """Scalars by tag, each a list of steps and values, and the tags of pictures."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        found = EventAccumulator(str(folder))
        found.Reload()
        scalars = {tag: [(e.step, round(e.value, 4)) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
        return scalars, found.Tags()["images"]


def write(folder: Path, kept: list[EpochRow], begun: list[EpochRow] | None = None) -> None:
    with EventLog(folder, begun or []) as events:
        for row in kept:
            events.epoch(row)


def test_scalars_go_by_the_names_of_the_figures(tmp_path: Path) -> None:
    write(tmp_path, rows())
    scalars, _ = read(tmp_path)
    assert scalars["accuracy/val"] == [(1, 0.6), (2, 0.8), (3, 0.8667)]
    assert set(scalars) == {"loss/train", "loss/val", "accuracy/train", "accuracy/val", "lr", "images_per_second"}
    write(tmp_path / "two", rows_of_two())
    assert read(tmp_path / "two")[0]["age.mae/val"] == [(1, 31), (2, 15.5), (3, 10.3333)]


@pytest.mark.parametrize("told", [1, 2])
def test_a_run_that_goes_on_has_each_epoch_once(tmp_path: Path, told: int) -> None:
    """A kill after the checkpoint of epoch 2, before or behind its event."""
    write(tmp_path, rows(told))
    write(tmp_path, rows(1, first=3), rows(2))
    assert len(list(tmp_path.glob(EVENTS))) == 2
    assert [step for step, _ in read(tmp_path)[0]["loss/val"]] == [1, 2, 3]


def test_what_came_after_the_checkpoint_is_taken_back(tmp_path: Path) -> None:
    write(tmp_path, rows(3))
    other = [row.model_copy(update={"lr": 0.5}) for row in rows(2, first=2)]
    write(tmp_path, other[1:], [rows(1)[0], other[0]])
    assert read(tmp_path)[0]["lr"] == [(1, 0.001), (2, 0.5), (3, 0.5)]


def test_epochs_from_before_the_option_are_written(tmp_path: Path) -> None:
    write(tmp_path, rows(1, first=3), rows(2))
    assert [step for step, _ in read(tmp_path)[0]["loss/train"]] == [1, 2, 3]


def test_every_epoch_is_there_at_once(tmp_path: Path) -> None:
    events = EventLog(tmp_path, [])
    events.epoch(rows(1)[0])
    assert read(tmp_path)[0]["lr"] == [(1, 0.001)]
    events.close()


def test_a_picture(tmp_path: Path) -> None:
    png = draw_confusions("run", evaluation())
    assert png is not None
    assert Image.open(BytesIO(png)).mode == "RGBA"
    with EventLog(tmp_path, []) as events:
        events.picture("confusion", png, 3)
    assert read(tmp_path)[1] == ["confusion"]


def test_a_log_that_is_gone_on_with_takes_nothing_back(tmp_path: Path) -> None:
    write(tmp_path, rows())
    with EventLog(tmp_path) as events:
        events.picture("confusion", draw_confusion("", ["a", "b"], [[1, 0], [0, 1]]), 3)
    scalars, pictures = read(tmp_path)
    assert [step for step, _ in scalars["lr"]] == [1, 2, 3]
    assert pictures == ["confusion"]


def test_what_goes_wrong_first_is_the_news(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(KeyError), EventLog(tmp_path, []) as events:
        monkeypatch.setattr(events._events, "close", full)
        raise KeyError
    with pytest.raises(NetspecError, match="No space left on device"), EventLog(tmp_path, []) as events:
        monkeypatch.setattr(events._events, "close", full)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    require_tensorboard()
    for name in [name for name in sys.modules if name.startswith(("tensorboard", "torch.utils.tensorboard"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(NetspecError, match="--tensorboard needs the package tensorboard") as caught:
        require_tensorboard()
    assert caught.value.exit == 5
    assert "pip install 'netspec-dsl[tensorboard]'" in (caught.value.diagnostics[0].problem.help() or "")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(NetspecError) as caught:
        EventLog(tmp_path / "file" / "run", [])
    assert caught.value.diagnostics[0].code == "N810"
