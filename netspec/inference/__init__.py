"""Prediction and evaluation with a trained model: the folder of a run, an ONNX file exported from one, or a spec and its weights."""

from netspec.inference.evaluation import evaluate
from netspec.inference.model import Model
from netspec.inference.nets import SpecModel
from netspec.inference.opening import open_model
from netspec.inference.prediction import Predicted, predict, predict_each

__all__ = ["Model", "Predicted", "SpecModel", "evaluate", "open_model", "predict", "predict_each"]
