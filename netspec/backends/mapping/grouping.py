"""A file's tensors grouped into layers, by their names, and the order of these layers.

Names are read as frameworks write them: ``block1_conv1/kernel:0`` (Keras), ``layers/conv2d_1/vars/0`` (Keras 3), ``layer1.0.conv1.weight``
(PyTorch), ``conv1_W`` (older files). What cannot be read in this way is a layer of one tensor, whose name says nothing of its meaning.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from netspec.shape import Shape

Layout = Literal["first", "last"]
"""Where channels stand: first as in PyTorch, last as in Keras."""
Tokens = tuple[str | int, ...]

_ROLES: Final[Mapping[str, str]] = {
    "kernel": "weight", "weight": "weight", "weights": "weight", "w": "weight", "gamma": "weight", "scale": "weight", "alpha": "weight",
    "bias": "bias", "b": "bias", "beta": "bias", "offset": "bias",
    "moving_mean": "running_mean", "running_mean": "running_mean",
    "moving_variance": "running_var", "running_var": "running_var",
    "num_batches_tracked": "num_batches_tracked", "depthwise_kernel": "depthwise", "pointwise_kernel": "pointwise",
}  # fmt: skip
"""What tensors are called elsewhere, and here."""
_ENDING: Final = re.compile(rf"(?:^|(?P<stem>.*)_)(?P<role>{'|'.join(sorted(_ROLES, key=len, reverse=True))})(?:_\d+)?(?::0)?", re.I)
_NUMBERED: Final = re.compile(rf"(?P<role>{'|'.join(sorted(_ROLES, key=len, reverse=True))})(?P<stem>\d+)", re.I)
"""``W1`` and ``b1`` belong together."""
_VARS: Final = re.compile(r"(?:.*/)?vars/\d+")
_LAST: Final = frozenset({"kernel", "gamma", "moving_mean", "moving_variance", "depthwise_kernel", "pointwise_kernel"})
_FIRST: Final = frozenset({"weight", "running_mean", "running_var", "num_batches_tracked"})
_NO_WEIGHTS: Final = re.compile(r"(?:.*[/.])?(?:seed_generator|random_generator)[/.].*|(?:.*[/.])?iterations?(?::0)?")
"""What a framework keeps among the weights and computes nothing with at inference: states of random generators, counters of steps."""


@dataclass(frozen=True)
class Contents:
    """A file by its names and shapes, in its own order.

    ``ordered`` says that this order is that of the layers; otherwise only numbers in names tell which comes first. Of a file of Keras the
    first ``listed`` names are in the order of its list. ``names`` are names of layers beside those in the keys.
    """

    name: str
    shapes: Mapping[str, Shape]
    ordered: bool
    keras: bool = False
    names: Mapping[str, str] | None = None


@dataclass(frozen=True)
class FileLayer:
    """Tensors of a file that belong together. ``roles`` gives the key of each under PyTorch's name for what it is.

    ``place`` stands for its place among the layers: numbers that are compared where the texts around them are equal.
    """

    name: str
    roles: Mapping[str, str]
    place: Tokens
    single: bool = False
    """Whether it is one tensor whose name says nothing of what it is."""
    own: bool = False
    """Whether it is part of a layer's name, as `in_proj_weight` and `class_token`: what a module of PyTorch learns itself stands in a file
    before what is inside of it, wherever it is used."""

    def before(self, other: FileLayer) -> bool:
        """Whether it comes before another by the file's order. Of layers whose order is not told, neither does."""
        for mine, its in zip(self.place, other.place):
            if mine != its:
                return isinstance(mine, int) and isinstance(its, int) and mine < its
        return False

    @property
    def stem(self) -> str:
        """The name without what kind of layer it is: ``conv2_block1_0`` of ``conv2_block1_0_bn``, ``5`` of ``conv2d_5``."""
        last = re.split(r"[/.]", self.name)[-1]
        return _KIND.sub("", last).strip("_")


_KIND: Final = re.compile(
    r"(?:separable_|depthwise_)?conv(?:[123]d)?(?:_transpose)?(?=_|$)|batch_normalization|batch_norm|batchnorm|(?<![a-z])(?:bn|norm|conv|dw)(?![a-z])",
    re.IGNORECASE,
)


def layers_of(contents: Contents) -> tuple[FileLayer, ...]:
    """A file's layers, in the file's order or, where that says nothing, in the order of the numbers in their names."""
    keys = [key for key in contents.shapes if not _NO_WEIGHTS.fullmatch(key)]
    if contents.keras and keys and all(map(_VARS.fullmatch, keys)):
        found = _by_variables(contents, keys)
    else:
        found = [part for layer in by_names(keys) for part in _separated(layer)]
    if contents.keras:
        found = _shortened(found)
    if contents.ordered:
        return tuple(replace(layer, place=("own" if layer.own else "layer", i)) for i, layer in enumerate(found))
    return tuple(sorted(found, key=lambda layer: [(1, t, 0) if isinstance(t, str) else (0, "", t) for t in layer.place]))


def _shortened(layers: Sequence[FileLayer]) -> list[FileLayer]:
    """The layers under the last part of their names, as Keras shows them, where no two have the same."""
    last = Counter(layer.name.rpartition("/")[2] for layer in layers)
    return [replace(layer, name=short) if last[short := layer.name.rpartition("/")[2]] == 1 else layer for layer in layers]


def left_out(contents: Contents) -> tuple[str, ...]:
    """The keys that are no weights: states of random generators, counters of steps."""
    return tuple(key for key in contents.shapes if _NO_WEIGHTS.fullmatch(key))


def layout_by_names(contents: Contents) -> Layout | None:
    """Where channels stand, as far as names tell: whether it is Keras' words that are used, or PyTorch's."""
    if contents.keras:
        return "last"
    used = {match["role"].lower() for key in contents.shapes if (match := _ENDING.fullmatch(_split(key)[1]))}
    last, first = bool(used & _LAST), bool(used & _FIRST)
    return None if last == first else "last" if last else "first"


def _split(key: str) -> tuple[str, str]:
    """A key's parent and its last part."""
    parent, _, last = key.rpartition("/") if "/" in key else key.rpartition(".")
    return parent, last


def by_names(keys: Sequence[str]) -> list[FileLayer]:
    """Keys grouped by all but what the tensor is; a name that does not say so is a layer of its own."""
    groups: dict[str, dict[str, str]] = {}
    own: set[str] = set()
    for key in keys:
        parent, last = _split(key)
        match = _ENDING.fullmatch(last) or _NUMBERED.fullmatch(last)
        if match is None:
            groups[f"\0{key}"] = {"": key}
            continue
        inner = f"{parent}/{match['stem']}" if parent and match["stem"] else parent or match["stem"] or ""
        role = _ROLES[match["role"].lower()]
        group = groups.setdefault(inner, {})
        if parent and match["stem"]:
            own.add(inner)
        if role in group:
            groups[f"\0{key}"] = {"": key}
        else:
            group[role] = key
    return [_grouped(name, roles, name in own) for name, roles in groups.items()]


def _grouped(name: str, roles: Mapping[str, str], own: bool) -> FileLayer:
    plain, single = name.removeprefix("\0"), name.startswith("\0")
    return FileLayer(plain, roles, tokens(plain), single, own or single)


def _by_variables(contents: Contents, keys: Sequence[str]) -> list[FileLayer]:
    """Keras 3 numbers a layer's variables: what each is follows from how many axes it and the others have."""
    groups: dict[str, list[str]] = {}
    for key in sorted(keys, key=lambda k: (k.rpartition("/")[0], int(k.rpartition("/")[2]))):
        groups.setdefault(key.rpartition("/")[0], []).append(key)
    found = []
    for path, variables in groups.items():
        layer = path.removesuffix("vars").rstrip("/")
        called = (contents.names or {}).get(path)
        name = layer if called is None or called == layer.rpartition("/")[2] else f"{layer}/{called}"
        roles = _VARIABLES.get(tuple(min(len(contents.shapes[k]), 2) for k in variables))
        if roles is None:  # as the three of a batch norm, of which one is missing, and who can say which
            roles = tuple(f"variable {i}" for i in range(len(variables)))
        found += _separated(FileLayer(name, dict(zip(roles, variables)), _numbered(layer)))
    return found


_VARIABLES: Final[Mapping[tuple[int, ...], tuple[str, ...]]] = {
    (2,): ("weight",), (2, 1): ("weight", "bias"), (2, 2): ("depthwise", "pointwise"), (2, 2, 1): ("depthwise", "pointwise", "bias"),
    (1,): ("weight",), (1, 1): ("weight", "bias"), (1, 1, 1, 1): ("weight", "bias", "running_mean", "running_var"),
}  # fmt: skip
"""What a layer's variables are, by how many axes each has: 1, or more."""


def _numbered(path: str) -> Tokens:
    """Keras 3 calls the layers of a kind `conv2d`, `conv2d_1`, …: the first is number 0."""
    return tuple(t for part in path.split("/") for t in (*_of_kind(part), "/"))


def _of_kind(part: str) -> Tokens:
    match = re.fullmatch(r"(.*?)(?:_(\d+))?", part)
    assert match is not None
    return (match[1], int(match[2] or 0)) if not part.isdecimal() else (int(part),)


def tokens(name: str) -> Tokens:
    """A name as texts and the numbers between them."""
    return tuple(int(t) if t.isdecimal() and len(t) < 12 else t for t in re.split(r"(\d+)", name))


def _separated(layer: FileLayer) -> list[FileLayer]:
    """A separable convolution is two: one for each channel, and one of single points."""
    if not {"depthwise", "pointwise"} & layer.roles.keys():
        return [layer]
    parts = []
    if "depthwise" in layer.roles:
        own = {} if "pointwise" in layer.roles else {r: k for r, k in layer.roles.items() if r == "bias"}
        parts.append(FileLayer(f"{layer.name} (depthwise)", {"weight": layer.roles["depthwise"], **own}, (*layer.place, 0)))
    if "pointwise" in layer.roles:
        rest = {r: k for r, k in layer.roles.items() if r not in ("depthwise", "pointwise")}
        parts.append(FileLayer(f"{layer.name} (pointwise)", {"weight": layer.roles["pointwise"], **rest}, (*layer.place, 1)))
    return parts
