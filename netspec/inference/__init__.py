"""Prediction and evaluation with a trained model: the folder of a run, an ONNX file exported from one, or a spec and its weights."""

from netspec.inference.evaluation import evaluate
from netspec.inference.model import Model, SpecModel, open_model
from netspec.inference.prediction import predict

__all__ = ["Model", "SpecModel", "evaluate", "open_model", "predict"]
