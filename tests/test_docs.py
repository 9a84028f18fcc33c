"""What the documentation shows is true: every net on its pages compiles."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netspec.compiler import compile_source
from netspec.layer import layers
from netspec.report.reference import PAGES, example
from netspec.source import Source
from netspec.values import show

ROOT = Path(__file__).resolve().parent.parent
SNIPPETS = [
    pytest.param(text, id=f"{page.name}:{number}")
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    for number, text in enumerate(re.findall(r"^```net\n(.*?)^```", page.read_text("utf-8"), re.S | re.M))
]


@pytest.mark.parametrize("text", SNIPPETS)
def test_a_net_of_the_documentation_compiles(text: str) -> None:
    assert compile_source(Source("page.net", text), every=True)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_the_reference_is_what_the_declarations_say(page: str, request: pytest.FixtureRequest) -> None:
    path = ROOT / "docs" / {"language": "reference.md"}.get(page, f"{page}.md")
    if request.config.getoption("--golden"):
        path.write_text(PAGES[page](), "utf-8")
    assert path.read_text("utf-8") == PAGES[page]()


@pytest.mark.parametrize("name", sorted(layers()))
def test_a_layer_has_an_example_that_compiles_to_what_the_page_says(name: str) -> None:
    found = example(layers()[name])
    assert found is not None, "say in netspec/report/reference.py on which shape and with which arguments it works"
    shapes, written, facts = found
    inputs = "\n".join(f"in{i}: input({'x'.join(map(str, shape))})" for i, shape in enumerate(shapes))
    arguments = ", ".join([*(f"in{i}" for i in range(1, len(shapes))), *(f"{n}={show(v)}" for n, v in written.items())])
    graph = compile_source(Source("page.net", f"net A {{\n{inputs}\nin0 -> {name}{f'({arguments})' if arguments else ''} }}"))[0]
    assert graph.nodes[-1].output == facts.output
    assert (graph.parameters, graph.macs) == (facts.parameters, facts.macs)


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
