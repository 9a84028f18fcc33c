"""Colours by family of layer: pale fills under black text, each with a darker border of its hue.

The hues are the scheme "light" of Paul Tol, "Colour Schemes" (SRON/EPS/TN/09-002, version 3.2, 2021), made for labelled cells and
distinct under every common form of colour blindness; fills are mixed half and half with white, borders darkened. The
differences in lightness survive a grey printer, and no meaning rests on colour alone: every node says what it is.
"""

from dataclasses import dataclass
from typing import Final

FONT: Final = "Helvetica,Arial,DejaVu Sans,sans-serif"
TEXT: Final = "#222222"
MUTED: Final = "#5A5F66"
EDGE: Final = "#4A4F55"
SKIP: Final = "#1F5FA8"
CLUSTER_FILLS: Final = ("#F7F8F9", "#EFF1F3")
"""Fills of clusters by the parity of their depth."""
CLUSTER_BORDER: Final = "#B9BFC6"
FROZEN_FILL: Final = "#E6F2FA"
FROZEN_BORDER: Final = "#4C8DB8"


@dataclass(frozen=True, slots=True)
class Ink:
    """The colours of a node."""

    fill: str
    border: str


_INKS: Final = {
    "conv": Ink("#BBD4EE", "#4A77A8"),
    "transposed": Ink("#BBD4EE", "#4A77A8"),
    "pool": Ink("#F6C3B2", "#B2593B"),
    "norm": Ink("#F6EEC3", "#A08D33"),
    "activation": Ink("#C2EADE", "#2E8A70"),
    "linear": Ink("#FFD4DD", "#B8687A"),
    "reshape": Ink("#EEEEEE", "#8A8A8A"),
    "merge": Ink("#FFFFFF", "#333333"),
    "preprocess": Ink("#E9EBC4", "#85892F"),
    "input": Ink("#FFFFFF", "#222222"),
    "fork": Ink(EDGE, EDGE),
    "stub": Ink("#FFFFFF", "#8A8A8A"),
}
_OTHER: Final = Ink("#E4E4E4", "#7A7A7A")


def ink(family: str) -> Ink:
    """The colours of a family; grey for one that has none of its own."""
    return _INKS.get(family, _OTHER)
