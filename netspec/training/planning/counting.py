"""How many samples a training has."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from netspec.data import Division, open_data, wanted_data
from netspec.graph import Graph
from netspec.training.settings import train_settings
from netspec.training.stages import lessons, section_values


def count_samples(graph: Graph, data: Path) -> int:
    """The samples of the training split, as `netspec train` divides the data. Raises as reading the data for a training does."""
    wanted = wanted_data(graph, chain.from_iterable(lesson.learned for lesson in lessons(graph)))
    division = Division(section_values(graph, "data")["split"], train_settings(graph).seed)
    found = open_data(data, wanted, division=division, only=("train",)).train
    assert found is not None
    return len(found)
