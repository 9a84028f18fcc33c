"""Every statement that cannot be read is one error, and nothing that merely follows from it is another."""

from __future__ import annotations

import pytest

from netspec.compiler import diagnose
from netspec.source import Source


def found(body: str, before: str = "", behind: str = "") -> list[tuple[str, int]]:
    """Codes and lines; the body begins on line 3."""
    text = f"{before}\nnet A {{ image: input(3x32x32)\n{body}\nglobal_avgpool -> flatten -> linear(2)\n}}\n{behind}\n"
    return [(d.code, d.place.source.position(d.place.span.start)[0] if d.place else 0) for d in diagnose(Source("a.net", text))]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("conv(3 3)", [("N101", 3)]),
        ("conv(3 3)\nrelu\nconv(4, 3) relu\nconv(5,, 3)", [("N101", 3), ("N101", 5), ("N101", 6)]),
        ("stem: conv(3 3)\nstem -> relu\nconv(stem.channels, 1)", [("N101", 3)]),
        ("let w = \nconv(w, 3) -> conv(2 * w, 3)\nrepeat(w) { relu }\nif w > 2 { relu }", [("N101", 3)]),
        ("stem = conv(3, 3)\nstem -> relu", [("N101", 3)]),
        ("stem: { conv(3 3)\nlow: relu }\nstem.low -> relu", [("N101", 3)]),
        ("add { | conv(3 3) | conv(3, 3, padding=1) }", [("N101", 3)]),
        ("for i in range(3) { conv(3, 3 }\nrelu", [("N104", 3)]),
        ("conv(3, 3\nrelu", [("N104", 3)]),
        ("conv(3, 3))\nconv(3 3)", [("N104", 3), ("N101", 4)]),
        ("conv(3, [3)\nrelu\nconv(3 3)", [("N104", 3), ("N101", 5)]),
        ("\"stem: conv(3, 3)\nstem -> relu\nconv(3 3)", [("N103", 3), ("N101", 5)]),
        ("\"stem: conv(3, 3\nrelu", [("N103", 3)]),
        ("conv(3, 3) — relu\nconv(3, 3) ; relu\nconv(3 3)", [("N102", 3), ("N102", 4), ("N101", 5)]),
        ("conv(3×3)\nlet w = 3×\nconv(w, 1)", [("N102", 3), ("N102", 4)]),
        ("x -> relu", [("N101", 3)]),
        ("for: relu", [("N101", 3)]),
        ("relu,\nrelu", [("N101", 3)]),
        ("relu\n{ relu }\nif true\n{ relu }", [("N101", 5)]),
        ("\"stem{1 +}\": relu", [("N101", 3)]),
        ("\"stem{1 +}\": relu\nconv(3 3)", [("N101", 3), ("N101", 4)]),
        ("\"stem{\": relu", [("N109", 3)]),
        ("relu(4x:)", [("N101", 3)]),
        ("relu(x: 3)\nrelu(x: 3)", [("N101", 3), ("N101", 4)]),
        ("conv([x: 3], 3)", [("N101", 3)]),
    ],
)  # fmt: skip
def test_statements(body: str, wanted: list[tuple[str, int]]) -> None:
    assert found(body) == wanted


@pytest.mark.parametrize(
    ("before", "behind", "wanted"),
    [
        ("block b(w { conv(w, 3) }", "", [("N104", 1)]),
        ("block b(w,,) { conv(w, 3) }", "", [("N101", 1)]),
        ("block b(w) { conv(w 3) }", "", [("N101", 1)]),
        ("block { relu }", "train { epochs 3 }", [("N101", 1), ("N101", 7)]),
        ("", "train { epochs: 3, batch = 2 }\nexpect { output = }", [("N101", 7), ("N101", 8)]),
        ("net B = A", "", [("N101", 1)]),
        ("net B { relu ]", "", [("N104", 1)]),
    ],
)
def test_items(before: str, behind: str, wanted: list[tuple[str, int]]) -> None:
    body = "b(8)\nb(8)" if before.startswith("block b") else "relu\nrelu"
    assert found(body, before, behind) == wanted


def test_a_file_that_is_something_else() -> None:
    python = "import torch\nclass Net(nn.Module):\n    def __init__(self):\n        self.conv = nn.Conv2d(1, 2, 3)\n"
    codes = [d.code for d in diagnose(Source("a.net", python))]
    assert set(codes) == {"N101"}
    assert len(codes) <= 4


def test_no_more_than_twenty() -> None:
    assert len(found("\n".join(["conv(3 3)"] * 100))) == 20
    assert len(found("\n".join(["conv(3×3)"] * 100))) == 20
