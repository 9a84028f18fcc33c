"""Which tensors fit a graph: by name, shape and sort of number. Works for any tensors that have a ``shape`` and a ``dtype``."""

from collections.abc import Mapping
from typing import Any

from netspec.diagnostics.models import WeightsDoNotFit, WrongTensor
from netspec.graph import Graph, Node, Weight
from netspec.shape import show


def misfits(
    graph: Graph, tensors: Mapping[str, Any], name: str, bad: tuple[str, ...] = (), *, allow_extra: bool = False
) -> WeightsDoNotFit | None:
    """What keeps ``tensors`` from being the weights of ``graph``, or ``None``.

    Shapes are compared exactly. A batch norm's counter ``num_batches_tracked`` may be missing, as in old checkpoints. ``bad`` are
    sentences about values, to go into the same answer. With ``allow_extra`` there may be more tensors than the net has.
    """
    declared = {key: (weight, node) for key, weight, node in graph.weights()}
    return compare(declared, tensors, name, bad, allow_extra=allow_extra)


def compare(
    declared: Mapping[str, tuple[Weight, Node]],
    tensors: Mapping[str, Any],
    name: str,
    bad: tuple[str, ...] = (),
    *,
    allow_extra: bool = False,
) -> WeightsDoNotFit | None:
    """As :func:`misfits`, for weights given by their keys, each with the layer that declares it."""
    missing = tuple((key, str(node.place)) for key, (weight, node) in declared.items() if key not in tensors and not is_counter(weight))
    unexpected = () if allow_extra else tuple(key for key in tensors if key not in declared)
    wrong = tuple(
        found for key, (weight, node) in declared.items() if key in tensors and (found := _compare(key, tensors[key], weight, node))
    )
    if not (missing or unexpected or wrong or bad):
        return None
    return WeightsDoNotFit(name, missing, unexpected, wrong, bad)


def is_counter(weight: Weight) -> bool:
    """Whether this is a lone whole number, as a batch norm's ``num_batches_tracked``: nothing is computed from it."""
    return weight.shape == () and not weight.parameter and weight.dtype == "int64"


def fits(tensor: Any, weight: Weight) -> bool:
    """Whether a tensor has the shape and the sort of number of a weight."""
    return tuple(tensor.shape) == weight.shape and ("float" in str(tensor.dtype)) == ("float" in weight.dtype)


def _compare(key: str, tensor: Any, weight: Weight, node: Node) -> WrongTensor | None:
    shape = tuple(tensor.shape)
    if shape != weight.shape:
        return WrongTensor(key, show(shape), show(weight.shape), str(node.place))
    if not fits(tensor, weight):
        return WrongTensor(key, str(tensor.dtype).removeprefix("torch."), weight.dtype, str(node.place))
    return None
