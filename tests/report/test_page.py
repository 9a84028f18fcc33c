"""``report.html``: sound HTML, everything in it, nothing outside of it, and no name that can break out."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch

import netspec.report.page
from netspec.compiler import compile_source
from netspec.report.diagrams import Diagram, net_diagram
from netspec.report.models import BestEpoch, ClassFigures, NamedSettings, OutputFigures
from netspec.report.page import Report, write_report
from netspec.report.page.markup import svg
from netspec.source import Source
from tests.report.making import NAMES, evaluation, mistake, record, rows, rows_of_two, settings, staged, two_outputs

EMPTY = {"meta", "img", "br", "wbr"}
DRAWN = {"path", "rect", "circle", "line", "polyline", "polygon", "ellipse", "use", "stop"}
HOSTILE = """"><script>alert(1)</script><img src=x onerror=alert(1)>'&amp;\x1b]0;x\x07\u202e{0.__class__}%s</style></svg>]]>"""


class Reader(HTMLParser):
    """Reads a page, and refuses elements that are not closed in their order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "svg" in self.open, f"<{tag}/> outside of a drawing"
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read(page: str) -> Reader:
    """A page taken apart; raises where it is not sound."""
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def full(**changes: Any) -> Report:
    """A report that has every part."""
    graph = compile_source(
        Source("pets.net", "net Pets {\n    image: input(3x16x16)\n    conv(4, 3) -> relu -> flatten -> linear(3)\n}\n")
    )[0]
    counts = {"class": {"train": (80, 90, 70), "val": (10, 10, 10), "test": (10, 10, 10)}}
    given = Report(
        record(train=staged()), rows(), graph.source.text, net_diagram(graph), evaluation(), counts, [mistake()], ["two files are one"],
        ["every image is made 3x16x16"], ["stage warm: 1 epoch", "  kept   nothing"],
    )  # fmt: skip
    return replace(given, **changes)


@pytest.fixture(scope="module")
def page() -> str:
    return write_report(full())


def test_the_page_is_sound_and_equal_inputs_give_equal_pages(page: str) -> None:
    assert page.startswith("<!doctype html>\n<html lang=")
    assert write_report(full()) == page
    reader = read(page)
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    names = {name for name, _ in reader.tags}
    assert {"title", "main", "header", "nav", "footer", "svg", "table", "img", "details"} <= names


def test_nothing_is_fetched_and_nothing_runs(page: str) -> None:
    reader = read(page)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form", "foreignobject", "a:href"} & {
        name for name, _ in reader.tags
    }
    for name, attributes in reader.tags:
        for key, value in attributes.items():
            assert not key.startswith("on")
            if key in ("src", "href", "xlink:href"):
                assert (value or "").startswith("data:image/png;base64," if name == "img" else "#"), value
    assert not re.search(r"url\((?!#)|@import|https?:|//[a-z]", re.sub(r"base64,[A-Za-z0-9+/=]+", "", page))
    policy = next(a["content"] for n, a in reader.tags if n == "meta" and a.get("http-equiv") == "Content-Security-Policy")
    assert (policy or "").startswith("default-src 'none'")


def test_links_of_the_page_lead_somewhere(page: str) -> None:
    reader = read(page)
    ids = {attributes.get("id") for _, attributes in reader.tags}
    links = [a["href"] or "" for n, a in reader.tags if n in ("a", "use")]
    assert len(links) > 10
    assert {link[1:] for link in links} <= ids
    assert {a["aria-labelledby"] for n, a in reader.tags if n == "section"} <= ids
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= ids


def test_pictures_have_words_and_tables_have_heads(page: str) -> None:
    reader = read(page)
    assert all(attributes.get("alt") for name, attributes in reader.tags if name == "img")
    drawings = [attributes for name, attributes in reader.tags if name == "svg"]
    assert len(drawings) == 3
    assert all(drawing.get("role") == "img" and drawing.get("aria-label") for drawing in drawings)
    count = sum(name == "table" for name, _ in reader.tags)
    assert sum(name == "caption" for name, _ in reader.tags) == count >= 8
    assert all(attributes.get("scope") in ("row", "col") for name, attributes in reader.tags if name == "th")


@pytest.mark.parametrize(
    "words",
    [
        "83.33% test accuracy, weights of epoch 3 of 3, the best by val.accuracy, on 30 images", "pets-1", "Pets, 61,706 parameters",
        "data/pets: 240 train, 30 val, 30 test", "together 240 30 30", "two files are one", "every image is made 3x16x16",
        "adam(lr=0.001, betas=[0.9, 0.999]", "warm tune", "base[-2:]", "12 of 14", "a" * 64, "stage warm: 1 epoch kept nothing", "2.13.0",
        "cat taken for dog, 98.1% cat/ 12.jpg", "linear(3)", "hamster 80.00% 10 8 8 100.00%", "loss 0.4000 0.3333 0.4012",
    ],
)  # fmt: skip
def test_the_page_tells(page: str, words: str) -> None:
    assert words in read(page).text


def test_what_there_is_not_has_no_part() -> None:
    bare = record(status="running", epochs_done=0, last=None, best=None, test=None, test_weights=None, stages=(), classes={})
    reader = read(write_report(Report(bare, ())))
    assert "no epoch was complete" in reader.text
    assert "This page was written while the run went on." in reader.text
    assert {a["id"] for n, a in reader.tags if n == "section"} == {"data", "net", "settings", "environment"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"test": None}, "86.67% val accuracy, weights of epoch 3 of 3"),
        ({"test": None, "best": None}, "86.67% val accuracy, after 3 epochs"),
        ({"best": None}, "83.33% test accuracy, weights of the last of 3 epochs"),
        ({"status": "interrupted", "test": None}, "The run was broken off; netspec train --resume goes on with it."),
        ({"status": "failed"}, "The run failed"),
    ],
)
def test_verdicts(changes: dict[str, Any], words: str) -> None:
    text = read(write_report(Report(record(**changes), rows()))).text
    assert words in text


def test_several_outputs() -> None:
    best = BestEpoch(epoch=3, monitor="val.age.mae", values=rows_of_two()[2].val)
    kept = record(train=two_outputs(), classes={"gender": ("f", "m")}, best=best, test=None, last=rows_of_two()[2])
    found = evaluation(outputs={"age": OutputFigures(kind="number"), "gender": evaluation().outputs["output"]})
    text = read(write_report(Report(kept, rows_of_two(), evaluation=found, mistakes=[mistake(output="gender")]))).text
    assert "10.33 val age.mae" in text
    assert "loss of age mae" in text
    assert "loss weight of age 0.1" in text
    assert "gender: cat taken for dog" in text


def of_classes(count: int, label: str = "class") -> OutputFigures:
    """So many classes, of which only the fourth is ever taken for another."""
    labels = [f"{label} {i}" for i in range(count)]
    square = tuple(tuple(5 if i == j else int((i, j) == (3, 4)) for j in range(count)) for i in range(count))
    classes = tuple(ClassFigures(label=n, images=sum(square[i]), correct=5, accuracy=5 / sum(square[i])) for i, n in enumerate(labels))
    return OutputFigures(kind="class", classes=classes, confusion=square)


def test_many_classes_are_folded_to_their_commonest_confusions() -> None:
    reader = read(write_report(full(evaluation=evaluation(outputs={"output": of_classes(60)}))))
    assert "Confusion of 60 classes" in str([a.get("alt") for n, a in reader.tags if n == "img"])
    assert "The commonest confusions is taken for how often of the class class 3 class 4 1 16.7%" in reader.text
    assert "The 15 least recognised of 60 classes" in reader.text
    assert "confusion" not in {a.get("class") for n, a in reader.tags if n == "table"}


def test_up_to_forty_classes_every_cell_is_there() -> None:
    page = write_report(full(evaluation=evaluation(outputs={"output": of_classes(40, "a rather long name of a class")})))
    table = read(page[page.index('<table class="confusion tiny">') : page.index("</table>", page.index('<table class="confusion')) + 8])
    heads = [a for n, a in table.tags if n == "th"]
    assert [a["scope"] for a in heads].count("col") == [a["scope"] for a in heads].count("row") == 40
    assert all(a["title"] == a["aria-label"] and "a rather long name of a class" in (a["title"] or "") for a in heads)
    assert sum(n == "td" for n, _ in table.tags) == 1 + 40 * 40
    assert max(len(word) for word in table.words if word.endswith("…")) == 26
    wrong = [a for n, a in table.tags if n == "td" and (a.get("class") or "").startswith("wrong")]
    name = "a rather long name of a class"
    assert wrong == [{"title": f"{name} 3: 1 (16.7%) taken for {name} 4", "class": "wrong-3"}]


def test_a_class_that_is_never_right_says_so() -> None:
    cells = evaluation().outputs["output"].model_copy(update={"confusion": ((0, 10, 0), (0, 10, 0), (0, 0, 20_500))})
    page = write_report(full(evaluation=evaluation(outputs={"output": cells})))
    assert '<td class="right">0</td><td title="cat: 10 (100.0%) taken for dog" class="wrong-6">10</td><td></td>' in page
    assert '<td title="hamster: 20,500 (100.0%) right" class="right-6 right">20.5k</td>' in page


def variables(css: str) -> tuple[dict[str, str], dict[str, str]]:
    """The colours of the light and of the dark screen; what the dark one does not name is that of the light one."""
    light, dark = css.split("* {", 1)[0].split("@media screen", 1)
    found = [dict(re.findall(r"--([\w-]+): (#\w{6});", part)) for part in (light, dark)]
    return found[0], found[0] | found[1]


def luminance(color: str) -> float:
    """Of sRGB, by WCAG 2.1."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_words_can_be_read_on_every_colour() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    css = Path(netspec.report.page.__file__).with_name("style.css").read_text("utf-8")
    light, dark = variables(css)
    assert light["paper"] == "#ffffff"
    assert dark["paper"] != light["paper"]
    for colors in (light, dark):
        cells = [("strong" if step > 4 else "ink", f"{kind}-{step}") for kind in ("right", "wrong") for step in range(7)]
        words = [(ink, ground) for ink in ("ink", "muted", "accent", "bad", "warn") for ground in ("paper", "ground")]
        for ink, ground in [*cells, *words, ("ink", "soft"), ("warn", "soft")]:
            assert contrast(colors[ink], colors[ground]) >= 4.5, (ink, ground)
        for line in ("train", "val", "test"):
            assert contrast(colors[line], colors["paper"]) >= 3, line


def test_masks_stand_beside_their_picture() -> None:
    masks = (torch.zeros(20, 16, dtype=torch.uint8), torch.ones(20, 16, dtype=torch.int64))
    reader = read(write_report(full(mistakes=[mistake(masks=masks, probability=None)])))
    assert "picture, mask, predicted, loss 3.2" in reader.text


def test_the_colours_of_masks_are_named() -> None:
    output = evaluation().outputs["output"].model_copy(update={"kind": "mask"})
    page = write_report(full(evaluation=evaluation(outputs={"output": output}), mistakes=[mistake()]))
    named = [f'<span><i style="background:{color}"></i>{name}</span>' for color, name in zip(("#000000", "#4477aa", "#ee6677"), NAMES)]
    assert f'<p class="key">{"".join(named)}</p>' in page


def test_samples_of_numbers_have_no_picture() -> None:
    reader = read(write_report(full(mistakes=[mistake(pictures=())])))
    assert "img" not in {name for name, _ in reader.tags}
    assert "taken for dog" in reader.text


def test_names_cannot_break_out() -> None:
    plain = read(write_report(full()))
    classes = tuple(ClassFigures(label=HOSTILE + n, images=10, correct=5, accuracy=0.5) for n in NAMES)
    output = evaluation().outputs["output"].model_copy(update={"classes": classes})
    keep = NamedSettings(name="best", settings={"monitor": "val.accuracy"})
    kept = record(
        name=HOSTILE, net=HOSTILE, settings={HOSTILE: HOSTILE}, classes={"class": tuple(HOSTILE + n for n in NAMES)},
        train=settings(keep=keep, freeze=(HOSTILE,), stages=staged().stages), data=record().data.model_copy(update={"path": HOSTILE}),
        versions=record().versions.model_copy(update={"platform": HOSTILE}),
    )  # fmt: skip
    hostile = full(
        record=kept, rows=[row.model_copy(update={"stage": HOSTILE}) for row in rows()], spec=HOSTILE, plan=[HOSTILE], notes=[HOSTILE],
        warnings=[HOSTILE], evaluation=evaluation(outputs={HOSTILE: output}), counts={"class": {HOSTILE: (1, 2, 3)}},
        mistakes=[mistake(truth=HOSTILE, taken=HOSTILE, name=HOSTILE, output=HOSTILE)], diagram=Diagram(missing=HOSTILE),
    )  # fmt: skip
    page = write_report(hostile)
    found = read(page)
    assert {name for name, _ in found.tags} <= {name for name, _ in plain.tags} | {"ul", "li"}
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "<script" not in page.lower()
    assert not any(key.startswith("on") for _, attributes in found.tags for key in attributes)
    assert r"\x1b]0;x\x07\u{202e}{0.__class__}%s" in found.text


def test_drawings_keep_shapes_and_words_alone() -> None:
    drawing = (
        '<?xml version="1.0"?><!-- c --><svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" onload="x()">'
        "<metadata>m</metadata><style>*{color:red}</style><script>x()</script><title>n0</title>"
        '<a xlink:href="http://x" xlink:title="a &lt;tip&gt;"><text>in a link</text></a>'
        '<g id="a" style="fill: #333333; clip-path: url(#b)"><use xlink:href="#a"/><use xlink:href="file:///etc/passwd"/>'
        "<text>x &lt;b&gt;</text></g></svg>"
    )
    assert svg(drawing, 'the "net"', "p", (("#333333", "currentColor"),)) == (
        '<svg role="img" aria-label="the &quot;net&quot;"><g><title>a &lt;tip&gt;</title><text>in a link</text></g>'
        '<g id="p-a" style="fill: currentColor; clip-path: url(#p-b)">'
        '<use href="#p-a" /><use /><text>x &lt;b&gt;</text></g></svg>'
    )


def test_all_words_of_the_diagram_are_there() -> None:
    report = full()
    drawn = [e.text for e in ElementTree.fromstring(report.diagram.svg).iter("{http://www.w3.org/2000/svg}text") if e.text]
    assert len(drawn) > 6
    shown = read(svg(report.diagram.svg, "the net", "net")).words
    assert [word for word in shown if word in drawn] == drawn


def test_a_net_that_cannot_be_drawn_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    from netspec.backends.dot import rendering
    from netspec.backends.dot.layout import LayoutTimeout

    def late(*_: object) -> bytes:
        raise LayoutTimeout

    monkeypatch.setattr(rendering, "lay_out", late)
    graph = compile_source(Source("pets.net", "net Pets { image: input(3x16x16) -> flatten -> linear(3) }"))[0]
    diagram = net_diagram(graph)
    assert not diagram.svg
    assert "took more than 20 seconds" in read(write_report(Report(record(), rows(), diagram=diagram))).text
