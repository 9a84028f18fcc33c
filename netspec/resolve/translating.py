"""A step or a choice under its name in another framework, written as it is here: a line that can be pasted.

What was written between the parentheses is kept where it means the same here, which a trial says; else the line has arguments that are
usual. All of it is looked up only once something is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from netspec.layer import layers
from netspec.resolve.arguments import ELSEWHERE, Binder
from netspec.resolve.evaluate import Evaluator
from netspec.shape import Shape, show
from netspec.signature import EPOCHS, Signature
from netspec.source import Span
from netspec.syntax import ast

_NOWHERE: Final = Span(0, 0)


@dataclass(frozen=True)
class Written:
    """What stands between parentheses, how its values are worked out, and how each expression is written."""

    call: ast.Arguments | None
    evaluator: Evaluator
    text: Callable[[ast.Expression], str]

    @property
    def items(self) -> tuple[ast.Argument, ...]:
        return self.call.items if self.call is not None else ()

    def as_call(self, name: str, signature: Signature, items: Sequence[ast.Argument]) -> str | None:
        """``name(items)``, each under our name for it; ``None`` where that is no call of this signature."""
        ours = tuple(_renamed(item, signature) for item in items)
        binder = Binder(name, self.evaluator, lambda *_: None)
        if binder.bind(signature, ast.Arguments(ours, _NOWHERE), _NOWHERE) is None:
            return None
        parts = [f"{item.name}={self._value(item.value)}" if item.name else self._value(item.value) for item in ours]
        return f"{name}({', '.join(parts)})" if parts else name

    def _value(self, expression: ast.Expression) -> str:
        return expression.name if isinstance(expression, ast.Name) else self.text(expression)


def _renamed(item: ast.Argument, signature: Signature) -> ast.Argument:
    """An argument under our name, and a word without the quotes that it has elsewhere."""
    name = item.name
    if name is not None and name not in signature.by_name:
        name = next((ours for ours in ELSEWHERE.get(name, ()) if ours in signature.by_name), name)
    value, parameter = item.value, signature.by_name.get(name or "")
    if isinstance(value, ast.Literal) and parameter is not None and isinstance(value.value, str) and value.value in parameter.kind.words:
        value = ast.Name(value.value, value.span)
    return ast.Argument(name, value, item.name_span, item.span)


# ---- layers

_TAKEN: Final[Mapping[str, int]] = {
    "conv": 4, "conv_transpose": 4, "depthwise_conv": 1, "linear": 1, "maxpool": 3, "avgpool": 3, "adaptive_avgpool": 1,
    "adaptive_maxpool": 1, "dropout": 1, "spatial_dropout": 1, "alpha_dropout": 1, "stochastic_depth": 1, "drop_block": 1,
    "leaky_relu": 1, "elu": 1, "celu": 1, "group_norm": 1, "bn": 0, "pad": 1, "upsample": 1, "pixel_shuffle": 1, "pixel_unshuffle": 1,
    "channel_shuffle": 1, "gaussian_noise": 1, "resize": 1, "scale": 1,
}  # fmt: skip
"""Layers that take elsewhere what they take here, and how many arguments stand in the same order."""
_OWN_MEANING: Final = frozenset({"dim", "axis", "training", "padding_mode"})
"""Arguments of one name and two meanings: axes are counted with the batch elsewhere."""
_INPUT_FIRST: Final = frozenset(
    {"Linear", "Bilinear"} | {f"{name}{d}d" for name in ("Conv", "ConvTranspose", "BatchNorm", "LazyConv") for d in (1, 2, 3)}
)
"""Layers that PyTorch is told the size of the input of, before anything else."""
_KNOWN_HERE: Final = frozenset({"in_channels", "in_features", "num_features", "input_shape", "input_dim", "name"})

_USUAL: Final[Mapping[str, str]] = {
    "threshold": "0.1, 0", "unflatten": "0, [8, 8]", "reshape": "[64, -1]", "permute": "[1, 2, 0]", "unsqueeze": "0", "chunk": "2, 0",
    "split": "[32, 32], 0", "channel_shuffle": "4", "attention": "8", "cross_attention": "memory, 8", "matmul": "other",
    "distance": "other, l2", "conv": "64, 3", "depthwise_conv": "3", "linear": "10", "group_norm": "8", "pad": "1", "crop": "8",
    "crop_to": "other", "maxpool": "2", "avgpool": "2", "lp_pool": "2, 2", "adaptive_avgpool": "1", "adaptive_maxpool": "1",
    "scale": "1/255", "normalize": "imagenet", "reduce_mean": "0", "reduce_sum": "0", "reduce_max": "0", "stochastic_depth": "0.1",
    "gaussian_noise": "0.1", "drop_block": "0.1", "resize": "224x224", "resize_to": "other", "pixel_shuffle": "2", "pixel_unshuffle": "2",
    "conv_transpose": "64, 2, stride=2", "window_partition": "8", "window_merge": "8", "window_shift": "3", "window_attention": "8",
    "upsample": "2", "add": "other", "subtract": "other", "multiply": "other", "max": "other", "min": "other", "mean": "other",
    "concat": "other",
}  # fmt: skip
"""Arguments that are usual, for layers that need some; ``other`` and ``memory`` stand for the labels of tensors."""
_SAID_BY_NAME: Final[Mapping[str, str]] = {
    **{f"reflectionpad{d}d": "1, mode=reflect" for d in (1, 2, 3)},
    **{f"replicationpad{d}d": "1, mode=replicate" for d in (1, 2, 3)},
    **{f"circularpad{d}d": "1, mode=circular" for d in (1, 2, 3)},
    **{f"constantpad{d}d": "1, mode=constant, value=0" for d in (1, 2, 3)},
    **{f"cropping{d}d": "margins=1" for d in (1, 2, 3)},
    "cosinesimilarity": "other, cosine", "cosine_similarity": "other, cosine", "l1dist": "other, l1",
    "upsamplingbilinear2d": "2, mode=bilinear",
}  # fmt: skip
"""What the other name says, and arguments say here."""


def layer_line(name: str, ours: str, written: Written) -> str:
    """What to write for a layer under the name of another framework, with its arguments where they mean the same here."""
    last = name.rpartition(".")[2]
    if last == "ToTensor":
        return "scale(1/255)"
    said = _SAID_BY_NAME.get(last.casefold())
    if said is None and (written.items or ours not in _USUAL) and ours in _TAKEN and (line := _layer_call(last, ours, written)):
        return line
    usual = said or _USUAL.get(ours)
    return f"{ours}({usual})" if usual else ours


def _layer_call(name: str, ours: str, written: Written) -> str | None:
    items = [item for item in written.items if item.name not in _KNOWN_HERE]
    activation = next((item for item in items if item.name == "activation"), None)
    behind = _activation(activation)
    if any(item.name in _OWN_MEANING for item in items) or (activation is not None and behind is None):
        return None
    if name.casefold().startswith("batchnormalization") and any(item.name == "momentum" for item in items):
        return None  # it counts the other way round
    for first in (1, 0) if name in _INPUT_FIRST else (0,):
        kept = [item for item in items[first if items and items[0].name is None else 0 :] if item is not activation]
        if sum(item.name is None for item in kept) > _TAKEN[ours]:
            continue
        if line := written.as_call(ours, layers()[ours].signature, kept):
            return line + (behind or "")
    return None


def _activation(item: ast.Argument | None) -> str | None:
    """`activation="relu"` as the step that it is here; nothing where there is none, or none of that name."""
    value = None if item is None else item.value
    name = value.name if isinstance(value, ast.Name) else value.value if isinstance(value, ast.Literal) else None
    return f" -> {name}" if isinstance(name, str) and name in layers() and layers()[name].family == "activation" else None


# ---- augmentations

_STRENGTH: Final[Mapping[str, str]] = {
    "rotate": "0.1", "zoom": "0.2", "shift": "0.1", "shear": "0.2", "brightness": "0.2", "contrast": "0.2", "saturation": "0.2",
    "hue": "0.05",
}  # fmt: skip
"""How strong steps usually are that need to be told."""
_AS_STRONG: Final = frozenset({*_STRENGTH, "mixup", "cutmix"})
"""Steps whose first argument means the same elsewhere, where it is one that they take."""
_SEVERAL: Final[Mapping[str, tuple[str, ...]]] = {
    "randomverticalflip": ("flip(vertical)",),
    "verticalflip": ("flip(vertical)",),
    "randomflip": ("flip(horizontal)",),
    "randomaffine": ("rotate(degrees=15)", "shift(0.1)"),
    "shiftscalerotate": ("shift(0.0625)", "zoom(0.1)", "rotate(degrees=45)"),
    "huesaturationvalue": ("hue(0.05)", "saturation(0.3)"),
    "randombrightnesscontrast": ("brightness(0.2)", "contrast(0.2)"),
}
"""What other frameworks do in one step, or call by one name."""
_CHANCE_FIRST: Final = frozenset({"randomhorizontalflip", "randomverticalflip", "randomgrayscale", "randomerasing"})
"""Steps whose first argument elsewhere is how often they are done."""
_JITTER: Final = ("brightness", "contrast", "saturation", "hue")


def augmentation_line(name: str, ours: str, signature: Signature, written: Written | None, size: Shape | None) -> str:
    """What to write for an augmentation under the name of another framework; ``size`` is that of the picture, where it is known."""
    other = name.rpartition(".")[2].casefold().replace("_", "")
    if other == "colorjitter":
        return " -> ".join(_jitter(written, size))
    if ours in ("crop", "pad"):
        margin = _number(written, "padding", 0 if ours == "pad" else None) or "4"
        return f"pad({margin if margin.isdecimal() else 4}) -> crop({'32x32' if size is None else show(size[1:])})"
    chance = _number(written, "p", 0 if other in _CHANCE_FIRST else None) if "p" in signature.by_name else None
    chance = chance if chance and float(chance) <= 1 else None
    if steps := _SEVERAL.get(other):
        return " -> ".join(f"{step[:-1]}, p={chance})" if chance and len(steps) == 1 else step for step in steps)
    if written is not None and ours in _AS_STRONG and any(item.name != "p" for item in written.items):
        plain, degrees = written.items, tuple(_named(item, "degrees") for item in written.items[:1])
        for items in (plain, degrees) if ours == "rotate" else (plain,):
            if items and (line := written.as_call(ours, signature, items)):
                return line
    arguments = [*([_STRENGTH[ours]] if ours in _STRENGTH else []), *([f"p={chance}"] if chance else [])]
    return f"{ours}({', '.join(arguments)})" if arguments else ours


def _named(item: ast.Argument, name: str) -> ast.Argument:
    return item if item.name else ast.Argument(name, item.value, item.name_span, item.span)


def _number(written: Written | None, name: str, place: int | None = None) -> str | None:
    """A number by its name, or by its place where it has one."""
    if written is None:
        return None
    for i, item in enumerate(written.items):
        if (item.name == name or (item.name is None and i == place)) and isinstance(item.value, ast.Literal):
            return written.text(item.value) if type(item.value.value) in (int, float) else None
    return None


def _jitter(written: Written | None, size: Shape | None) -> Iterator[str]:
    """The steps of `ColorJitter(0.2, 0.2, 0.2, 0.1)`, those alone that are asked for; grey pictures have no saturation and no hue."""
    several = _JITTER if size is None or size[0] == 3 else _JITTER[:2]
    given = {name: _number(written, name, place) for place, name in enumerate(several)}
    asked = {name: by for name, by in given.items() if by is not None and 0 < float(by) <= (0.5 if name == "hue" else 1)}
    yield from (f"{name}({by})" for name, by in (asked or {name: _STRENGTH[name] for name in several}).items())


# ---- optimisers, losses, metrics, schedules

_LEFT_OUT: Final = frozenset({"T_max", "params", "max_lr", "total_steps", "mode", "verbose", "from_logits", "reduction", "num_classes"})
"""Arguments of choices that are known here from elsewhere in the file."""


def choice_line(ours: str, signature: Signature, written: Written | None = None) -> str:
    """What to write for an optimiser, a loss, a metric or a schedule, with its settings where they mean the same here."""
    items = () if written is None else [item for item in written.items if item.name not in _LEFT_OUT]
    if written is not None and (line := written.as_call(ours, signature, items)):
        return line
    return f"{ours}({EPOCHS})" if signature.required else ours
