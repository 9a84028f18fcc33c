"""How many samples a training has."""

from __future__ import annotations

from pathlib import Path

from netspec.data import Division, open_data
from netspec.graph import Graph
from netspec.training.settings import train_settings
from netspec.training.stages import asked_of_data, lessons, section_values


def count_samples(graph: Graph, data: Path, allow_empty_class: bool = False) -> int:
    """The samples of the training split, as `netspec train` divides the data. Raises as reading the data for a training does."""
    wanted = asked_of_data(graph, lessons(graph))
    division = Division(section_values(graph, "data")["split"], train_settings(graph).seed)
    found = open_data(data, wanted, division=division, only=("train",), allow_empty_class=allow_empty_class).train
    assert found is not None
    return len(found)
