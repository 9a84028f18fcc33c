"""``python -m tests.zoo.lines``: lines of code of our families beside torchvision's own files, as a Markdown table.

The rule, for both sides: a line counts where it holds at least one token of code. Blank lines, comments and docstrings do not count; a
statement over three lines counts three. Of torchvision's files the second figure leaves out what describes downloads and not the network:
imports, ``__all__``, decorators, and the classes of weights (``…_Weights`` and the tables they share, ``…META``); it keeps the constructors
of single nets, which are our ``net A = Family(…)`` lines. Ours count whole, with preprocessing, expected figures and all.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tests.zoo.comparing import SPECS

FAMILIES: Final = (
    (("alexnet",), ("alexnet.py",)),
    (("vgg",), ("vgg.py",)),
    (("resnet",), ("resnet.py",)),
    (("squeezenet",), ("squeezenet.py",)),
    (("densenet",), ("densenet.py",)),
    (("googlenet",), ("googlenet.py",)),
    (("inception_v3",), ("inception.py",)),
    (("mobilenet_v2",), ("mobilenetv2.py",)),
    (("mobilenet_v3",), ("mobilenetv3.py",)),
    (("efficientnet", "efficientnet_v2"), ("efficientnet.py",)),
    (("shufflenet_v2",), ("shufflenetv2.py",)),
    (("convnext",), ("convnext.py",)),
    (("vit",), ("vision_transformer.py",)),
    (("fcn", "deeplab_v3"), ("segmentation/_utils.py", "segmentation/fcn.py", "segmentation/deeplabv3.py")),
)
"""Our files of a family, and torchvision's of the same, under ``torchvision/models``. Not here are Swin and SSD, whose files there hold
much else: a second version, the choice of boxes and their losses."""

_LAYOUT: Final = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def ours(text: str) -> int:
    """Lines of a spec that hold code."""
    return sum(1 for line in map(str.strip, text.splitlines()) if line and not line.startswith("#"))


def theirs(text: str, network_alone: bool) -> int:
    """Lines of a Python file that hold code; with ``network_alone`` without imports, decorators and tables of weights."""
    lines = {line for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type not in _LAYOUT for line in _span(token)}
    tree = ast.parse(text)
    lines.difference_update(*map(_lines, _docstrings(tree)))
    if network_alone:
        lines.difference_update(*map(_lines, _around(tree)))
    return len(lines)


def _span(token: tokenize.TokenInfo) -> range:
    return range(token.start[0], token.end[0] + 1)


def _lines(node: ast.stmt | ast.expr) -> range:
    assert node.end_lineno is not None
    return range(node.lineno, node.end_lineno + 1)


def _docstrings(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            yield node.body[0]


def _around(tree: ast.Module) -> Iterator[ast.stmt | ast.expr]:
    """What a file of torchvision has beside the network."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield from node.decorator_list
        if (
            isinstance(node, ast.Import | ast.ImportFrom)
            or (isinstance(node, ast.ClassDef) and node.name.endswith("_Weights"))
            or (isinstance(node, ast.Assign) and any(isinstance(n, ast.Name) and _of_weights(n.id) for n in node.targets))
        ):
            yield node


def _of_weights(name: str) -> bool:
    return name == "__all__" or name.endswith("META")


def table() -> str:
    """The table in Markdown: a row a family, and their sum."""
    spec = find_spec("torchvision")
    assert spec is not None
    assert spec.origin is not None
    models = Path(spec.origin).with_name("models")
    rows = []
    for specs, files in FAMILIES:
        texts = [(models / file).read_text("utf-8") for file in files]
        written = sum(ours((SPECS / f"{spec}.net").read_text("utf-8")) for spec in specs)
        counts = (written, *(sum(theirs(t, alone) for t in texts) for alone in (True, False)))
        rows.append((", ".join(f"`{spec}.net`" for spec in specs), ", ".join(f"`{file}`" for file in files), *counts))
    total = [sum(column) for column in zip(*(row[2:] for row in rows), strict=True)]
    lines = ["| Ours | torchvision's | our lines | their network | their whole file |", "|---|---|--:|--:|--:|"]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in (*rows, ("all", "", *total)))])


if __name__ == "__main__":
    print(table())
