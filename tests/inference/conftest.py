"""Runs of every kind of output, trained when the first test asks for one."""

from __future__ import annotations

import pytest

from tests.inference.kinds import Made, make


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """What was trained already, by name."""
    return {}


@pytest.fixture
def case(request: pytest.FixtureRequest, made: dict[str, Made], tmp_path_factory: pytest.TempPathFactory) -> Made:
    name: str = request.param
    if name not in made:
        made[name] = make(name, tmp_path_factory.mktemp("kind"))
    return made[name]
