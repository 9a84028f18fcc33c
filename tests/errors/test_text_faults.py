"""Texts that are wrong on purpose: each is met with one located error, in a moment, whatever it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netspec.compiler import Limits, compile_source, diagnose
from netspec.diagnostics import Exit, NetspecError
from netspec.limits import MAX_BYTES, MAX_NODES, NAME_LENGTH, NESTING
from netspec.source import Source
from netspec.syntax.read import read_source
from tests.errors.text import FIRST, codes, found, marked, net, only, position, shown


@pytest.fixture(autouse=True)
def _in_a_moment() -> Iterator[None]:
    """No text costs more than two seconds."""
    began = time.process_time()
    yield
    assert time.process_time() - began < 2


# ---- nesting and expansion


@pytest.mark.parametrize("opener", ["(", "[", "{"])
def test_nesting_is_refused_at_the_65th_opener(opener: str) -> None:
    text = "net A { image: input(" + opener * 100_000
    said = only(text)
    assert said.code == "N105"
    assert said.message == f"nesting deeper than {NESTING}"
    assert position(said) == (1, text.index("(") + 1 + NESTING - 2 + 1)


def test_nesting_up_to_the_limit_is_fine() -> None:
    assert codes(net("conv(" + "(" * (NESTING - 2) + "4" + ")" * (NESTING - 2) + ", 3)")) == []


def test_blocks_within_blocks() -> None:
    chain = "\n".join(f"block b{i} {{ b{i - 1} }}" for i in range(1, 80)) + "\nblock b0 { relu }"
    assert only(net("b79", behind=chain)).code == "N105"
    assert codes(net("b50", behind=chain)) == []


@pytest.mark.parametrize(
    ("body", "nodes"),
    [
        ("repeat 1000000000 { conv(3, 3, padding=1) -> relu }", "2,000,000,001"),
        ("repeat 20000 { relu }", "20,001"),
        ("relu -> relu\nrepeat(30000) { relu -> relu -> relu }", "90,003"),
        ("repeat 1000 { repeat 1000 { relu } }", "1,000,001"),
        ("repeat 3 { repeat 5 { repeat 7000 { relu } } }", "105,001"),
        ("repeat 10 { " * 20 + "relu" + " }" * 20, "about 10^20"),
        ("for i in range(3) { repeat(10 ** 9) { relu } }", "1,000,000,001"),
    ],
)
def test_repetition_is_computed_and_not_written_out(body: str, nodes: str) -> None:
    said = only(net(body))
    more = nodes == f"{MAX_NODES + 1:,}"
    assert (said.code, said.message) == (
        "N509", f"expands to more than {MAX_NODES:,} nodes" if more else f"expands to {nodes} nodes, limit {MAX_NODES:,}",
    )  # fmt: skip
    assert position(said)[0] >= FIRST


def test_doubling_blocks() -> None:
    doubled = "block b0 { relu }\n" + "\n".join(f"block b{i} {{ b{i - 1} -> b{i - 1} }}" for i in range(1, 40))
    for text, code in ((doubled, "N509"), (doubled.replace("{ relu }", "{ }"), "N510")):
        assert [d.code for d in diagnose(Source("a.net", net("b39", behind=text)), Limits(nodes=2_000))] == [code]


def test_the_limit_of_nodes_is_raised() -> None:
    source = Source("a.net", net("repeat 20000 { relu }"))
    (graph,) = compile_source(source, limits=Limits(nodes=30_000))
    assert len(graph.layers) == 20_003
    with pytest.raises(NetspecError):
        compile_source(source)


# ---- numbers and arithmetic


@pytest.mark.parametrize(
    "value", ["0", "-1", "1e308", "1e309", "2147483648", "0.5", "2 ** 64", "floor(1e308)", "1e308 * 10", "true", "[3]", '"3"']
)
def test_channels_are_a_whole_number(value: str) -> None:
    said = only(net(f"conv({value}, 3)"))
    assert (said.code, said.message) == ("N401", "channels of `conv` must be a whole number 1..2147483647")
    assert marked(said) == value
    assert len(said.problem.label()) < 100


@pytest.mark.parametrize("value", ["9" * 5000, "0." + "9" * 5000, "1" + "x1" * 5000])
def test_digits_without_end(value: str) -> None:
    assert only(net(f"conv({value}, 3)")).code == "N107"
    assert len(shown(net(f"conv({value}, 3)"))) < 1000


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("inf", "N303"), ("nan", "N303"), ("1 / 0", "N502"), ("1 // 0", "N502"), ("1 % 0", "N502"), ("0 ** -1", "N502"),
        ("2 ** 10 ** 9", "N503"), ("2 ** 2 ** 2 ** 2 ** 2 ** 2", "N503"), ("10 ** 400", "N503"), ("[1] * 1000000", "N503"),
        ("range(10 ** 9)", "N503"), ("round(1e308 * 10)", "N503"), ("round_to(8, 0)", "N502"), ("(-8) ** 0.5", "N501"),
        ("len(3)", "N508"), ("min()", "N508"), ("max([])", "N508"), ("range(0.5)", "N508"), ("range(1, 2, 0)", "N508"),
        ("sum(1, 2)", "N508"), ("sum([true])", "N508"), ("sum([1, image])", "N508"),
        ("[1, 2][2]", "N507"), ("[1, 2][0.5]", "N501"), ("3[0]", "N501"), ("eval(3)", "N303"), ("image + 1", "N501"),
        ("-" * 1000 + "3", "N511"), ("not " * 1000 + "true", "N511"), ("2" + " ** 2" * 1000, "N511"),
    ],
)  # fmt: skip
def test_arithmetic_that_has_no_value(value: str, code: str) -> None:
    said = only(net(f"conv({value}, 3)"))
    assert said.code == code
    assert position(said)[0] == FIRST


def test_a_long_sum_is_no_deep_one() -> None:
    assert codes(net("conv(" + "1 + " * 10_000 + "1, 3)")) == []


@pytest.mark.parametrize(
    ("arguments", "at"),
    [
        ("8, 0", "0"), ("8, 3, stride=0", "0"), ("8, 3, stride=-1", "-1"), ("8, 3, dilation=0", "0"), ("8, 3, groups=0", "0"),
        ("8, 3, padding=-1", "-1"), ("8, 0x3", "0x3"), ("8, 3x3x3x3", "3x3x3x3"), ("8, 3, bias=1", "1"),
    ],
)  # fmt: skip
def test_arguments_out_of_bounds(arguments: str, at: str) -> None:
    said = only(net(f"conv({arguments})"))
    assert (said.code, marked(said)) == ("N401", at)


# ---- characters


@pytest.mark.parametrize(
    ("character", "message", "hint"),
    [
        ("с", "character U+0441 (CYRILLIC SMALL LETTER ES) not allowed", "did you mean c?"),
        ("ｆ", "character U+FF46 (FULLWIDTH LATIN SMALL LETTER F) not allowed", "did you mean f?"),
        ("\0", "NUL byte", "take it out"),
        ("\r", "character U+000D (CARRIAGE RETURN) not allowed", "end lines with a line feed"),
        ("\x0c", "character U+000C (FORM FEED) not allowed", "take it out"),
        ("\u2028", "character U+2028 (LINE SEPARATOR) not allowed", "take it out"),
        ("\u202e", "character U+202E (RIGHT-TO-LEFT OVERRIDE) not allowed", "take it out"),
        ("\ufeff", "character U+FEFF (ZERO WIDTH NO-BREAK SPACE) not allowed", "take it out"),
        ("\x1b", "character U+001B (ESCAPE) not allowed", "take it out"),
        ("“", "character U+201C (LEFT DOUBLE QUOTATION MARK) not allowed", "straight double quotes"),
        ("→", "character U+2192 (RIGHTWARDS ARROW) not allowed", "write -> between steps"),
        ("×", "character U+00D7 (MULTIPLICATION SIGN) not allowed", "write x in a size"),
        ("–", "character U+2013 (EN DASH) not allowed", "write - for minus"),
        (";", "character U+003B (SEMICOLON) not allowed", "line breaks"),
        ("^", "character U+005E (CIRCUMFLEX ACCENT) not allowed", "write **"),
        ("é", "character U+00E9 (LATIN SMALL LETTER E WITH ACUTE) not allowed", "did you mean e?"),
    ],
)  # fmt: skip
def test_characters_that_are_not_allowed(character: str, message: str, hint: str) -> None:
    said = only(net(f"  stem{character}: conv(8, 3)"))
    assert (said.code, said.message, marked(said)) == ("N102", message, character)
    assert position(said) == (FIRST, 7)
    assert hint in (said.problem.help() or "")


@pytest.mark.parametrize("place", ["# said {} more", '"st{}em": relu', "relu # {}"])
@pytest.mark.parametrize("character", ["\x1b", "\u202e", "\u2066", "\0", "\u2028"])
def test_what_controls_the_display_is_allowed_nowhere(place: str, character: str) -> None:
    body = place.format(character)
    assert "N102" in codes(net(body))
    assert character not in shown(net(body))


def test_comments_may_hold_any_script() -> None:
    assert codes(net("relu # Größe, 大きさ, размер, 🎉")) == []


def test_wide_characters_and_tabs_keep_the_carets_in_place() -> None:
    excerpt = shown(net('\tlet a = "大き" -> 1')).splitlines()[3:5]
    assert excerpt == [' 3 |     let a = "大き" -> 1', "   | " + 19 * " " + "^^ expected `}` or a new line"]


# ---- files


def written(tmp_path: Path, data: bytes) -> Source:
    path = tmp_path / "a.net"
    path.write_bytes(data)
    return read_source(path)


GOOD = net("conv(8, 3) -> relu").encode()


@pytest.mark.parametrize(
    "data", [GOOD, b"\xef\xbb\xbf" + GOOD, GOOD.replace(b"\n", b"\r\n"), GOOD.rstrip(), b"# said\n" + GOOD, GOOD + b"# said"]
)
def test_files_that_are_fine(tmp_path: Path, data: bytes) -> None:
    assert diagnose(written(tmp_path, data)) == ()


def test_a_byte_order_mark_moves_no_column(tmp_path: Path) -> None:
    (said,) = diagnose(written(tmp_path, b"\xef\xbb\xbfnet A A {}"))
    assert position(said) == (1, 7)


def test_lines_end_with_or_without_carriage_return(tmp_path: Path) -> None:
    wrong = net("relu\nrleu").encode()
    assert [position(d) for d in diagnose(written(tmp_path, wrong.replace(b"\n", b"\r\n")))] == [(FIRST + 1, 1)]


@pytest.mark.parametrize("data", [b"", b"\n", b"# said", b"\xef\xbb\xbf", b"   \n\t\n"])
def test_nothing_in_it(tmp_path: Path, data: bytes) -> None:
    assert [d.code for d in diagnose(written(tmp_path, data))] == ["N108"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (GOOD.decode().encode("utf-16"), "is not UTF-8 at byte 0; it looks like UTF-16"),
        (GOOD.decode().encode("utf-16-le"), "is not UTF-8 at byte 1; it looks like UTF-16"),
        (GOOD.replace(b"relu", "rélu".encode("latin-1")), f"is not UTF-8 at byte {GOOD.index(b'relu') + 1}; it looks like Latin-1"),
        (GOOD + b"\x80", f"is not UTF-8 at byte {len(GOOD)}"),
    ],
)
def test_other_encodings(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(NetspecError, match=message) as caught:
        written(tmp_path, data)
    assert caught.value.exit is Exit.SPEC


def test_a_file_beyond_the_limit(tmp_path: Path) -> None:
    with pytest.raises(NetspecError, match="has 10,000,000 bytes, and a spec may have 262,144"):
        written(tmp_path, b"a" * 10_000_000)


@pytest.mark.parametrize(
    ("text", "code"), [("a" * 10_000_000, "N106"), ("×" * 5_000_000, "N102"), ("\x1b" * 1_000_000, "N102"), ("#" * 10_000_000, "N108")]
)
def test_one_line_of_ten_million(text: str, code: str) -> None:
    said = diagnose(Source("a.net", text), Limits(bytes=10**8))
    assert said[0].code == code
    assert max(map(len, shown(text).splitlines())) < 1300


@pytest.mark.parametrize("rest", ["", "a" * (MAX_BYTES - 1000), "\nrelu\nrelu", " # said", '" "'])
def test_an_unclosed_string_is_marked_where_it_opens(rest: str) -> None:
    said = found(net(f'  "stem{rest}'))
    assert said[0].code == "N103"
    assert position(said[0]) == (FIRST, 3 if rest != '" "' else 10)
    assert max(map(len, shown(net(f'"stem{rest}')).splitlines())) < 200


def test_an_excerpt_is_cut_to_120_characters() -> None:
    line = next(
        text
        for text in shown(net("relu -> " * 200 + "rleu -> " + "relu -> " * 200 + "relu")).splitlines()
        if "rleu" in text and " | " in text
    )
    assert "…" in line
    assert len(line.partition("| ")[2].strip("…")) <= 120


# ---- names


@pytest.mark.parametrize(
    "name", ["forward", "training", "__class__", "_modules", "state_dict", "T_destination", "__init__", "self", "None", "_"]
)
def test_names_that_mean_something_elsewhere(name: str) -> None:
    text = net(f"{name}: conv(8, 3)\nstem: {{ {name}: conv(8, 1) }}\nconv({name}.channels, 1)")
    (graph,) = compile_source(Source("a.net", text))
    assert {name, f"stem.{name}"} <= set(graph.labels)


@pytest.mark.parametrize(
    "name", ["a.b", "a/b", "a b", "", "a" * 10_000, "1a", "{", "}", "\\", "x');__import__('os')", "{image}", "{1.5}", "{[1]}", "-"]
)
def test_labels_that_are_no_names(name: str) -> None:
    said = only(net(f'"{name}": conv(8, 3)'))
    assert said.code == "N109"
    assert len(said.message) < 200


@pytest.mark.parametrize("name", ["{0.__class__}", "{image.__class__}", "%s{0.__class__.__mro__}", "{image.__init__}"])
def test_nothing_of_python_can_be_reached(name: str) -> None:
    assert only(net(f'"{name}": conv(8, 3)')).code == "N307"


def test_a_label_computed_from_what_cannot_be_read() -> None:
    for inside in ("", "1 +", "(", '{"', "1 2"):
        assert codes(net(f'"stem{{{inside}}}": relu'))[0] in {"N101", "N104", "N103", "N109", "N102"}


def test_names_have_at_most_64_characters() -> None:
    assert codes(net(f"{'a' * NAME_LENGTH}: relu")) == []
    assert only(net(f"{'a' * (NAME_LENGTH + 1)}: relu")).code == "N106"


@pytest.mark.parametrize("text", ["%s", "%(a)s", "{0.__class__}", "{{}}", "\\x1b[31m"])
def test_what_users_write_is_never_a_template(text: str) -> None:
    for whole in (
        net("relu", behind=f'train {{ "{text}" = 3 }}'),
        net("relu", behind=f'expect {{ "{text}" = 3 }}'),
        net(f'conv("{text}", 3)'),
    ):
        assert text in shown(whole)


def test_control_characters_are_shown_escaped() -> None:
    text = net("rleu # \x1b]0;title\x07")
    said = diagnose(Source("\x1b[31mred\n.net", text))
    assert "\x1b" not in (rendered := shown(text))
    assert "\\x1b]0;title\\x07" in rendered
    from netspec.diagnostics.render import render

    assert "\x1b" not in render(said)
    assert "--> \\x1b[31mred\\x0a.net:3:1" in render(said)


def test_code_in_a_name_or_a_string_is_text() -> None:
    assert codes(net('x");__import__("os").system("id")#: relu')) == ["N103"]
    assert only(net("conv(\"__import__('os').system('id')\", 3)")).code == "N401"


def test_names_that_letter_case_alone_tells_apart_are_a_warning() -> None:
    said = only(net("Stem: conv(8, 3)\nstem: conv(8, 3)"))
    assert (said.code, said.is_error) == ("N313", False)
    assert [position(said), *(str(r.place) for r in said.related)] == [(FIRST + 1, 1), "a.net:3:1"]
    assert codes(net("Stem: { low: relu }\nHigh: { Low: relu }")) == []


# ---- the same twice


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        (net("stem: relu\nstem: relu"), "stem", "stem"),
        (net("relu", before="net A { image: input(1x2x2) }"), "A", "A"),
        (net("relu", behind="block b { relu }\nblock b { tanh }"), "b", "b"),
        (net("relu", behind="block A { relu }"), "A", "A"),
        (net("relu", parameters="(a = 1, a = 2)"), "a = 1", "a = 2"),
        (net("relu", behind="train { epochs = 1\nepochs = 2 }"), "epochs", "epochs"),
        (net("relu", behind="train { epochs = 1 }\ntrain { epochs = 2 }"), "train", "train"),
        (net("relu", behind="expect A { output = 10 }\nexpect A { parameters = 1 }"), "expect", "expect"),
        (net("relu", behind="expect { output = 10\noutput = 10 }"), "output", "output"),
        (net("a: relu\noutput(a, a)"), "a", "a"),
        (net("image: input(3x2x2)"), "image", "image"),
    ],
)
def test_defined_twice(text: str, first: str, second: str) -> None:
    said = next(d for d in found(text) if d.code == "N304")
    assert marked(said) == second
    (related,) = said.related
    assert (related.text, related.place.source.text[related.place.span.start : related.place.span.end]) == ("first here", first)
    assert related.place.span < said.place.span  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("body", "code", "hint"),
    [
        ("cnov(8, 3)", "N301", "did you mean conv?"),
        ("conv(8, kernal=3)", "N402", "did you mean kernel?"),
        ("conv(8, kernel_size=3)", "N402", "did you mean kernel?"),
        ("conv(filters=8, kernel=3)", "N402", "did you mean channels?"),
        ("conv(8, 3, activation=relu)", "N402", "an activation is a step of its own"),
        ("conv(8, 3, in_channels=3)", "N402", "it is worked out"),
        ("conv(8, 3, padding=saem)", "N401", "did you mean same?"),
        ("conv(8, 3, padding=\"same\")", "N401", "write same, without quotes"),
        ("CONV(8, 3)", "N301", "did you mean conv?"),
        ("Conv2D(8, 3)", "N302", "write conv("),
        ("nn.Conv2d(3, 8, 3)", "N302", "write conv("),
        ("MaxPooling2D(2)", "N302", "write maxpool("),
        ("BatchNorm2d", "N302", "write bn"),
    ],
)  # fmt: skip
def test_misspelled(body: str, code: str, hint: str) -> None:
    said = only(net(body))
    assert said.code == code
    assert hint in (said.problem.help() or "")
