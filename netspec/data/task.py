"""What a net asks of its data: images of a certain form, and so many classes."""

from __future__ import annotations

from dataclasses import dataclass

from netspec.data.decode import ImageFormat
from netspec.diagnostics import failure
from netspec.diagnostics.data import ClassCount, NotAnImageNet
from netspec.diagnostics.sizes import OpenInput
from netspec.graph import Ending, Graph
from netspec.shape import Open, is_open, show, symbols_of


@dataclass(frozen=True)
class Task:
    """One image in, one verdict out. ``ending`` is the activation that the net itself applies last, if any."""

    net: str
    format: ImageFormat
    outputs: int
    ending: Ending | None = None

    @property
    def binary(self) -> bool:
        """Whether one number says how much an image is of the second class."""
        return self.outputs == 1

    @property
    def classes(self) -> int:
        """How many classes the net tells apart."""
        return 2 if self.binary else self.outputs

    def check_classes(self, classes: tuple[str, ...]) -> None:
        """Raise N710 unless the net tells apart as many classes as there are."""
        if len(classes) != self.classes:
            raise failure(ClassCount(self.outputs, classes))


def image_task(graph: Graph, *, any_size: bool = False) -> Task:
    """The task of a net that takes one grey or RGB image and gives a vector; raises N717 for any other.

    Without ``any_size``, one that leaves the image's height or width open raises N832.
    """
    if len(graph.inputs) != 1:
        raise _not(graph, f"it has {len(graph.inputs)} inputs", "train a net with one input, as image: input(3x224x224)")
    shape = graph.inputs[0].output
    if len(shape) != 3 or shape[0] not in (1, 3):
        hint = "write input(1xHxW) for grey and input(3xHxW) for RGB images, as image: input(3x224x224)"
        raise _not(graph, f"its input is {show(shape)}, and images are 1xHxW or 3xHxW", hint)
    if (open_sizes := symbols_of(shape)) and not any_size:
        raise failure(OpenInput(graph.name, "training", open_sizes))
    if len(graph.outputs) != 1:
        raise _not(graph, f"it has {len(graph.outputs)} outputs", "train a net with one output: several at once are not built yet")
    last = graph.nodes[graph.outputs[0].node]
    if len(last.output) != 1 or is_open(last.output):
        raise _not(graph, f"it gives {show(last.output)}, and not a vector", "end with global_avgpool -> flatten -> linear(classes)")
    height, width = (None if isinstance(n, Open) else n for n in shape[1:])
    return Task(graph.name, ImageFormat(shape[0], height, width), last.output[0], graph.ending(graph.outputs[0]))


def _not(graph: Graph, sentence: str, hint: str) -> Exception:
    return failure(NotAnImageNet(graph.name, sentence, hint))
