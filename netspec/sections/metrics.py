"""Figures that are measured of an output beside its loss, each over a whole split."""

from netspec.kinds import Count


def accuracy() -> None:
    """The share of the samples whose class was recognised; of labels, the share of all labels that were said rightly, and of maps
    the share of the pixels."""


def top_k(k: Count = 5) -> None:
    """The share of the samples whose class is among the k most probable ones, for three classes or more.

    - `k`: among how many
    """


def precision() -> None:
    """Of what was taken for a class, the share that is of it; the mean over the classes that occur, in the split or among the answers,
    each counting as much as any other; of two classes the figure of the second, and of labels the mean over those that occur. A class
    that is there and never answered has 0, and one that neither is there nor is answered is left out."""


def recall() -> None:
    """Of what is of a class, the share that was taken for it; the mean over the classes that occur, as of `precision`. A class that is
    answered and never there has 0."""


def f1() -> None:
    """`2 precision recall / (precision + recall)` of each class; the mean over the classes that occur, as of `precision`."""


def auc() -> None:
    """The area below the curve of true positives over false positives (ROC): how probable it is that of a sample of a class and one of
    another, the first is held more probable to be of it (Hanley and McNeil, 1982). Of two classes for the second; else each class against
    all others, and the mean over the classes, or over the labels; those that all samples have, or none, have no curve and are left
    out."""


def mae() -> None:
    """The mean of `|y - t|`, in the unit of the numbers."""


def mse() -> None:
    """The mean of `(y - t)^2`."""


def rmse() -> None:
    """The root of the mean of `(y - t)^2` over a whole split, in the unit of the numbers."""


def miou() -> None:
    """Of each class, the pixels that were taken for it and are of it, among those of which one or the other is true; counted over all
    pixels of a split, and the mean over the classes that occur in the masks or among the answers, the background being one of them
    (Everingham et al., 2010)."""


def dice() -> None:
    """`2 n / (a + b)` of each class, for n pixels taken for it rightly, a taken for it and b that are of it; counted and averaged as
    `miou`."""
