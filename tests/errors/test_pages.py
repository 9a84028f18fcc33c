"""Every kind of problem has a code of its own and a page, and what a page shows is what the program says."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

import netspec.diagnostics
from netspec.compiler import diagnose
from netspec.diagnostics import Diagnostic, Exit, NetspecError, Problem
from netspec.diagnostics.render import render
from netspec.syntax.read import read_source
from tests.errors.examples import EXAMPLES
from tests.errors.pages import Page, pages

for _module in pkgutil.iter_modules(netspec.diagnostics.__path__):
    import_module(f"netspec.diagnostics.{_module.name}")


def kinds(of: type[Problem] = Problem) -> list[type[Problem]]:
    """Every kind of problem of the program."""
    found = [] if of is Problem else [of]
    for kind in of.__subclasses__():
        found += kinds(kind)
    return [k for k in found if k.__module__.startswith("netspec.") and hasattr(k, "code")]


OF_TEXT = [page for page in pages().values() if page.is_of_text]
OTHERS = [page for page in pages().values() if not page.is_of_text]


def by_code(page: Page) -> str:
    return page.code


def test_every_code_is_of_one_kind() -> None:
    codes = [kind.code for kind in kinds()]
    assert sorted(codes) == sorted(set(codes))
    assert all(re.fullmatch(r"N\d{3}", code) for code in codes)


@pytest.mark.parametrize("kind", kinds(), ids=lambda k: k.code)
def test_every_kind_has_a_page(kind: type[Problem]) -> None:
    assert kind.code in pages(), f"{kind.__name__} has no page docs/errors/{kind.code}.md"
    assert kind.__doc__


@pytest.mark.parametrize("page", pages().values(), ids=by_code)
def test_page_has_the_form_of_all(page: Page) -> None:
    assert page.code in {kind.code for kind in kinds()}, "no problem has this code"
    assert re.fullmatch(rf"# {page.code}: [^\s].*[^\s.]", page.title)
    assert len(page.title.removeprefix("# ")) <= 70
    assert page.sections[""].strip()
    assert all(len(line) <= 140 for line in page.sections[""].splitlines())
    assert list(page.sections) == (["", "Wrong", "Right"] if page.is_of_text else ["", "When"])
    assert len(page.blocks("Wrong" if page.is_of_text else "When", "text")) == 1


def said_of(page: Page, section: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Diagnostic, ...]:
    """What is said of the net of a section, with its files beside it."""
    monkeypatch.chdir(folder)
    for name, text in {"example.net": page.blocks(section, "net")[0], **page.files(section)}.items():
        Path(name).write_text(text, "utf-8")
    return diagnose(read_source("example.net"))


@pytest.mark.parametrize("page", OF_TEXT, ids=by_code)
def test_wrong_net_says_what_the_page_shows(
    page: Page, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = said_of(page, "Wrong", tmp_path, monkeypatch)
    assert [d.code for d in found] == [page.code]
    if request.config.getoption("--golden"):
        page.rewrite_output(render(found))
        return
    assert render(found) == page.output
    kind = next(kind for kind in kinds() if kind.code == page.code)
    assert NetspecError(found).exit is Exit.SPEC is kind.exit


@pytest.mark.parametrize("page", OF_TEXT, ids=by_code)
def test_right_net_compiles(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said_of(page, "Right", tmp_path, monkeypatch) == ()
    assert (page.right, page.files("Right")) != (page.wrong, page.files("Wrong"))


@pytest.mark.parametrize("page", OTHERS, ids=by_code)
def test_other_pages_show_what_the_problem_says(page: Page, request: pytest.FixtureRequest) -> None:
    problem = EXAMPLES[page.code]
    assert problem.code == page.code
    shown = render([Diagnostic(problem)])
    if request.config.getoption("--golden"):
        page.rewrite_output(shown)
        return
    assert shown == page.output
    assert page.blocks("When", "sh")


def test_examples_are_of_pages_without_a_net() -> None:
    assert set(EXAMPLES) == {page.code for page in OTHERS}
