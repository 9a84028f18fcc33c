"""N2xx: tensors that do not fit."""

from collections.abc import Iterable
from dataclasses import dataclass

from netspec.diagnostics.problem import Problem
from netspec.diagnostics.text import listing, plural
from netspec.shape import Open, Shape, elements, is_open, show

_SPATIAL = {0: "vector", 1: "CxL", 2: "CxHxW", 3: "CxDxHxW"}


def channels_last(shape: Shape) -> bool:
    """Whether a shape is most likely that of a picture with its channels at the end: 32x32x3."""
    return len(shape) == 3 and shape[2] in (1, 3) and shape[0] > 4 < shape[1] and (shape[2] == 3 or shape[0] == shape[1])


def _channels_first(shape: Shape) -> str:
    """What to say of a picture with its channels at the end."""
    return f"channels come first: input({show((shape[2], *shape[:2]))})"


def has_batch(shape: Shape) -> bool:
    """Whether a shape is most likely that of a batch of pictures: 1x3x224x224, where a volume would be 3 points deep."""
    if len(shape) != 4 or is_open(shape[:2]) or shape[1] not in (1, 3):
        return False
    return all(isinstance(n, Open) or n >= _PICTURE for n in shape[2:])


_PICTURE = 16
"""Pictures are at least so high and wide."""


def _known_channels(instead: str) -> str:
    """What to say of a convolution that is told the channels that flow in."""
    return f"the channels that flow in are known: write {instead}"


@dataclass(frozen=True)
class DoesNotFit(Problem):
    """The window of a convolution or pooling is larger than the data and its padding."""

    layer: str
    input: Shape
    padded: tuple[int, ...]
    window: tuple[int, ...]
    history: tuple[Shape, ...] = ()
    """The shapes it came to be by, the input's first."""
    instead: str | None = None
    """The layer without the channels that flow in, where they stand first, as elsewhere."""
    code = "N201"

    def message(self) -> str:
        return f"`{self.layer}` covers {show(self.window)}, but what flows in is only {show(self.padded)}{self._padding}"

    @property
    def _padding(self) -> str:
        return "" if self.padded == self.input[1:] else " with its padding"

    def label(self) -> str:
        return f"the input here is {show(self.input)}"

    def notes(self) -> Iterable[str]:
        if len(self.history) > 1:
            shown = [show(s) for s in self.history]
            yield "it came to this size by " + " -> ".join(shown if len(shown) < 10 else [*shown[:4], "…", *shown[-4:]])

    def help(self) -> str:
        if self.instead:
            return _known_channels(self.instead)
        if self.history and channels_last(self.history[0]):
            return _channels_first(self.history[0])
        grow = max((w - p + 1) // 2 for w, p in zip(self.window, self.padded, strict=True))
        return f"make the kernel smaller, add padding={grow} or more, or take out a stride or pooling before it"


@dataclass(frozen=True)
class WrongRank(Problem):
    """A layer got a tensor with another number of axes than it works on."""

    layer: str
    input: Shape
    wanted: str
    hint: str
    code = "N202"

    def message(self) -> str:
        return f"`{self.layer}` needs {self.wanted}, and gets {show(self.input)}"

    def help(self) -> str:
        return self.hint


@dataclass(frozen=True)
class WrongSizes(WrongRank):
    """A layer got a tensor of sizes that it can do nothing with, though their number is right."""

    code = "N215"


def _more_padding(shapes: tuple[Shape, ...]) -> str | None:
    """What to say where some branches are a few points smaller than the largest, as convolutions without padding make them."""
    large = max(shapes, key=lambda s: elements(s[1:]))
    small = [s for s in shapes if s[1:] != large[1:]]
    short = {n - m for s in small for n, m in zip(large[1:], s[1:], strict=True)}
    if len(short) != 1 or max(short) > _FEW or max(short) % 2:
        return None
    more = max(short) // 2
    where = f"{show(small[0])} is {2 * more} smaller on every axis"
    return f"{where}: give a convolution on that branch padding={more}, or {more} more than it has"


@dataclass(frozen=True)
class MergeShapes(Problem):
    """The branches of a merge differ in shape."""

    layer: str
    shapes: tuple[Shape, ...]
    switch: str | None = None
    """A parameter of the block around that puts a layer on an empty branch."""
    flow: bool = False
    """Whether the first tensor is what flows in, and no branch."""
    code = "N203"

    def message(self) -> str:
        return f"`{self.layer}` needs equal shapes on every branch"

    def help(self) -> str:
        first = self.shapes[0]
        other = next(s for s in self.shapes if s != first)
        if len(first) != len(other) or len(first) == 1:
            return f"make every branch give {show(first)}"
        if self.layer == "multiply" and any(not is_open(s) and set(s[1:]) == {1} for s in (first, other)):
            return "a factor for each channel has as many channels: x is what flows in at its place, so take let c = x.channels before"
        if len(first) == 2 and first[0] == other[0]:
            return f"give {show(other)} another linear({first[1]}) where these are sequences; of C x L, check strides and paddings"
        narrow, wide = sorted((first, other), key=lambda s: s[0])
        if first[1:] == other[1:]:
            if self.flow and narrow == first:
                return f"what flows in is narrower: put conv({wide[0]}, 1) before it, or project it, as add {{ | … | conv({wide[0]}, 1) }}"
            which = "narrower" if len(self.shapes) > 2 else "first" if narrow == first else "second"
            return f"project the {which} branch with conv({wide[0]}, 1){self._or_switch}"
        small, large = sorted((first, other), key=lambda s: elements(s[1:]))
        strides = {-(-a // b) for a, b in zip(large[1:], small[1:], strict=True)}
        if len(strides) == 1 and all(-(-a // max(strides)) == b for a, b in zip(large[1:], small[1:], strict=True)):
            return f"project the branch of {show(large)} with conv({small[0]}, 1, stride={strides.pop()}){self._or_switch}"
        return _more_padding(self.shapes) or "make height and width agree: check strides and paddings on every branch"

    @property
    def _or_switch(self) -> str:
        return f", or set {self.switch}=true" if self.switch else ""


_FEW = 12
"""Points by which sizes differ that were meant to agree."""


@dataclass(frozen=True)
class ConcatShapes(Problem):
    """Joined tensors differ on an axis other than the one they are joined along."""

    shapes: tuple[Shape, ...]
    axis: int
    code = "N204"

    def message(self) -> str:
        return f"`concat` joins along axis {self.axis}, and every other axis must agree"

    def help(self) -> str:
        if len({len(s) for s in self.shapes}) > 1:
            return "bring every branch to the same number of axes, with flatten or global_avgpool"
        if len(self.shapes[0]) == 1 or self.axis != 0:
            return "bring every branch to equal sizes on the other axes"
        agree = _more_padding(self.shapes) or "give the branches equal strides and paddings, so that height and width agree"
        return f"{agree}; or cut the larger one with crop_to" if self._nearly else agree

    @property
    def _nearly(self) -> bool:
        """Whether height and width differ by a few points, as where a decoder meets what was rounded down on the way."""
        if any(map(is_open, self.shapes)):
            return False
        gaps = [abs(n - m) for s in self.shapes for n, m in zip(self.shapes[0][1:], s[1:], strict=True)]
        return max(gaps) <= _FEW


@dataclass(frozen=True)
class GroupsDoNotDivide(Problem):
    """The groups of a convolution or of a norm do not divide its channels. A norm makes no channels of its own."""

    groups: int
    inputs: int
    outputs: int | None = None
    code = "N205"

    def message(self) -> str:
        if self.outputs is None:
            return f"{self.groups} groups do not divide {plural(self.inputs, 'channel')} evenly"
        return f"{self.groups} groups do not divide {self.inputs} input channels and {self.outputs} output channels evenly"

    def help(self) -> str:
        from math import gcd

        both = gcd(self.inputs, self.inputs if self.outputs is None else self.outputs)
        fitting = [str(d) for d in range(1, both + 1) if both % d == 0]
        return f"groups may be {listing(fitting, 'or', 10)}"


@dataclass(frozen=True)
class PoolPadding(Problem):
    """The padding of a pooling is more than half its kernel: PyTorch refuses it, as a window could lie in padding alone."""

    padding: tuple[int, ...]
    window: tuple[int, ...]
    code = "N206"

    def message(self) -> str:
        return f"padding {show(self.padding)} is more than half of the kernel {show(self.window)}"

    def help(self) -> str:
        return f"padding may be at most {show(tuple(w // 2 for w in self.window))}"


@dataclass(frozen=True)
class ValuesPerChannel(Problem):
    """A list with a value for each channel has another length than there are channels."""

    layer: str
    count: int
    input: Shape
    code = "N207"

    def message(self) -> str:
        return f"`{self.layer}` has {plural(self.count, 'value')} for {plural(self.input[0], 'channel')}"

    def help(self) -> str:
        if channels_last(self.input):
            return _channels_first(self.input)
        return "write one number" if self.input[0] == 1 else f"write one number for all channels, or a list of {self.input[0]}"


@dataclass(frozen=True)
class MergeOfOne(Problem):
    """A merge with fewer than two branches merges nothing."""

    layer: str
    code = "N208"

    def message(self) -> str:
        return f"`{self.layer}` merges two or more tensors, and there is only one here"

    def help(self) -> str:
        return f"write the branches, as {self.layer} {{ | a | b }}, or name a tensor, as {self.layer}(skip)"


@dataclass(frozen=True)
class ExtentCount(Problem):
    """A size has more or fewer numbers than the tensor has spatial axes."""

    argument: str
    value: tuple[int, ...]
    input: Shape
    code = "N209"

    def message(self) -> str:
        axes = len(self.input) - 1
        space = "one axis" if axes == 1 else f"{axes} axes"
        return f"{self.argument} {show(self.value)} has {plural(len(self.value), 'number')} for the {space} in space of {show(self.input)}"

    def help(self) -> str:
        if len(self.input) == 2:
            return f"write {self.value[0]}"
        return f"write {show((self.value[0],) * (len(self.input) - 1))}, or one number for all axes"


@dataclass(frozen=True)
class NoSuchAxis(Problem):
    """An axis beyond the tensor's."""

    axis: int
    input: Shape
    code = "N210"

    def message(self) -> str:
        return f"there is no axis {self.axis} in a tensor of {show(self.input)}"

    def help(self) -> str:
        if len(self.input) == 1:
            return "a vector has axis 0 alone"
        return f"axes count from 0, the channels, to {len(self.input) - 1}"


@dataclass(frozen=True)
class WindowInPadding(Problem):
    """A dilated pooling of which one window's points all fall beside the data, so that it has no largest number."""

    layer: str
    input: Shape
    dilation: tuple[int, ...]
    code = "N211"

    def message(self) -> str:
        return f"a window of `{self.layer}` with dilation {show(self.dilation)} steps over all of the data and sees padding alone"

    def label(self) -> str:
        return f"the input here is {show(self.input)}"

    def help(self) -> str:
        most = tuple(min(d, n) for d, n in zip(self.dilation, self.input[1:], strict=True))
        return f"make dilation at most {show(most)}, or leave out the padding"


@dataclass(frozen=True)
class HugeTensor(Problem):
    """A tensor with more numbers than a 32-bit index counts."""

    layer: str
    what: str
    count: int
    code = "N212"
    severity = "warning"

    def message(self) -> str:
        return f"{self.what} of `{self.layer}` has {self.count:,} numbers"

    def notes(self) -> Iterable[str]:
        yield f"in float32 that is {self.count * 4 / 1e9:,.1f} GB; beyond 2,147,483,647 numbers many operations and files fail"

    def help(self) -> str:
        return "make the tensor before it smaller, with a stride, a pooling or global_avgpool"


@dataclass(frozen=True)
class ChannelsLast(Problem):
    """An input that looks like a picture with its channels at the end."""

    shape: Shape
    code = "N213"
    severity = "warning"

    def message(self) -> str:
        return f"an input of {show(self.shape)} has {plural(self.shape[0], 'channel')}"

    def help(self) -> str:
        return f"if it is a picture, {_channels_first(self.shape)}"


@dataclass(frozen=True)
class FlowsInTwice(Problem):
    """A merge that names the tensor that flows into it anyway."""

    layer: str
    name: str
    others: tuple[str, ...]
    code = "N214"

    def message(self) -> str:
        return f"`{self.layer}` gets `{self.name}` twice: it flows in, and it is named"

    def help(self) -> str:
        if not self.others:
            return f"name another tensor; {self.layer} {{ | | }} merges what flows in with itself"
        return f"what flows in is always part of it: write {self.layer}({', '.join(self.others)})"


@dataclass(frozen=True)
class InputFirst(Problem):
    """A convolution that seems to be told the channels that flow in before those it makes, as in PyTorch."""

    layer: str
    channels: int
    kernel: tuple[int, ...]
    instead: str
    code = "N216"
    severity = "warning"

    def message(self) -> str:
        return f"`{self.layer}` makes {plural(self.channels, 'channel')}, as many as flow in, with a kernel of {show(self.kernel)}"

    def help(self) -> str:
        return _known_channels(self.instead)


@dataclass(frozen=True)
class BatchInInput(Problem):
    """An input that looks like a batch of pictures."""

    shape: Shape
    code = "N217"
    severity = "warning"

    def message(self) -> str:
        return f"an input of {show(self.shape)} looks like a batch of pictures of {show(self.shape[1:])}"

    def help(self) -> str:
        return f"the batch is left out: write input({show(self.shape[1:]).replace(' ', '')})"
