"""Diagrams as files: texts from strangers, every format, and what happens when a graph cannot be drawn."""

from __future__ import annotations

import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.backends.dot import Direction, Format, Limits, format_of, picture_bytes, render, to_dot
from netspec.backends.dot.writing import marked_up, quote
from netspec.compiler import load
from netspec.diagnostics import Exit, NetspecError
from tests.backends.test_dot import FACES, ROOT, SPECS, graph_of, parsed, problem_of

# ---- texts from strangers

HOSTILE = ['"];a->b[', "end\\", "<IMG SRC=x>", "\\N", "\\G \\n\\l", "a:b", "&lt;b&gt;", "]}digraph", "%s {0}", '\\"', "a\\\\"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_texts(text: str) -> None:
    graph = graph_of(FACES)
    nodes = (replace(graph.nodes[0], path=text), *(replace(n, path=text, label=text) for n in graph.nodes[1:]))
    regions = tuple(replace(r, title=text) if r.kind == "block" else r for r in graph.regions)
    hostile = replace(graph, nodes=nodes, regions=regions, name=text)
    with parsed(to_dot(hostile)) as bad, parsed(to_dot(graph)) as good:
        assert sorted(bad.nodes()) == sorted(good.nodes())
        assert sorted(bad.edges()) == sorted(good.edges())
    shown = [t.text for t in ET.fromstring(picture_bytes(hostile, "svg")).iter("{http://www.w3.org/2000/svg}text")]
    for wanted in (text, f"{text}  3×64×64", f"{text} · {text}"):
        assert wanted in [(t or "").replace("\N{NO-BREAK SPACE}", " ").rstrip() for t in shown]


def test_control_characters_are_shown_escaped() -> None:
    graph = graph_of(FACES)
    dot = to_dot(replace(graph, nodes=(replace(graph.nodes[0], path="a\x1b]0;\u202eb\0"), *graph.nodes[1:])))
    assert "a\\\\x1b]0;\\\\u{202e}b\\\\x00" in dot


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40))
def test_quoting_round_trip(text: str) -> None:
    with parsed(f"digraph g {{ n0 [label={quote(text)}] }}") as graph:
        label = graph.get_node("n0").attr["label"] or ""
        assert graph.nodes() == ["n0"]
    assert label.replace("\\\\", "\0").replace("\\", "!").replace("\0", "\\").replace("&amp;", "&") == text


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40))
def test_markup_round_trip(text: str) -> None:
    shown = ET.fromstring(f"<label>{marked_up(text)}</label>").text or ""
    assert shown.replace("\\\\", "\\") == text.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")


def test_long_titles_are_cut() -> None:
    graph = graph_of(FACES)
    regions = tuple(replace(r, title="x" * 10_000, path="p" * 10_000) if i else r for i, r in enumerate(graph.regions))
    dot = to_dot(replace(graph, regions=regions, nodes=tuple(replace(n, path="q" * 10_000) for n in graph.nodes)))
    assert max(map(len, dot.splitlines())) < 2_000


# ---- files


@pytest.mark.parametrize("direction", ["down", "right"])
@pytest.mark.parametrize(
    ("name", "magic"),
    [("a.svg", b"<?xml"), ("a.png", b"\x89PNG\r\n\x1a\n"), ("a.PDF", b"%PDF-"), ("a.dot", b"digraph"), ("a.gv", b"digraph")],
)
def test_every_format_without_graphviz_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, magic: bytes, direction: Direction
) -> None:
    monkeypatch.setenv("PATH", "")
    graph = graph_of(FACES)
    render(graph, tmp_path / name, direction=direction)
    content = (tmp_path / name).read_bytes()
    assert content.startswith(magic)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    if name == "a.svg":
        assert ET.fromstring(content).tag == "{http://www.w3.org/2000/svg}svg"


def test_png_is_fit_for_print() -> None:
    from io import BytesIO

    from PIL import Image

    with Image.open(BytesIO(picture_bytes(load(ROOT / "specs" / "lenet5.net"), "png"))) as image:
        image.load()
        assert image.width > 800
        assert image.height > 2000
        assert image.convert("L").getpixel((0, 0)) == 255


@pytest.mark.parametrize("only", ["conv1", "inception3a", "inception4b", None])
def test_every_png_has_three_channels(only: str | None) -> None:
    content = picture_bytes(load(ROOT / "specs" / "googlenet.net"), "png", only=only)
    assert content[12:16] == b"IHDR"
    assert content[25] == 2, "the colour type of true colour without transparency"


@pytest.mark.parametrize("form", ["svg", "png", "pdf", "dot"])
def test_two_runs_are_byte_identical(form: Format) -> None:
    def once() -> bytes:
        return picture_bytes(load(ROOT / "specs" / "googlenet.net"), form, only="inception4a")

    first = once()
    if form == "pdf":
        time.sleep(1.1)  # a date would be written in seconds
    assert once() == first


def test_dot_text_loads_nothing_heavy() -> None:
    program = (
        "import sys; from netspec.compiler import load; from netspec.backends.dot import to_dot; to_dot(load(sys.argv[1]));"
        "print(sorted({'pygraphviz', 'graphviz', 'torch', 'numpy', 'onnx', 'PIL', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(SPECS[0])], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_the_format_is_that_of_the_name() -> None:
    assert [format_of(f"a.{e}") for e in ("svg", "PNG", "pdf", "dot", "gv")] == ["svg", "png", "pdf", "dot", "dot"]
    for name in ("a", "a.jpg", "svg"):
        with pytest.raises(NetspecError) as error:
            format_of(name)
        assert problem_of(error) == ("N973", Exit.USAGE)


def test_targets_that_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "a.svg").mkdir()
    with pytest.raises(NetspecError) as error:
        render(graph_of(FACES), tmp_path / "a.svg")
    assert problem_of(error) == ("N812", Exit.USAGE)
    with pytest.raises(NetspecError) as error:
        render(graph_of(FACES), tmp_path / "missing" / "a.svg")
    assert problem_of(error) == ("N810", Exit.ENVIRONMENT)


# ---- when it cannot be drawn


def test_on_timeout_the_dot_text_is_kept_and_nothing_lost(tmp_path: Path) -> None:
    graph, target = graph_of(FACES), tmp_path / "a.svg"
    target.write_text("old")
    with pytest.raises(NetspecError) as error:
        render(graph, target, limits=Limits(seconds=0.01))
    assert problem_of(error) == ("N975", Exit.ENVIRONMENT)
    assert target.read_text() == "old"
    assert (tmp_path / "a.svg.dot").read_text(encoding="utf-8") == to_dot(graph)
    assert any("a.svg.dot" in note for note in error.value.diagnostics[0].problem.notes())


def test_a_layout_without_end_is_stopped() -> None:
    """A hundred long ways into one tensor: the ranks between them make the layout's work grow without measure."""
    graph = graph_of("net N {\n image: input(3x9x9)\n e: conv(8, 1)\n for i in range(200) { conv(8 + i % 2, 1) -> concat(e) }\n}")
    began = time.monotonic()
    with pytest.raises(NetspecError) as error:
        picture_bytes(graph, "svg", limits=Limits(seconds=2))
    assert problem_of(error) == ("N975", Exit.ENVIRONMENT)
    assert time.monotonic() - began < 30


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="address space is limited on Linux alone")
def test_a_layout_has_a_limit_of_memory(tmp_path: Path) -> None:
    with pytest.raises(NetspecError) as error:
        render(graph_of(FACES), tmp_path / "a.png", limits=Limits(memory=2**20))
    assert problem_of(error) == ("N976", Exit.ENVIRONMENT)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png.dot"]


def test_graphviz_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "pygraphviz.py").write_text("raise ImportError('no such library')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hidden"))
    with pytest.raises(NetspecError) as error:
        render(graph_of(FACES), tmp_path / "a.pdf")
    assert problem_of(error) == ("N974", Exit.ENVIRONMENT)
    assert "no such library" in error.value.diagnostics[0].message
    render(graph_of(FACES), tmp_path / "a.dot")


def test_too_large_to_lay_out(tmp_path: Path) -> None:
    text = 'net N {\n image: input(3x9x9)\n for i in range(4) { "stage{i}": { for j in range(2400) { conv(8 + j % 2, 1) -> bn } } }\n}'
    graph = graph_of(text)
    began = time.monotonic()
    with pytest.raises(NetspecError) as error:
        render(graph, tmp_path / "a.svg")
    assert problem_of(error) == ("N971", Exit.USAGE)
    assert "--only stage0" in str(error.value.diagnostics[0].problem.help())
    assert list(tmp_path.iterdir()) == []
    render(graph, tmp_path / "a.dot")
    assert (tmp_path / "a.dot").stat().st_size > 1_000_000
    assert time.monotonic() - began < 20


def test_too_long_for_a_png() -> None:
    graph = graph_of("net N {\n image: input(3x9x9)\n for j in range(1500) { conv(8 + j % 2, 1) }\n}")
    with pytest.raises(NetspecError) as error:
        picture_bytes(graph, "png")
    assert problem_of(error) == ("N977", Exit.USAGE)
    assert picture_bytes(graph, "svg").startswith(b"<?xml")
