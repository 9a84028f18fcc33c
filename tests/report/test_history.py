"""``history.csv``: what is written is read again, also where a kill has cut a line."""

from __future__ import annotations

import csv
from io import StringIO

import pytest

from netspec.report.history import history_csv, read_history
from netspec.report.models import EpochRow
from tests.report.making import rows, rows_of_two

OUTPUTS = ("age", "gender")


def test_columns_are_split_and_figure() -> None:
    table = list(csv.reader(StringIO(history_csv(rows(1)))))
    assert table == [
        ["epoch", "stage", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr", "seconds", "images_per_second"],
        ["1", "", "1.2", "0.5", "1.0", "0.6", "0.001", "2.5", "1234.5"],
    ]
    assert "train_age_mae,train_gender_accuracy,val_loss" in history_csv(rows_of_two(1))


def test_what_is_written_is_read_again() -> None:
    assert read_history(history_csv(rows())) == tuple(rows())
    assert read_history(history_csv(rows_of_two()), OUTPUTS) == tuple(rows_of_two())
    assert read_history(history_csv([])) == ()


def test_a_figure_that_an_epoch_has_not_is_empty() -> None:
    one, two = rows(2)
    two = two.model_copy(update={"val": {**two.val, "f1": 0.5}})
    text = history_csv([one, two])
    assert text.splitlines()[1].split(",")[6] == ""
    assert read_history(text) == (one, two)


def test_one_output_may_begin_as_another() -> None:
    row = rows(1)[0].model_copy(update={"train": {"loss": 1.0, "a.top_k": 0.5, "a_top.mae": 2.0, "a_top.loss": 1.0}, "val": {}})
    assert read_history(history_csv([row]), ("a", "a_top")) == (row,)
    alone = rows(1)[0].model_copy(update={"train": {"loss": 1.0, "top_k": 0.5}, "val": {}})
    assert read_history(history_csv([alone]), ("top",)) == (alone,)


@pytest.mark.parametrize("lost", range(1, 90))
def test_a_half_line_is_left_out(lost: int) -> None:
    text = history_csv(rows())
    assert len(text.splitlines()[-1]) >= lost
    assert read_history(text[:-lost]) == tuple(rows(2))


def test_of_two_lines_of_an_epoch_the_later_counts() -> None:
    first, second = rows(2)
    again = second.model_copy(update={"lr": 0.5})
    assert read_history(history_csv([first, second, again])) == (first, again)


@pytest.mark.parametrize(
    "text", ["", "\n", "epoch\n", "no,table\n1,2\n", "\x00\n\x00\n", 'epoch,"\n', history_csv(rows()).replace("1", "x")]
)
def test_what_is_no_history_has_no_epochs(text: str) -> None:
    assert read_history(text) == ()


def test_columns_of_another_version_are_left_out() -> None:
    text = history_csv(rows(1)).replace("lr,", "memory,lr,").replace("0.001", "17,0.001")
    assert read_history(text) == tuple(rows(1))


def test_figures_by_name() -> None:
    row: EpochRow = rows_of_two(1)[0]
    assert row.figure("val.age.mae") == 31
    with pytest.raises(KeyError):
        row.figure("val.nothing")
