"""The pictures of a run: curves of any figures, confusions of any size, mistakes."""

from __future__ import annotations

import re
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from netspec.report.confusion import brief, draw_confusion, draw_confusions
from netspec.report.curves import MOST, _figure, curve_svgs, draw_curves
from netspec.report.mistakes import draw_mistakes, picture
from netspec.report.models import BestEpoch, Figures, OutputFigures
from tests.report.making import NAMES, evaluation, mistake, rows, rows_of_two


def opened(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png))


def titles(kept: list) -> list[str]:  # type: ignore[type-arg]
    return [axes.get_title(loc="left") for axes in _figure("", kept, None, None).axes if axes.get_visible()]


def test_a_panel_for_the_loss_and_each_other_figure() -> None:
    assert titles(rows()) == ["loss", "accuracy"]
    assert titles(rows_of_two()) == ["loss", "age.mae", "gender.accuracy", "gender.auc", "age.loss", "gender.loss"]
    assert titles([]) == ["loss"]


def test_more_than_six_figures_are_told_of() -> None:
    row = rows(1)[0]
    many = [row.model_copy(update={"train": {"loss": 1.0, **{f"o{i}.accuracy": 0.5 for i in range(9)}}})]
    figure = _figure("run", many, None, None)
    assert len([a for a in figure.axes if a.get_visible()]) == MOST
    assert figure.get_suptitle() == "run   (5 more in history.csv)"


def test_curves_show_all_that_is_known() -> None:
    kept = [*rows(1, "warm"), *rows(2, "tune", 2)]
    best = BestEpoch(epoch=2, monitor="val.accuracy", values=kept[1].val)
    figure = _figure("", kept, best, Figures(images=30, values={"loss": 0.5, "accuracy": 0.9}))
    loss, accuracy = figure.axes
    assert accuracy.get_legend_handles_labels()[1] == ["training", "validation", "test: 90.00%", "best: epoch 2"]
    assert loss.get_legend_handles_labels()[1] == ["training", "validation", "test: 0.5000"]
    assert [t.get_text() for t in accuracy.texts] == ["warm", "tune"]
    assert [list(line.get_ydata()) for line in accuracy.lines][1] == [row.val["accuracy"] for row in kept]


def test_pictures_are_the_same_each_time() -> None:
    assert draw_curves("a", rows(), None, None) == draw_curves("a", rows(), None, None)
    assert curve_svgs(rows(), None, None) == curve_svgs(rows(), None, None)


def test_each_figure_is_a_drawing_of_its_own_for_the_page() -> None:
    drawn = curve_svgs(rows(), None, None)
    assert list(drawn) == ["loss", "accuracy"]
    assert ">epoch</text>" in drawn["loss"]
    assert "training" not in drawn["loss"]
    assert re.search(r">[\d.]+%</text>", drawn["accuracy"])


def test_a_figure_that_never_falls_below_nothing_begins_there() -> None:
    flat = [row.model_copy(update={"train": {"loss": 2.6}, "val": {"loss": 2.6}}) for row in rows()]
    for kept in (rows(40), flat):
        low, high = _figure("", kept, None, None).axes[0].get_ylim()
        assert low == 0
        assert high > max(row.train["loss"] for row in kept)
        assert _figure("", kept, None, None).axes[0].get_xlim()[0] >= 0.5


def test_what_is_right_is_blue_and_what_is_wrong_is_red() -> None:
    right, wrong = (opened(draw_confusion("", ["a", "b"], counts)).convert("RGB") for counts in ([[9, 0], [0, 9]], [[0, 9], [9, 0]]))
    blue, red = (22, 50, 79), (110, 31, 12)
    found = [{color for _, color in image.getcolors(2**24) or ()} & {blue, red} for image in (right, wrong)]
    assert found == [{blue}, {red}]


def test_gaps_and_single_epochs_are_drawn() -> None:
    one, two = rows(2)
    assert opened(draw_curves("日本 $x", [one.model_copy(update={"val": {}}), two], None, None)).width > 500
    assert opened(draw_curves("\x1b", rows(1), None, None)).width > 500


@pytest.mark.parametrize("classes", [2, 12, 30, 200])
def test_confusions_of_any_size(classes: int) -> None:
    counts = (torch.eye(classes, dtype=torch.int64) * 90 + 1).tolist()
    image = opened(draw_confusion("run: $test", [f"class {i} $" for i in range(classes)], counts))
    assert 400 < image.width <= 2100
    assert 400 < image.height <= 2100


def test_a_class_that_is_always_right_is_dark_and_one_that_is_never_seen_is_white() -> None:
    image = opened(draw_confusion("", ["a", "b"], [[5, 0], [0, 0]])).convert("RGB")
    colors = {color for _, color in image.getcolors(2**24) or ()}
    assert (22, 50, 79) in colors


def test_outputs_side_by_side() -> None:
    one = evaluation()
    two = one.model_copy(update={"outputs": {"a": one.outputs["output"], "b": one.outputs["output"]}})
    single, double = draw_confusions("run", one), draw_confusions("run", two)
    assert single is not None
    assert double is not None
    assert opened(double).width > 1.7 * opened(single).width
    assert draw_confusions("run", one.model_copy(update={"outputs": {"age": OutputFigures(kind="number")}})) is None


def test_counts_have_room() -> None:
    assert [brief(n) for n in (0, 9999, 12_345, 123_456, 4_500_000, 12 * 10**9)] == ["0", "9999", "12.3k", "123k", "4.5M", "12G"]


def test_a_small_picture_is_shown_in_whole_pixels() -> None:
    pixels = torch.tensor([[[0, 255], [255, 0]]], dtype=torch.uint8)
    shown = np.asarray(opened(picture(mistake(pictures=(pixels,)))).convert("RGB"))
    assert shown.shape == (120, 120, 3)
    assert (shown[:60, :60] == 0).all()
    assert (shown[:60, 60:] == 255).all()


def test_masks_are_shown_in_colours_of_their_classes() -> None:
    true = torch.tensor([[0, 1], [255, 1]], dtype=torch.uint8)
    guess = torch.tensor([[0, 1], [1, 150]])
    shown = np.asarray(opened(picture(mistake(pictures=(torch.zeros(3, 2, 2, dtype=torch.uint8),), masks=(true, guess)))))
    assert shown.shape == (120, 364, 4)
    assert (shown[:, :, 3] == 255).all(0).tolist() == [x not in (120, 121, 242, 243) for x in range(364)]
    black, blue, grey = [0, 0, 0], [0x44, 0x77, 0xAA], [136, 136, 136]
    at = [shown[y, x, :3].tolist() for y, x in ((10, 130), (10, 230), (110, 130), (110, 230), (110, 250), (10, 350))]
    assert at == [black, blue, grey, blue, blue, blue]
    assert shown[110, 350, :3].tolist() not in (black, grey)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 500), (3, 900, 7), (1, 28, 28)])
def test_sheets_of_any_pictures(shape: tuple[int, int, int]) -> None:
    pixels = torch.full(shape, 7, dtype=torch.uint8)
    found = [mistake(pictures=(pixels, pixels), name="x" * 10_000, truth="y\x1b" * 500, taken=n) for n in NAMES]
    image = opened(draw_mistakes(found * 5))
    assert image.width <= 1700
    assert mistake(truth="\x1b").lines()[0] == r"\x1b"


def test_a_sample_of_numbers_is_told_of_without_a_picture() -> None:
    assert opened(draw_mistakes([mistake(pictures=())])).size == (170, 70)
