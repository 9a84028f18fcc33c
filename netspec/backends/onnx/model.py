"""From a graph and its weights to an ONNX model, node by node, without tracing anything."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper

from netspec import __version__
from netspec.backends.fit import misfits
from netspec.backends.onnx.task import TASK, learned_by, write_task
from netspec.backends.open_inputs import refuse_fixed
from netspec.diagnostics import failure
from netspec.diagnostics.models import ModelTooLarge
from netspec.graph import Graph, Node, key_of
from netspec.lowering import OnnxCall, OnnxConstant, OnnxEach, OnnxExpression, OnnxInput, OnnxWeight
from netspec.objectives import Objective
from netspec.shape import elements

OPSET: Final = 20
"""The first operator set with ``Gelu``; onnxruntime reads it since 1.17."""

IR_VERSION: Final = 9
"""The lowest that operator set 20 allows. The onnx library would write its newest, which released runtimes refuse."""

LARGEST: Final = 1_900_000_000
"""Bytes of weights one file can hold: protobuf ends at 2 GiB."""

Array = NDArray[Any]
_FOLDED = {"Add", "Sub", "Mul"}
"""Operators of two inputs: of several, they are written one after the other, from left to right."""
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)


def to_model(
    graph: Graph,
    weights: Mapping[str, Array],
    classes: Mapping[str, Sequence[str]] | None = None,
    learned: Sequence[Objective] | None = None,
) -> ModelProto:
    """The model of a graph in inference: float32 inputs with a free batch axis, the preprocess inside, dropout and auxiliary outputs gone.

    Equal questions give equal bytes. Names of nodes and tensors are our own numbers; inputs and outputs keep theirs. What the net is
    called, its classes, inputs, outputs and their activations, and what each output has learned, are kept in the model's metadata under
    ``netspec.``. Without ``learned``, that is what the last stage of the graph's section `train` says, and nothing where there is none.

    Sizes that the net leaves open are free axes under the names of their letters, ``H``, or of formulas.

    Raises a :class:`~netspec.diagnostics.NetspecError` N806 where ``weights`` are not the graph's, N813 where they are too large, N831
    where a layer works for one size alone that the net leaves open.
    """
    refuse_fixed(graph, "ONNX")
    if problem := misfits(graph, weights, "the weights given"):
        raise failure(problem)
    used = {graph.nodes[i].path for i in graph.inferred}
    size = sum(elements(weight.shape) * 4 for _, weight, node in graph.weights() if node.path in used)
    if size > LARGEST:
        raise failure(ModelTooLarge(size, LARGEST))
    return _Writer(graph, weights).model(classes, learned_by(graph) if learned is None else learned)


class _Writer:
    """What has been written so far."""

    def __init__(self, graph: Graph, weights: Mapping[str, Array]) -> None:
        self.graph, self.weights = graph, weights
        self.nodes: list[NodeProto] = []
        self.tensors: list[TensorProto] = []
        self.known: dict[object, str] = {}
        self.taken: set[str] = set()
        self.input_names = [self._claim(n.label or n.path, f"input{i}") for i, n in enumerate(graph.inputs)]
        self.output_names = [self._claim(o.name, f"output{i}") for i, o in enumerate(graph.outputs)]

    def model(self, classes: Mapping[str, Sequence[str]] | None, learned: Sequence[Objective] | None) -> ModelProto:
        values = {n.index: name for n, name in zip(self.graph.inputs, self.input_names, strict=True)}
        for node in (n for n in self.graph.layers if n.index in self.graph.inferred):
            values[node.index] = self._emit(node.facts.onnx, [values[i] for i in node.inputs], node, f"n{node.index:04d}")
        self._name_outputs([values[o.node] for o in self.graph.outputs])
        inputs = [_info(name, n.output) for name, n in zip(self.input_names, self.graph.inputs, strict=True)]
        outputs = [_info(name, self.graph.nodes[o.node].output) for name, o in zip(self.output_names, self.graph.outputs, strict=True)]
        body = helper.make_graph(self.nodes, "net", inputs, outputs, self.tensors)
        model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        model.producer_name, model.producer_version = "netspec", __version__
        helper.set_model_props(model, self._metadata(classes, learned))
        return model

    def _claim(self, name: str, otherwise: str) -> str:
        """The name if it is a plain one, and in any case one that nothing else has."""
        found = name if _PLAIN.fullmatch(name) else otherwise
        while found in self.taken:
            found += "_"
        self.taken.add(found)
        return found

    def _emit(self, expression: OnnxExpression, inputs: list[str], node: Node, name: str) -> str:
        """Write what an expression needs, and give the name of its value; ``name`` is for it to take."""
        match expression:
            case OnnxInput(index):
                return inputs[index]
            case OnnxWeight(weight):
                return self._weight(key_of(node.path, weight), node.facts.weights[weight].dtype)
            case OnnxConstant(value, dtype):
                return self._constant(np.array(value, dtype=dtype))
            case OnnxCall():
                part = (node.index, id(expression))  # a part that stands in an expression twice is written once
                if part not in self.known:
                    self.known[part] = self._call(expression, inputs, node, name)
                return self.known[part]
            case OnnxEach():
                raise TypeError(f"`{node.layer}` is declared with all inputs where one is due")

    def _call(self, call: OnnxCall, inputs: list[str], node: Node, name: str) -> str:
        given: list[str] = []
        for part in call.inputs:
            if part is None:
                given.append("")
            elif isinstance(part, OnnxEach):
                given += inputs
            else:
                given.append(self._emit(part, inputs, node, f"{name}_{len(given)}"))
        while call.name in _FOLDED and len(given) > 2:
            given[:2] = [self._operator(call, given[:2], f"{name}_{len(given)}")]
        return self._operator(call, given, name)

    def _operator(self, call: OnnxCall, given: list[str], name: str) -> str:
        result = self._fresh(name)
        attributes: dict[str, Any] = {key: list(v) if isinstance(v, tuple) else v for key, v in call.attributes.items()}
        self.nodes.append(helper.make_node(call.name, given, [result], **attributes))
        return result

    def _weight(self, key: str, dtype: str) -> str:
        if key not in self.known:
            self.known[key] = self._tensor(np.asarray(self.weights[key], dtype=dtype), f"w{len(self.tensors):04d}")
        return self.known[key]

    def _constant(self, array: Array) -> str:
        content = (str(array.dtype), array.shape, array.tobytes())
        if content not in self.known:
            self.known[content] = self._tensor(array, f"c{len(self.tensors):04d}")
        return self.known[content]

    def _tensor(self, array: Array, name: str) -> str:
        fresh = self._fresh(name)
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        self.tensors.append(TensorProto(name=fresh, data_type=kind, dims=array.shape, raw_data=little.tobytes()))
        return fresh

    def _fresh(self, name: str) -> str:
        return self._claim(name, name)

    def _name_outputs(self, results: list[str]) -> None:
        """Give the values of the outputs the outputs' names; one that is an input, or an output already, is passed on."""
        made = {value for node in self.nodes for value in node.output}
        renamed: dict[str, str] = {}
        passed = []
        for value, name in zip(results, self.output_names, strict=True):
            if value not in made or renamed.setdefault(value, name) != name:
                passed.append(helper.make_node("Identity", [value], [name]))
        self.nodes += passed
        for node in self.nodes:
            for names in (node.input, node.output):
                for i, value in enumerate(names):
                    names[i] = renamed.get(value, value)

    def _metadata(self, classes: Mapping[str, Sequence[str]] | None, learned: Sequence[Objective] | None) -> dict[str, str]:
        graph = self.graph
        shapes = {name: _axes(n.output) for name, n in zip(self.input_names, graph.inputs, strict=True)}
        found: dict[str, Any] = {
            "netspec.version": __version__,
            "netspec.name": graph.name,
            "netspec.inputs": shapes,
            "netspec.outputs": {name: o.name for name, o in zip(self.output_names, graph.outputs, strict=True)},
            "netspec.activations": {name: graph.ending(o) for name, o in zip(self.output_names, graph.outputs, strict=True)},
            "netspec.spec_sha256": graph.digest,
        }
        if graph.sizes is not None:
            found["netspec.sizes"] = {s: asdict(rule) for s, rule in graph.sizes.rules.items()}
        if learned is not None:
            found[TASK] = write_task(graph, learned, self.input_names, self.output_names)
        if classes:
            lists = {name: list(classes[o.name]) for name, o in zip(self.output_names, graph.outputs, strict=True) if o.name in classes}
            found["netspec.classes"] = next(iter(lists.values())) if len(graph.outputs) == 1 else lists
        return {key: v if isinstance(v, str) else json.dumps(v, ensure_ascii=True) for key, v in found.items()}


def _info(name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *_axes(shape)])


def _axes(shape: tuple[int, ...]) -> list[int | str]:
    """Numbers, and formulas as text: axes of one name have one size."""
    return [n if isinstance(n, int) else str(n) for n in shape]
