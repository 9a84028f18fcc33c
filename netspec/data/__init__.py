"""Data: from folders of images, tables and arrays to batches.

:func:`open_data` opens them all; :mod:`netspec.data.images.decode` is the one way an image file becomes pixels.
"""

from netspec.data.opening import STRICT, Allowed, Division, Splits, count_samples, open_data, preflight
from netspec.data.samples import Batch, Samples
from netspec.data.task import Wanted, wanted_data

__all__ = [
    "STRICT",
    "Allowed",
    "Batch",
    "Division",
    "Samples",
    "Splits",
    "Wanted",
    "count_samples",
    "open_data",
    "preflight",
    "wanted_data",
]
