"""What the documentation shows is true: every net on its pages compiles."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netspec.compiler import compile_source
from netspec.source import Source

ROOT = Path(__file__).resolve().parent.parent
SNIPPETS = [
    pytest.param(text, id=f"{page.name}:{number}")
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    for number, text in enumerate(re.findall(r"^```net\n(.*?)^```", page.read_text("utf-8"), re.S | re.M))
]


@pytest.mark.parametrize("text", SNIPPETS)
def test_a_net_of_the_documentation_compiles(text: str) -> None:
    assert compile_source(Source("page.net", text), every=True)


def test_the_first_net_of_the_readme_is_the_one_of_the_library() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    spec = (ROOT / "specs" / "mnist_convnet.net").read_text("utf-8")
    assert spec[spec.index("net MnistConvnet") :].rstrip() in readme


@pytest.mark.parametrize("page", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_files_that_a_page_names_exist(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    named = set(re.findall(r"\]\(([\w/.]+)\)", text)) | set(re.findall(r"`([\w/.]+\.(?:py|md|json|toml|lark))`", text))
    named -= {"docs/errors/NNNN.md"}
    assert named
    assert not [name for name in named if not (ROOT / name).exists() and not (ROOT / "netspec" / name).exists()]
