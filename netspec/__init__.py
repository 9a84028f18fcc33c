"""netspec: describe a vision network in a short text file, and get everything else from it.

>>> import netspec
>>> graph = netspec.load("resnet50.net", classes=5)
>>> module = netspec.build(graph)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.3.0"

if TYPE_CHECKING:
    from netspec.asking import compare, plan, preflight
    from netspec.backends.dot import render
    from netspec.backends.onnx.export import export
    from netspec.backends.torch import build
    from netspec.compiler import load
    from netspec.diagnostics import Diagnostic, NetspecError
    from netspec.graph import Graph
    from netspec.inference import evaluate, open_model, predict
    from netspec.training import Interrupted, RunResult, train

_HOMES = {
    "load": "netspec.compiler", "build": "netspec.backends.torch", "export": "netspec.backends.onnx", "render": "netspec.backends.dot",
    "train": "netspec.training", "evaluate": "netspec.inference", "predict": "netspec.inference", "Graph": "netspec.graph",
    "Diagnostic": "netspec.diagnostics", "NetspecError": "netspec.diagnostics", "Interrupted": "netspec.training",
    "RunResult": "netspec.training", "open_model": "netspec.inference", "plan": "netspec.asking", "preflight": "netspec.asking",
    "compare": "netspec.asking",
}  # fmt: skip
"""No module or package here is called as any of these: what is imported would stand in its place."""

__all__ = [
    "Diagnostic", "Graph", "Interrupted", "NetspecError", "RunResult", "build", "compare", "evaluate", "export", "load", "open_model",
    "plan", "predict", "preflight", "render", "train",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Public names are loaded when they are asked for: who only compiles never loads torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'netspec' has no attribute {name!r}")
    home = import_module(_HOMES[name])
    return getattr(home, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
