"""N8xx, continued: weights of other frameworks, published checkpoints, and what a net is run with."""

from collections.abc import Iterable
from dataclasses import dataclass

from netspec.diagnostics.models import WrongTensor
from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import closest, escape, listing, plural

_SHOWN = 10


def _names(names: tuple[str, ...]) -> str:
    return listing([escape(n[:200]) for n in names], limit=_SHOWN)


@dataclass(frozen=True)
class OrderAmbiguous(Problem):
    """A layer of a file of another framework that fits two layers of the net."""

    name: str
    layer: str
    shapes: str
    candidates: tuple[str, ...]
    places: tuple[str, ...]
    code = "N808"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        shapes = f" ({self.shapes})" if self.shapes else ""
        return f"{escape(self.name)} fits the net in more than one way: {escape(self.layer[:200])}{shapes} may be {self._candidates()}"

    def _candidates(self) -> str:
        places = [f" ({escape(place)})" for place in self.places] or [""] * len(self.candidates)
        return listing([escape(c[:200]) + place for c, place in zip(self.candidates, places)], "or")

    def label(self) -> str:
        return "either here"

    def help(self) -> str:
        if not self.places:
            return "give a file that holds this part alone"
        pair = f"{escape(self.layer[:200])}={escape(self.candidates[0])}"
        return f"shapes and order do not tell: say it, as netspec weights SPEC FILE --map order --pair '{pair}' --out mapped.safetensors"


@dataclass(frozen=True)
class OrderDoesNotFit(Problem):
    """A file of another framework whose layers are not those of the net, in order and shape."""

    name: str
    found: int
    wanted: int
    matched: int
    layout: str
    wrong: tuple[WrongTensor, ...] = ()
    left_over: tuple[str, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()
    """Names of the net's layers without a partner, and where each stands."""
    reason: str = ""
    code = "N809"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        counts = f"{plural(self.found, 'layer')} with weights, and the net {self.wanted:,}"
        return f"{escape(self.name)} does not fit the net by order: it has {counts}; {self.reason or f'the first {self.matched:,} fit'}"

    def notes(self) -> Iterable[str]:
        yield f"compared as weights with {self.layout}"
        yield from map(str, self.wrong[:_SHOWN])
        if self.left_over:
            yield f"left over in the file: {_names(self.left_over)}"
        if self.missing:
            yield "left over in the net: " + listing([f"{escape(n[:200])} ({escape(p)})" for n, p in self.missing], limit=_SHOWN)

    def help(self) -> str:
        return "the net and the one that the file was written from must have the same layers in the same order"


@dataclass(frozen=True)
class LayoutAmbiguous(Problem):
    """A file whose kernels fit with channels first and with channels last, and whose names do not tell."""

    name: str
    source: str
    shape: str
    key: str
    words: str
    code = "N817"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        return (
            f"{escape(self.name)} fits the net in two ways: {escape(self.source[:200])} is {self.shape}, and may be "
            f"{escape(self.key[:200])} as it is, or {self.words}"
        )

    def help(self) -> str:
        return "name the tensors as PyTorch does (weight, bias) or as Keras does (kernel, bias), so that it is known how they lie"


@dataclass(frozen=True)
class NotConvertible(Problem):
    """A net for which weights with channels last are not taken over."""

    layer: str
    path: str
    code = "N818"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        return (
            f"weights with channels last cannot be taken over into this net: `{self.layer}` at {escape(self.path)} "
            "does something else with channels last, and the weights around it would have to follow"
        )

    def help(self) -> str:
        return "convert the weights in the framework they come from, and save them with channels first"


@dataclass(frozen=True)
class UnknownPair(Problem):
    """A layer named in ``--pair`` that is not there."""

    name: str
    where: str
    known: tuple[str, ...]
    code = "N826"
    exit = Exit.USAGE

    def message(self) -> str:
        return f"{escape(self.where)} has no layer with weights named {escape(self.name[:200])}"

    def help(self) -> str:
        near = closest(self.name, self.known)
        return f"did you mean {escape(near[:200])}?" if near else f"it has {_names(self.known)}"


@dataclass(frozen=True)
class NoWeights(Problem):
    """A net that is to be used, and that has no weights for some of its layers."""

    net: str
    missing: tuple[tuple[str, str], ...]
    code = "N819"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        return f"{self.net} has no weights for {plural(len(self.missing), 'tensor')}: what it says would be by chance"

    def notes(self) -> Iterable[str]:
        yield "without weights: " + listing([f"{escape(key[:200])} ({escape(place)})" for key, place in self.missing], limit=_SHOWN)

    def help(self) -> str:
        return "give the net's weights with --weights FILE, or train it first"


@dataclass(frozen=True)
class UnknownCheckpoint(Problem):
    """A name that is not in the table of published checkpoints."""

    name: str
    near: str | None
    code = "N822"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        return f"there is no published checkpoint named {escape(self.name[:200])}"

    def help(self) -> str:
        return f"did you mean {self.near}?" if self.near else "netspec fetch lists all that are known"


@dataclass(frozen=True)
class CannotFetch(Problem):
    """A published checkpoint that is not in the cache and cannot be had from its address."""

    name: str
    address: str
    reason: str
    path: str
    sha256: str
    code = "N823"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"the checkpoint {self.name} is not on this machine and cannot be fetched: {escape(self.reason[:300])}"

    def notes(self) -> Iterable[str]:
        yield f"it is published at {self.address}; its SHA-256 {'is' if len(self.sha256) == 64 else 'begins with'} {self.sha256}"

    def help(self) -> str:
        return f"fetch it where there is a network, and put it here: {escape(self.path)}"


@dataclass(frozen=True)
class CheckpointDiffers(Problem):
    """A file in the place of a published checkpoint that is another one."""

    name: str
    path: str
    what: str
    code = "N824"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        return f"{escape(self.path)} is not the published checkpoint {self.name}: {escape(self.what)}"

    def help(self) -> str:
        return "remove the file, and fetch it again with netspec fetch"


@dataclass(frozen=True)
class PartTwice(Problem):
    """A file that holds a part of a net in two ways: at its place in the whole net, and alone."""

    name: str
    path: str
    whole: str
    alone: str
    code = "N827"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        keys = f"{escape(self.whole[:200])} and {escape(self.alone[:200])}"
        return f"{escape(self.name)} holds the part `{escape(self.path)}` twice: its first tensor may be {keys}"

    def label(self) -> str:
        return "asked for here"

    def help(self) -> str:
        return "give a file that holds it once"


@dataclass(frozen=True)
class WeightsNotThere(Problem):
    """A file of weights that a spec names and that is not there, as the spec is checked."""

    file: str
    code = "N828"
    severity = "warning"

    def message(self) -> str:
        return f"there is no file {escape(self.file[:200])} beside the spec"

    def help(self) -> str:
        return "put it there before training or exporting; a published checkpoint is netspec:NAME, and netspec fetch lists them"
