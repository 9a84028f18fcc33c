"""Diagnostics: problems as data, and the renderers that show them."""

from netspec.diagnostics.problem import Diagnostic, Exit, NetspecError, Problem, Related, Trail, failure

__all__ = ["Diagnostic", "Exit", "NetspecError", "Problem", "Related", "Trail", "failure"]
