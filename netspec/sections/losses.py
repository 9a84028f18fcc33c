"""What an output is to make small. Losses of classes are computed on logits; p is the probability that follows from them, t the target."""

from netspec.kinds import NotNegative, Positive, Share
from netspec.setting_kinds import PerClass, Second


def cross_entropy(label_smoothing: Share = 0.0, weight: PerClass | None = None) -> None:
    """Cross entropy of one class out of several: `-log p` of the right class. For a vector with a number for each class, and for a map with
    a channel for each, whose pixels are all of one of the classes; of a map, the mean over its pixels.

    - `label_smoothing`: the share of each label that is spread evenly over all classes (Szegedy et al., 2015)
    - `weight`: what an image (a pixel, of maps) of each class counts for, in the order of the classes; `balanced` is N / (K n) for a class
      with n of N training images in K classes (King and Zeng, 2001). The mean of a batch is divided by the weights in it, as in PyTorch
    """


def binary_cross_entropy(weight: Second = 1.0) -> None:
    """Cross entropy of two classes: `-t log p - (1 - t) log(1 - p)`. For a vector of one number, which says how much it is the second class
    by name; for one of several, each of which says whether a label of its own is there, with the mean over the labels as in
    `BCEWithLogitsLoss`; and for a map of one channel, with the mean over its pixels.

    - `weight`: what a sample (a pixel) of the second class counts for beside one of the first (`pos_weight` in PyTorch), and of labels each
      that is there beside one that is not; `balanced` is how many of the first there are for each of the second, label by label
    """


def focal(gamma: NotNegative = 2.0, weight: PerClass | None = None) -> None:
    """Focal loss: `-(1 - p)^gamma log p` for the probability p of the right class (Lin et al., 2017, equation 4). It goes with one number
    for two classes and with one for each, in vectors and in maps.

    - `gamma`: how little an image counts that is recognised well; 0 is the cross entropy
    - `weight`: what an image of each class counts for, as in `cross_entropy` (alpha in the paper)
    """


def dice(smooth: NotNegative = 1.0, cross_entropy: NotNegative = 0.0) -> None:
    """Dice loss, for maps: `1 - (2 sum(p t) + smooth) / (sum(p^2) + sum(t^2) + smooth)`, sums over all pixels of a batch (Milletari, Navab
    and Ahmadi, 2016, section 3, who have no `smooth`); the mean over the classes where there is a channel for each, and of the second
    class alone where there is one channel.

    - `smooth`: added above and below, so that a class that is nowhere counts as found
    - `cross_entropy`: what the cross entropy of the same pixels counts for beside it; 1 is usual, and makes the first epochs steadier
    """


def mae() -> None:
    """The mean of `|y - t|` over all numbers of an output (`L1Loss` in PyTorch)."""


def mse() -> None:
    """The mean of `(y - t)^2` over all numbers of an output (`MSELoss` in PyTorch)."""


def huber(delta: Positive = 1.0) -> None:
    """`(y - t)^2 / 2` up to `delta`, and `delta (|y - t| - delta / 2)` beyond; the mean over all numbers of an output (Huber, 1964;
    `HuberLoss` in PyTorch).

    - `delta`: from where on the loss is a straight line, in the unit of the numbers
    """


def contrastive(margin: Positive = 1.0) -> None:
    """For pairs, on the distance d that the net gives: `d^2 / 2` where both are the same, `max(0, margin - d)^2 / 2` where they are not
    (Hadsell, Chopra and LeCun, 2006, equation 4). A pair is taken for the same where d is less than half of the margin.

    - `margin`: from which distance on those that are not the same do not count any more
    """
