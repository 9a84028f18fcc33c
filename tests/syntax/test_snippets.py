"""Everything the language is described with parses and is right; what of it is not built yet is one located error each."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.compiler import diagnose
from netspec.source import Source
from netspec.syntax import ast
from netspec.syntax.parser import parse
from netspec.syntax.read import read_source

FOLDER = Path(__file__).parent / "snippets"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.net")), ids=lambda p: p.stem)
def test_snippet(path: Path) -> None:
    source = read_source(path)
    file, found = parse(source)
    assert found == []
    assert not any(isinstance(item, ast.Hole) for item in file.items)
    assert [str(d) for d in diagnose(source)] == []


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
