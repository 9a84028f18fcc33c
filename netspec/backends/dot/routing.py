"""Where arrows part, and which of them are drawn straight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import takewhile
from typing import Final

from netspec.backends.dot.picture import Arrow, Box, Cluster, Content

STRAIGHT: Final = 8
_MAIN, _SIDE, _AROUND = 6, 2, 1
"""How much a bend costs: in the first of two ways, in the others, and in those around."""


def parted(content: Content, arrows: tuple[Arrow, ...]) -> tuple[Content, tuple[Arrow, ...]]:
    """Where several boxes in a frame work on one tensor from outside it, one arrow leads in, to a point where it parts."""
    around = frames(content)
    before: dict[str, list[Box]] = {}
    forks: dict[tuple[str, str], str] = {}
    for source, targets in siblings(arrows).items():
        common = _common([around[t] for t in targets])
        if common and around[source][: len(common)] != common:
            first = (*around[targets[0]], targets[0])[len(common)]
            fork = Box(f"f{source}", (), "fork", "fork")
            before.setdefault(first, []).append(fork)
            forks.update(((source, target), fork.id) for target in targets)
    return _with_forks(content, before), tuple(_from_forks(arrows, forks))


def weighed(arrows: tuple[Arrow, ...]) -> tuple[Arrow, ...]:
    """What is alone in its way goes straight; of two ways that part or meet, the first does rather than the second."""
    straight = [a for a in arrows if not a.skip]
    leaving, coming = Counter(a.source for a in straight), Counter(a.target for a in straight)
    seen: set[str] = set()
    found: list[Arrow] = []
    for arrow in arrows:
        ways = max(leaving[arrow.source], coming[arrow.target])
        second = (leaving[arrow.source] > 1 and arrow.source in seen) or (coming[arrow.target] > 1 and arrow.target in seen)
        weight = _AROUND if arrow.skip else STRAIGHT if ways == 1 else _SIDE if ways > 2 or second else _MAIN
        if not arrow.skip:
            seen |= {arrow.source, arrow.target}
        found.append(replace(arrow, weight=weight))
    return tuple(found)


def siblings(arrows: tuple[Arrow, ...]) -> dict[str, list[str]]:
    """Boxes that work on one tensor alone, by where it comes from, if there are several."""
    ways: dict[str, list[str]] = {}
    for arrow in arrows:
        ways.setdefault(arrow.target, []).append(arrow.source)
    found: dict[str, list[str]] = {}
    for target, sources in ways.items():
        if len(sources) == 1:
            found.setdefault(sources[0], []).append(target)
    return {source: targets for source, targets in found.items() if len(targets) > 1}


def frames(content: Content, around: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """The ids of the frames around each box, from the outermost on."""
    found: dict[str, tuple[str, ...]] = {}
    for part in content:
        found.update(frames(part.content, (*around, part.id)) if isinstance(part, Cluster) else {part.id: around})
    return found


def _common(around: list[tuple[str, ...]]) -> tuple[str, ...]:
    """The frames around all of them."""
    return tuple(level[0] for level in takewhile(lambda level: len(set(level)) == 1, zip(*around, strict=False)))


def _with_forks(content: Content, before: Mapping[str, list[Box]]) -> Content:
    """Forks put before the box or frame that stands first below them."""
    found: list[Box | Cluster] = []
    for part in content:
        found += before.get(part.id, ())
        found.append(replace(part, content=_with_forks(part.content, before)) if isinstance(part, Cluster) else part)
    return tuple(found)


def _from_forks(arrows: Iterable[Arrow], forks: Mapping[tuple[str, str], str]) -> Iterator[Arrow]:
    led: set[str] = set()
    for arrow in arrows:
        fork = forks.get((arrow.source, arrow.target))
        if fork is None:
            yield arrow
            continue
        if fork not in led:
            yield Arrow(arrow.source, fork, arrow.text, pointed=False)
        led.add(fork)
        yield replace(arrow, source=fork, text="")
