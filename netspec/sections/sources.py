"""Where the values of targets and of inputs come from: what the section `data` may say of each by its name."""

from netspec.setting_kinds import ColumnNames, SomeShare
from netspec.values import Percent

_HALF = Percent(0.5)


def class_() -> None:
    """The folder that the image lies in, or the labels of an `.npz`; what there is where no target is written."""


def column(names: ColumnNames) -> None:
    """A column of a table beside the images, or an array of an `.npz`, by its name: `column(age)`, or in quotes where the name is no
    word: `column("age in years")`. Several columns are the numbers, or the labels, of one output: `column(left, top, width, height)`.

    - `names`: the column, or one for each number of the output
    """


def mask() -> None:
    """The mask that belongs to the image: a picture whose points are numbers of classes."""


def pairs(share: SomeShare = _HALF) -> None:
    """Whether both inputs are of one class: each epoch draws pairs anew out of one labelled set, for a net with two inputs of one size.

    - `share`: how many of the pairs are of one class
    """
