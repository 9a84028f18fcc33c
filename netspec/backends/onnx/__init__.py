"""ONNX: a graph and its weights become a model file, and model files are run.

:mod:`netspec.backends.onnx.model` makes models, :mod:`netspec.backends.onnx.export` writes them checked,
:mod:`netspec.backends.onnx.session` runs them. PyTorch is loaded for the check alone.
"""

from netspec.backends.onnx.export import ExportReport, export
from netspec.backends.onnx.model import IR_VERSION, OPSET, to_model
from netspec.backends.onnx.session import open_session, read_onnx_metadata

__all__ = ["IR_VERSION", "OPSET", "ExportReport", "export", "open_session", "read_onnx_metadata", "to_model"]
