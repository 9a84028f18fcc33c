"""The diagram of a net for a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from netspec.backends.dot import Limits, picture_bytes
from netspec.diagnostics import NetspecError
from netspec.graph import Graph

_LIMITS: Final = Limits(seconds=20, boxes=600)
"""A report is read in a browser, and written at the end of a training that has taken long enough."""


@dataclass(frozen=True)
class Diagram:
    """The picture as SVG, or why there is none."""

    svg: str = ""
    missing: str = ""


def net_diagram(graph: Graph) -> Diagram:
    """Draw a net, equal blocks once. A training is not lost for want of a picture: what keeps it from being drawn is told in its place."""
    try:
        return Diagram(svg=picture_bytes(graph, "svg", limits=_LIMITS).decode())
    except NetspecError as error:
        return Diagram(missing=error.diagnostics[0].message)
    except OSError as error:
        return Diagram(missing=f"the diagram could not be drawn: {error.strerror or error}")
