"""Everything the language is described with parses; what of it is not built yet is one located error each, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.compiler import diagnose
from netspec.source import Source
from netspec.syntax import ast
from netspec.syntax.parser import parse
from netspec.syntax.read import read_source

FOLDER = Path(__file__).parent / "snippets"

FOUND: dict[str, list[tuple[str, int]]] = {
    "sections": [("N900", 8), ("N900", 13), ("N900", 14), ("N606", 23), ("N606", 24)],
}
"""What is said of a snippet, with its line: of what is not built yet, and of stages that freeze what its small net has not."""


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.net")), ids=lambda p: p.stem)
def test_snippet(path: Path) -> None:
    source = read_source(path)
    file, found = parse(source)
    assert found == []
    assert not any(isinstance(item, ast.Hole) for item in file.items)
    diagnostics = diagnose(source)
    assert [(d.code, d.place.source.position(d.place.span.start)[0]) for d in diagnostics if d.place] == FOUND.get(path.stem, [])
    assert all(d.problem.help() for d in diagnostics)


@pytest.mark.parametrize(
    ("statement", "what"),
    [("lstm(8)", "the layer `lstm`"), ("residual { nn.Embedding }", "the layer `embedding`")],
)
def test_statement_that_is_not_built_is_one_error(statement: str, what: str) -> None:
    text = f"net This {{\nimage: input(3x8x8)\n{statement}\nconv(4, 3)\nflatten -> linear(2)\n}}"
    (found,) = diagnose(Source("a.net", text))
    assert (found.code, found.message.startswith(what)) == ("N900", True)
    assert found.place is not None
    assert found.place.source.position(found.place.span.start)[0] == 3


@pytest.mark.parametrize(
    ("section", "what"),
    [
        ("train { loss { a = cross_entropy } }", "a loss for each output"),
        ("train { metrics { a = accuracy } }", "metrics"),
        ("data { target label = class }", "targets"),
    ],
)  # fmt: skip
def test_section_that_is_not_built_is_one_error(section: str, what: str) -> None:
    (found,) = diagnose(Source("a.net", f"net This {{ image: input(3x8x8)\nflatten -> linear(2) }}\n{section}\n"))
    assert (found.code, found.message.startswith(what)) == ("N900", True)
