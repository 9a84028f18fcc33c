"""From a path to a model."""

from __future__ import annotations

import os
from pathlib import Path

from netspec.diagnostics import failure
from netspec.diagnostics.measuring import NotNetspecModel
from netspec.inference.exported import OnnxModel
from netspec.inference.model import Model
from netspec.inference.nets import RunModel


def open_model(path: str | os.PathLike[str], device: str = "auto", labels: str | os.PathLike[str] | None = None) -> Model:
    """Open the folder of a run, or an ``.onnx`` file that netspec has exported. Raises N764 for anything else, and what those raise.

    ``labels`` is a file that names the classes of an ``.onnx`` file, one a line.
    """
    path = Path(path)
    if path.is_dir():
        return RunModel(path, device)
    if not path.exists():
        raise failure(NotNetspecModel(str(path), "there is no such file or folder"))
    if path.suffix.casefold() != ".onnx":
        raise failure(NotNetspecModel(str(path), "it is neither the folder of a run nor an .onnx file"))
    return OnnxModel(path, device, None if labels is None else Path(labels))
