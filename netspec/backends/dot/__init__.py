"""Diagrams: a graph as DOT text, and as SVG, PNG or PDF laid out by Graphviz in a process of its own.

The way through it: ``Graph → select, fold → compose (a Picture) → write (DOT text) → layout (a child process)``. Only the
child loads Graphviz; for DOT text alone nothing is loaded that is not Python.
"""

from netspec.backends.dot.layout import Limits
from netspec.backends.dot.picture import Direction
from netspec.backends.dot.rendering import FORMATS, Format, format_of, picture_bytes, render, to_dot

__all__ = ["FORMATS", "Direction", "Format", "Limits", "format_of", "picture_bytes", "render", "to_dot"]
