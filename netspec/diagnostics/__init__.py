"""Diagnostics: problems as data, and the renderers that show them."""

from netspec.diagnostics.error import NetspecError, failure
from netspec.diagnostics.problem import Diagnostic, Exit, Problem, Related, Trail

__all__ = ["Diagnostic", "Exit", "NetspecError", "Problem", "Related", "Trail", "failure"]
