"""Nets that are trained in stages."""

from __future__ import annotations

from pathlib import Path

from netspec.compiler import load
from netspec.graph import Graph

STAGED = """
net Staged(classes = 3) {{
    image: input(1x8x8)
    preprocess {{ scale(1/255) }}
    base: {{ conv(4, 3, padding=1) -> bn -> relu -> conv(6, 3, padding=1) -> bn -> relu }}
    maxpool(2) -> flatten -> dropout(0.2)
    head: {{ linear(8) -> relu -> linear(classes) }}
}}

train {{
    batch = 8
    {train}
}}
"""


def staged(folder: Path, train: str, settings: dict[str, str] | None = None) -> Graph:
    """The net with these lines in its section `train`."""
    path = folder / "staged.net"
    path.write_text(STAGED.format(train=train), "utf-8")
    return load(path, settings=settings or {})
