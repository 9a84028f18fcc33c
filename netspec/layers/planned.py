"""Layers that the language will have and that are not built yet, with their names in other frameworks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

PLANNED: Final[Mapping[str, tuple[str, ...]]] = {
    "embedding": ("Embedding",),  # its input are whole numbers, and every tensor of a net is of floats so far
    "lstm": ("LSTM", "GRU", "RNN"),
}


def planned(name: str) -> str | None:
    """The layer that a name stands for, here or in another framework, letter case aside, if it is one that is not built yet."""
    return _names().get(name.casefold())


@cache
def _names() -> dict[str, str]:
    return {other.casefold(): name for name, elsewhere in PLANNED.items() for other in (name, *elsewhere)}
