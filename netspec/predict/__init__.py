"""Prediction and evaluation with a trained model: the folder of a run, or an ONNX file exported from one."""

from netspec.predict.evaluation import evaluate
from netspec.predict.model import Model, open_model
from netspec.predict.prediction import predict

__all__ = ["Model", "evaluate", "open_model", "predict"]
