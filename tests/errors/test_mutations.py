"""Whatever a file holds, the program says what is wrong with it or compiles it: it never fails itself."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from netspec.compiler import diagnose
from netspec.diagnostics.render import as_data, render
from netspec.resources import folder
from netspec.source import Source

SMALL = (Path(__file__).parent / "everything.net").read_text("utf-8")
SPECS = sorted(folder("specs").glob("*.net"))
INSERTED = '{)"0x\n|é'


def judge(text: str) -> int:
    """How many things are said of a text, all of which can be shown."""
    said = diagnose(Source("a.net", text))
    assert render(said).count("[N") >= len(said)
    for diagnostic in said:
        data = as_data(diagnostic)
        assert data["code"][0] == "N" and data["message"] and not data["message"].endswith(".")
        assert diagnostic.place is None or 0 <= diagnostic.place.span.start <= diagnostic.place.span.end <= len(text)
    return len(said)


def test_the_file_itself_is_fine() -> None:
    assert judge(SMALL) == 0


def test_every_deletion() -> None:
    assert sum(judge(SMALL[:i] + SMALL[i + 1 :]) > 0 for i in range(len(SMALL))) > len(SMALL) // 3


def test_every_swap() -> None:
    assert sum(judge(SMALL[:i] + SMALL[i + 1] + SMALL[i] + SMALL[i + 2 :]) > 0 for i in range(len(SMALL) - 1)) > len(SMALL) // 3


@pytest.mark.parametrize("character", INSERTED)
def test_every_insertion(character: str) -> None:
    assert sum(judge(SMALL[:i] + character + SMALL[i:]) > 0 for i in range(len(SMALL) + 1)) > len(SMALL) // 5


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_specs_cut_short_and_patched(path: Path) -> None:
    text = path.read_text("utf-8")
    chance = random.Random(3)
    for _ in range(15):
        at, length, other = chance.randrange(len(text)), chance.randrange(1, 60), chance.randrange(len(text))
        judge(text[:at])
        judge(text[:at] + text[at + length :])
        judge(text[:at] + text[other : other + length] + text[at:])


def test_random_text() -> None:
    chance = random.Random(4)
    for _ in range(300):
        judge("".join(chr(chance.choice([chance.randrange(32, 127), chance.randrange(0x250), 10])) for _ in range(chance.randrange(200))))


def test_random_words() -> None:
    chance = random.Random(5)
    spoken = "-> conv 3x3 if else for in repeat frozen let add relu input image block train expect ** not and 5% 1 net A"
    words = [*"{}()[]|:=,.+-\nx", '"a"', *spoken.split()]
    for _ in range(400):
        judge("net A { image: input(3x8x8)\n" + " ".join(chance.choice(words) for _ in range(chance.randrange(40))) + "\nrelu }")
