"""What compiles and is hardly meant: habits of other frameworks that mean something else here. All of it is warned of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from netspec.diagnostics import problems
from netspec.diagnostics.collector import Collector
from netspec.graph import Node
from netspec.layer import Layer
from netspec.resolve.arguments import Bound
from netspec.shape import is_open
from netspec.source import Source
from netspec.values import Tensor, Word

_LARGE: Final = 16
"""Kernels of this side and more are rare, and numbers of channels are not."""
_KEEPS: Final = 0.9
"""A batch normalisation that takes so much of every new batch is one whose momentum was meant as the part of the old that stays."""


def input_first(layer: Layer, bound: Bound, flow: Tensor, source: Source) -> problems.InputFirst | None:
    """A convolution whose first number is the channels that flow in, and whose second would rather be those that it makes.

    Its kernel, the second number, is large, and there is a third; or it is larger than the whole map.
    """
    if layer.name not in ("conv", "conv_transpose") or not {"channels", "kernel"} <= bound.spans.keys() - bound.named:
        return None
    channels, kernel, shape = bound.arguments["channels"], bound.arguments["kernel"], flow.shape
    if shape is None or len(shape) < 2 or not isinstance(kernel, int) or kernel < _LARGE or is_open(shape[:1]) or channels != shape[0]:
        return None
    positional = len(bound.spans) - len(bound.named)
    if positional < 3 and (is_open(shape[1:]) or kernel <= min(shape[1:])):
        return None
    texts = [(name, source.text[span.start : span.end]) for name, span in bound.spans.items() if name != "channels"]
    written = [f"{name}={text}" if name in bound.named else text for name, text in texts]
    return problems.InputFirst(layer.name, channels, (kernel,) * (len(shape) - 1), f"{layer.name}({', '.join(written)})")


def report_doubts(nodes: Sequence[Node], collector: Collector) -> None:
    """Warn of what a net's nodes show: inputs with their channels at the end or with a batch, pixels that nothing scales, and momentum."""
    for node in nodes:
        if node.role == "input":
            _report_input(node, collector)
        elif node.layer == "normalize" and isinstance(node.arguments["mean"], Word) and not _is_scaled(node, nodes):
            collector.add(problems.NotScaled(str(node.arguments["mean"])), node.place, (), node.trail)
        elif node.layer == "bn" and (momentum := node.arguments["momentum"]) >= _KEEPS:
            collector.add(problems.OldMomentum(momentum), node.place, (), node.trail)


def _report_input(node: Node, collector: Collector) -> None:
    shape = node.output
    if not is_open(shape) and len(shape) == 3 and shape[2] in (1, 3) and problems.channels_last(shape):
        collector.add(problems.ChannelsLast(shape), node.place)
    elif len(shape) == 4 and problems.has_batch(shape):
        collector.add(problems.BatchInInput(shape), node.place)


def _is_scaled(node: Node, nodes: Sequence[Node]) -> bool:
    """Whether what a node gets has been changed in its numbers since it came in: cropping and resizing leave them as they are."""
    index = node.inputs[0]
    while nodes[index].role != "input":
        if nodes[index].layer not in _MOVING or nodes[index].role != "preprocess":
            return True
        index = nodes[index].inputs[0]
    return False


_MOVING: Final = frozenset(("resize", "upsample", "crop", "pad", "identity"))
"""Layers that move numbers and leave their range as it is."""
