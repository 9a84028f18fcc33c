"""Prediction and evaluation with a trained model: the folder of a run, or an ONNX file exported from one."""

from netspec.inference.evaluation import evaluate
from netspec.inference.model import Model, open_model
from netspec.inference.prediction import predict

__all__ = ["Model", "evaluate", "open_model", "predict"]
