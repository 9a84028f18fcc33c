"""The files that a spec uses, and the files that those use: each read once, whatever it is called."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from netspec.diagnostics import Problem, problems
from netspec.diagnostics.collector import Collector
from netspec.limits import MAX_BYTES, USE_DEPTH, USE_FILES
from netspec.source import Place, Source
from netspec.syntax import ast
from netspec.syntax.parser import parse
from netspec.syntax.read import LIBRARY, CannotRead, read_used


@dataclass(frozen=True)
class Opened:
    """A used file: what tells it from others, and its tree."""

    identity: Hashable
    file: ast.File


@dataclass
class Library:
    """Reads used files. ``given`` are texts that stand in for files, as a run has kept them, by the keys of :attr:`texts`.

    A key is the file's path from the main spec's folder, or ``netspec:name``.
    """

    collector: Collector
    given: Mapping[str, str] | None = None
    max_bytes: int = MAX_BYTES
    texts: dict[str, str] = field(default_factory=dict)
    """What was read, by key."""
    _known: dict[Hashable, Opened] = field(default_factory=dict)
    _keys: dict[Source, str] = field(default_factory=dict)
    _sources: dict[str, Source] = field(default_factory=dict)
    """What each key was found to be, the first time: a file that changes meanwhile is still one file."""
    _chain: list[tuple[Hashable, str, str]] = field(default_factory=list)
    """The files that are being declared: identity, name, and the place that uses the next."""

    @contextmanager
    def declaring(self, source: Source, identity: Hashable) -> Iterator[None]:
        """While this lasts, files are used by this one."""
        self._chain.append((identity, source.name, ""))
        yield
        self._chain.pop()

    def open(self, use: ast.Use, using: Source) -> Opened | None:
        """What a file's ``use`` names; ``None`` after a report."""
        place = Place(using, use.path_span)
        if not use.path.isprintable() and self._refused_as_text(place):
            return None
        key = self._key(use.path, self._keys.get(using, ""))
        try:
            source = self._read(key, use.path, using)
        except CannotRead as error:
            kind = problems.MayNotUse if error.forbidden else problems.CannotUse
            self.collector.add(kind(use.path, error.reason, error.near), place)
            return None
        identity: Hashable = source.identity or (key.rpartition("/")[0], source.text)
        identity_of_user, name, _ = self._chain[-1]
        self._chain[-1] = (identity_of_user, name, f"{name}:{using.position(use.span.start)[0]}")
        if problem := self._refused(identity):
            self.collector.add(problem, place)
            return None
        if identity not in self._known:
            self._keys[source] = key
            file, found = parse(source)
            self.collector.extend(found)
            self._known[identity] = Opened(identity, file)
        opened = self._known[identity]
        self.texts[key] = opened.file.source.text
        return opened

    def _refused_as_text(self, place: Place) -> bool:
        """Whether a character of a path has been reported already, so that there is no such path."""
        within = (d.place.span for d in self.collector.diagnostics if d.place is not None and d.place.source is place.source)
        return any(place.span.start <= span.start < place.span.end for span in within)

    def _read(self, key: str, path: str, using: Source) -> Source:
        if key in self._sources:
            return self._sources[key]
        if self.given is None:
            source = read_used(path, using, self.max_bytes)
        elif key in self.given:
            source = Source(path, self.given[key])
        else:
            raise CannotRead("it was not kept with the spec")
        self._sources[key] = source
        return source

    def _key(self, path: str, user: str) -> str:
        """The key of a file that the file ``user`` uses."""
        if path.startswith(LIBRARY):
            return path
        if path.startswith("/"):
            return os.path.normpath(path)
        if user.startswith(LIBRARY):
            return LIBRARY + os.path.normpath(path).removesuffix(".net")
        return os.path.normpath(f"{user.rpartition('/')[0] or '.'}/{path}")

    def _refused(self, identity: Hashable) -> Problem | None:
        """Why this file may not be used here, if that is so: it is being declared already, or there are too many."""
        begun = [known for known, _, _ in self._chain]
        if identity in begun:
            circle = self._chain[begun.index(identity) :]
            return problems.UseCycle((*(place for _, _, place in circle), circle[0][1]))
        if len(self._chain) > USE_DEPTH:
            return problems.TooManyFiles(USE_DEPTH, deep=True)
        if identity not in self._known and len(self._known) >= USE_FILES:
            return problems.TooManyFiles(USE_FILES, deep=False)
        return None
