"""Augmentation: the pictures of a batch changed while training, on the device that holds them.

What happens to a picture follows from the seed, the epoch and the picture's number alone: not from its batch, the order, or how many
workers read it. :class:`Augmenter` is made from the steps of a region and draws and applies them.
"""

from netspec.augment.augmenter import Augmenter, Drawn
from netspec.augment.mixing import Mixed, mixed_loss

__all__ = ["Augmenter", "Drawn", "Mixed", "mixed_loss"]
