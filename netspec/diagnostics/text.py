"""Small words: safe display of what users wrote, near spellings, lists."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from netspec.shape import Open

_SHORT: Final = 5
"""Up to how many letters a name counts as short."""


def escape(text: str) -> str:
    """The text with control, format (bidirectional) and unpaired characters shown as ``\\x1b`` or ``\\u{202e}``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape_character(c) for c in text)


def _escape_character(character: str) -> str:
    if unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return character
    point = ord(character)
    return f"\\x{point:02x}" if point < 256 else f"\\u{{{point:x}}}"


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like ``name``, letter case aside, or ``None`` if none is near.

    A short name is near only to those of about its length, and to those it begins or ends: three letters in common say little.
    """
    from difflib import get_close_matches

    by_folded: dict[str, str] = {}
    for candidate in known:
        by_folded.setdefault(candidate.casefold(), candidate)
    folded = name.casefold()
    if folded in by_folded:
        return by_folded[folded]
    if len(folded) > _SHORT:
        found = get_close_matches(folded, by_folded, n=1, cutoff=0.6)
    else:
        alike = [k for k in by_folded if abs(len(k) - len(folded)) < 2]
        found = get_close_matches(folded, alike, n=1, cutoff=0.7)
        found = found or [k for k in by_folded if len(folded) > 3 and (k.startswith(folded) or k.endswith(folded))][:1]
    return by_folded[found[0]] if found else None


def listing(items: Sequence[str], joiner: str = "and", limit: int = 12) -> str:
    """``a, b and c``; beyond ``limit`` items, ``a, b, … and 7 more``."""
    if len(items) > limit:
        return f"{', '.join(items[:limit])} {joiner} {len(items) - limit} more"
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {joiner} {items[-1]}"


def plural(count: int, noun: str) -> str:
    """``1 layer``, ``2 layers``, ``1,200 classes``."""
    ending = "" if count == 1 else "es" if noun.endswith(("s", "x", "ch", "sh")) and noun != "epoch" else "s"
    return f"{count:,} {noun}{ending}"


def storage(count: int) -> str:
    """A number of bytes, as ``1.20 GB``, ``6.6 MB``, ``1.5 kB`` or ``40 bytes``."""
    if count >= 10**9:
        return f"{count / 1e9:.2f} GB"
    return f"{count / 1e6:.1f} MB" if count >= 10**6 else f"{count / 1e3:.1f} kB" if count >= 1000 else plural(count, "byte")


def magnitude(count: int, unit: str) -> str:
    """``4.089 GMACs``: four digits, a scale, and what is counted; ``9,408 H W MACs`` where that depends on open sizes."""
    if isinstance(count, Open):
        return f"{count:,} {unit}"
    for scale, prefix in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= scale:
            return f"{count / scale:.4g} {prefix}{unit}"
    return f"{count} {unit}"
