"""A net's weights grouped into slots, what comes before what, and what is known of each vector's order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from netspec.backends.mapping.grouping import tokens  # noqa: F401
from netspec.graph import Graph, Node, Weight
from netspec.layer import layers
from netspec.shape import Shape

Pieces = tuple[Shape, ...]
"""What a vector was put together from: a shape of more than one axis stands for a map that was flattened, channels first."""
