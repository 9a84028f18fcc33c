"""Data: from folders of images and ``.npz`` files to batches of bytes.

:func:`open_data` opens both kinds; :mod:`netspec.data.decode` is the one way an image file becomes pixels.
"""

from netspec.data.images import ImageSet
from netspec.data.opening import Division, Splits, open_data
from netspec.data.task import Task, image_task

__all__ = ["Division", "ImageSet", "Splits", "Task", "image_task", "open_data"]
