"""The reference pages, written from the declarations themselves: what they say is what the compiler does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from inspect import cleandoc
from itertools import islice, product
from typing import Any, Final

from netspec import limits, resources
from netspec.augmentations import FILLS, Declared, augmentations
from netspec.diagnostics.text import plural
from netspec.graph import Facts
from netspec.kinds import Extent, Real
from netspec.layer import Layer, Reject, layers
from netspec.resolve.evaluate import functions
from netspec.sections import KEEPS, LOSSES, METRICS, OPTIMIZERS, SCHEDULES, SECTIONS, STOPS, TARGETS
from netspec.shape import Shape
from netspec.shape import show as show_shape
from netspec.signature import Parameter, Signature, signature_of
from netspec.values import Size, Word, show

_TYPICAL: Final[tuple[Shape, ...]] = (
    (8, 32, 32),
    (16, 64),
    (64,),
    (3, 32, 32),
    (8, 64),
    (4, 4, 4, 4, 4),
    (8, 8, 8, 8),
    (4, 4, 9, 16),
    (16, 1, 1),
)
_VALUES: Final = (8, 3, 2, 4, 1, 0, 0.5, Size((8, 8)), (8, -1), (1, 2, 0), (1, 0), (4, 4), (16, 16), (1,))
"""Shapes and arguments for examples, the usual ones first."""

LANGUAGE: Final = """# The language's reference

Written by `netspec reference language` from the declarations. [language.md](language.md) explains the language, [layers.md](layers.md) is
the catalogue of layers.
"""

LAYERS: Final = """# The layers

Written by `netspec reference layers` from the declarations. Shapes are channels first, without the batch. A layer takes the tensor that
flows in; one with several inputs takes the others in parentheses. MACs are the multiply-accumulates of one sample.
"""


AUGMENTATIONS: Final = """# The augmentations

Written by `netspec reference augmentations` from the declarations. [augmentation.md](augmentation.md) explains the region they stand in.
Pixels are counted from 0 to 255. `p` is how often a step is applied.
"""

_FAMILIES: Final[Mapping[str, str]] = {
    "geometry": "Where things are: joined into one resampling.",
    "colour": "What colours things have: joined into one matrix.",
    "picture": "Steps that stand alone.",
    "batch": "Pictures mixed with others of their batch: the last steps of a region.",
}


def layers_page() -> str:
    """The catalogue of layers, family by family, as Markdown."""
    parts = [LAYERS]
    families = dict.fromkeys(known.family for known in layers().values())
    parts.append("\n".join(f"- {family}: {', '.join(f'[`{k.name}`](#{k.name})' for k in _of(family))}" for family in families))
    for family in families:
        parts.append(f"\n## {family}")
        parts += [_layer(known) for known in _of(family)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


_TABLES: Final = (
    ("Losses", LOSSES), ("Metrics", METRICS), ("Optimizers", OPTIMIZERS), ("Schedules", SCHEDULES), ("Stopping", STOPS),
    ("Keeping", KEEPS), ("Sources of targets and inputs", TARGETS),
)  # fmt: skip


def language_page() -> str:
    """Sections, expressions, limits and the grammar, as Markdown."""
    parts = [LANGUAGE, "## Sections"]
    parts += [_declared(name, declaration, "###") for name, declaration in SECTIONS.items()]
    for title, table in _TABLES:
        parts.append(f"## {title}")
        parts += [_declared(name, declaration, "###") for name, declaration in table.items()]
    parts += ["## Functions of expressions", "\n".join(f"- `{name}`: {takes}" for name, takes in functions().items())]
    parts += ["## Limits", _limits()]
    grammar = (resources.folder("grammars") / "netspec.lark").read_text("utf-8")
    parts += ["## Grammar", f"LALR(1), in Lark's notation.\n\n```\n{grammar.strip()}\n```"]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def augmentations_page() -> str:
    """The catalogue of augmentations, family by family, as Markdown."""
    parts = [AUGMENTATIONS]
    for family, sentence in _FAMILIES.items():
        parts += [f"## {family}", sentence, *(_augmentation(known) for known in augmentations().values() if known.family == family)]
    parts += ["## Fills", "What shows where a picture has no points.", *(_declared(name, f, "###") for name, f in FILLS.items())]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _augmentation(known: Declared) -> str:
    names = f"Elsewhere: {', '.join(known.elsewhere)}." if known.elsewhere else ""
    written = f"{known.name}({known.signature})" if known.signature.parameters else known.name
    return "\n\n".join(filter(None, [f"### {known.name}", f"`{written}`", *_described(known.doc, known.signature), names]))


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "layers": layers_page,
    "language": language_page,
    "augmentations": augmentations_page,
}


def example(known: Layer) -> tuple[tuple[Shape, ...], dict[str, Any], Facts] | None:
    """A use of a layer that its rule accepts: the shapes that flow in, the arguments that have to be written, and the facts."""
    required = [p for p in known.signature.parameters if p.required]
    optional = [p for p in known.signature.parameters if not p.required]
    count = 2 if known.is_merge else known.signature.tensors
    for parameters in (required, *([*required, p] for p in optional)):  # some need one of two
        for shape in _TYPICAL:
            for values in islice(product(*map(_accepted, parameters)), 200):
                written = dict(zip((p.name for p in parameters), values, strict=True))
                if facts := _inferred(known, (shape,) * count, written):
                    return (shape,) * count, written, facts
    return None


def _inferred(known: Layer, shapes: tuple[Shape, ...], written: Mapping[str, Any]) -> Facts | None:
    parameters = known.signature.parameters
    try:
        return known.infer(shapes, {p.name: p.kind.accept(written[p.name]) if p.name in written else p.default for p in parameters})
    except Reject:
        return None


def _accepted(parameter: Parameter) -> Iterator[Any]:
    usual = (3, 2) if isinstance(parameter.kind, Extent) else (0.5,) if isinstance(parameter.kind, Real) else ()
    for value in (*map(Word, parameter.kind.words), *usual, *_VALUES):
        try:
            parameter.kind.accept(value)
        except (ValueError, TypeError):
            continue
        yield value


def _of(family: str) -> list[Layer]:
    return [known for known in layers().values() if known.family == family]


def _layer(known: Layer) -> str:
    names = f"Elsewhere: {', '.join(known.elsewhere)}." if known.elsewhere else ""
    parts = [f"### {known.name}", f"`{call(known)}`", *_described(known.doc, known.signature), _example(known), names]
    return "\n\n".join(filter(None, parts))


def call(known: Layer) -> str:
    """How a layer is written: its tensors, then its parameters with their defaults."""
    others = "tensors…" if known.is_merge else ", ".join(["tensor"] * (known.signature.tensors - 1))
    taken = ", ".join(filter(None, [others, str(known.signature)]))
    return f"{known.name}({taken})" if taken else known.name


def _example(known: Layer) -> str:
    found = example(known)
    if found is None:
        return ""
    shapes, written, facts = found
    named = [p.name for p in known.signature.parameters if not (p.positional and p.required)]
    arguments = ["other"] * (len(shapes) - 1) + [f"{n}={show(v)}" if n in named else show(v) for n, v in written.items()]
    text = f"{known.name}({', '.join(arguments)})" if arguments else known.name
    counts = [plural(facts.parameters, "parameter")] * bool(facts.parameters) + [f"{facts.macs:,} MACs"] * bool(facts.macs)
    costs = f", with {' and '.join(counts)}" if counts else ""
    return f"On {show_shape(shapes[0])}, `{text}` gives {show_shape(facts.output)}{costs}."


def _declared(name: str, declaration: Callable[..., None], heading: str) -> str:
    signature = signature_of(declaration)
    return "\n\n".join(filter(None, [f"{heading} {name}", *_described(cleandoc(declaration.__doc__ or ""), signature)]))


def _described(doc: str, signature: Signature) -> list[str]:
    """A docstring's paragraphs, with a table in the place of its list of arguments."""
    meanings = {name: " ".join(words.split()) for name, words in re.findall(r"^- `(\w+)`: (.*(?:\n  .*)*)", doc, re.M)}
    prose = re.sub(r"^- `\w+`: .*(?:\n  .*)*\n?", "", doc, flags=re.M)
    paragraphs = [p.strip("\n") for p in re.split(r"\n\s*\n", prose) if p.strip()]
    return [*paragraphs[:1], _table(signature, meanings), *paragraphs[1:]]


def _table(signature: Signature, meanings: Mapping[str, str]) -> str:
    if not signature.parameters:
        return ""
    rows = ["| argument | accepts | default | |", "|---|---|---|---|"]
    for p in signature.parameters:
        default = "" if p.required else "left out" if p.default is None else f"`{p.shown_default}`"
        cells = (f"`{p.name}`", p.kind.describe(), default, meanings.get(p.name, ""))
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(rows)


def _limits() -> str:
    rows = {
        "nesting of brackets, blocks and expressions": limits.NESTING,
        "characters of a name": limits.NAME_LENGTH,
        "characters of a number": limits.NUMBER_LENGTH,
        "bytes of a spec (`--max-bytes`)": limits.MAX_BYTES,
        "layers once blocks and loops are written out (`--max-nodes`)": limits.MAX_NODES,
        "files that use files that use files": limits.USE_DEPTH,
        "files of one spec": limits.USE_FILES,
    }
    return "\n".join(["| what | at most |", "|---|---|", *(f"| {what} | {count:,} |" for what, count in rows.items())])
