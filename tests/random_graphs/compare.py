"""One random file through netspec, PyTorch and onnxruntime: nodes, shapes, counts and numbers must agree."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import Tensor, nn

from netspec.backends.onnx import to_model
from netspec.backends.torch import build
from netspec.compiler import compile_source
from netspec.graph import Graph, Node
from netspec.layer import layers
from netspec.shape import Shape
from netspec.source import Source
from netspec.values import Word
from tests.random_graphs.generate import program, shapes
from tests.random_graphs.meaning import Reader
from tests.random_graphs.reference import Held, references
from tests.random_graphs.tree import Program

TOLERANCE = 1e-4
"""The largest difference that is let pass, relative to the largest number of a tensor."""

UNSURE = "numbers that single precision cannot tell"

NOISE = 1e-6
"""Beside the largest number of a tensor: what is lost of it in a few steps of single precision."""

OPTIMISED = 2
"""Every second file, or every so manieth, is also run by onnxruntime with all its optimisations."""

LEVELS = (ort.GraphOptimizationLevel.ORT_DISABLE_ALL, ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
_NUMBERED = re.compile(r"n(\d{4,})")


class Difference(Exception):
    """Two of the three disagree."""


@dataclass
class Outcome:
    """What was compared: the layers, and why some numbers or shapes were not."""

    layers: tuple[str, ...]
    skipped: list[str] = field(default_factory=list)


def compare(seed: int) -> Outcome:
    """Run the file of a seed; raises :class:`Difference`, or whatever else goes wrong in netspec."""
    return compare_program(program(seed), seed)


def compare_program(made: Program, seed: int) -> Outcome:
    """Run a file, with numbers from a seed."""
    graph = compile_source(Source(f"{seed}.net", made.text()), net="Net")[0]
    _same_graph(graph, shapes(made))
    torch.manual_seed(seed)
    net = build(graph).eval()
    state = _randomised(net)
    _same_weights(graph, net, state)
    batch = 1 + seed % 3
    inputs = [torch.randn(batch, *node.output) for node in graph.inputs]
    outcome = Outcome(tuple(n.layer for n in graph.layers))
    values, results = _run(graph, net, inputs)
    witness = Witness(made, graph, net, state, inputs)
    _same_numbers(graph, values, witness, outcome)
    _same_in_onnx(graph, inputs, results, witness, outcome, seed)
    return outcome


def _same_graph(graph: Graph, read: Reader[Shape]) -> None:
    """The nodes that netspec wrote out, against those of the tree."""
    if len(graph.nodes) != len(read.nodes):
        raise Difference(f"netspec makes {len(graph.nodes)} nodes, and the text has {len(read.nodes)}")
    for node, wanted in zip(graph.nodes, read.nodes, strict=True):
        ours = (node.layer, node.inputs, node.frozen, node.role == "preprocess", node.output)
        theirs = (wanted.layer, wanted.inputs, wanted.frozen, wanted.preprocess, wanted.value)
        if ours != theirs:
            raise Difference(f"node {node.index} at {node.path} is {ours}, and should be {theirs}")
        if wanted.path is not None and node.path != wanted.path:
            raise Difference(f"node {node.index} stands at {node.path}, and should at {wanted.path}")
        if node.layer != "input":
            _same_arguments(node, wanted.arguments)
    if {o.name: o.node for o in graph.outputs} != read.outputs and list(read.outputs) != ["output"]:
        raise Difference(f"the outputs are {graph.outputs}, and should be {read.outputs}")
    if {o.name: o.node for o in graph.auxiliary} != read.auxiliary:
        raise Difference(f"the auxiliary outputs are {graph.auxiliary}, and should be {read.auxiliary}")
    if [o.node for o in graph.outputs] != list(read.outputs.values()):
        raise Difference(f"the outputs are {graph.outputs}, and should be {read.outputs}")


def _same_arguments(node: Node, wanted: Mapping[str, Any]) -> None:
    for parameter in layers()[node.layer].signature.parameters:
        value = wanted[parameter.name]
        value = Word(value) if isinstance(value, str) and value in parameter.kind.words else value
        expected = value if value is parameter.default else parameter.kind.accept(value)
        found = node.arguments[parameter.name]
        if found != expected and not (isinstance(found, float) and abs(found - expected) <= 1e-9 * abs(expected)):
            raise Difference(f"`{node.layer}` at {node.path} has {parameter.name} = {found}, and should have {expected}")


def _randomised(net: nn.Module) -> dict[str, Tensor]:
    """The net's state with numbers that tell every weight from the others, also where training starts with zeros."""
    state: dict[str, Tensor] = net.state_dict()
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            continue
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif tensor.dim() < 2:
            tensor.normal_(0.5, 0.5)
        else:
            tensor.normal_(0, max(tensor[0].numel(), 1) ** -0.5)
    return state


def _same_weights(graph: Graph, net: nn.Module, state: Mapping[str, Tensor]) -> None:
    declared = {key: weight for key, weight, _ in graph.weights()}
    if {k: tuple(t.shape) for k, t in state.items()} != {k: w.shape for k, w in declared.items()}:
        raise Difference("the keys or shapes of the state dict are not the graph's")
    if {k for k, _ in net.named_parameters()} != {k for k, w in declared.items() if w.parameter}:
        raise Difference("the module's parameters are not those that the graph declares")
    if sum(p.numel() for p in net.parameters()) != graph.parameters:
        raise Difference("the module and the graph count different parameters")


def _run(graph: Graph, net: nn.Module, inputs: Sequence[Tensor]) -> tuple[dict[int, Tensor], list[Tensor]]:
    """The value of each node, and the net's results; without hooks and with them they must be the same."""
    values = {node.index: x for node, x in zip(graph.inputs, inputs, strict=True)}
    modules = dict(net.named_modules())
    by_path: dict[str, list[Node]] = {}
    for node in graph.layers:
        by_path.setdefault(node.path, []).append(node)
    with torch.inference_mode():
        plain = _results(net(*inputs))
        hooks = [modules[path].register_forward_hook(_keeping(values, nodes)) for path, nodes in by_path.items()]
        results = _results(net(*inputs))
        for hook in hooks:
            hook.remove()
    if not all(_same(a, b) for a, b in zip(plain, results, strict=True)):
        raise Difference("with hooks the net computes something else than without")
    for output, result in zip(graph.outputs, results, strict=True):
        if not _same(values.get(output.node), result):
            raise Difference(f"the output {output.name} is not what its node gives")
    return values, plain


def _results(given: Tensor | dict[str, Tensor]) -> list[Tensor]:
    return list(given.values()) if isinstance(given, dict) else [given]


def _keeping(values: dict[int, Tensor], nodes: Sequence[Node]) -> Any:
    """Keeps what a module gives for its node, and what one with several uses gives for those that had such inputs."""

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        for node in nodes:
            if len(nodes) == 1 or all(_same(values.get(i), x) for i, x in zip(node.inputs, inputs, strict=True)):
                values[node.index] = output

    return keep


def _same(one: Tensor | None, other: Tensor) -> bool:
    return one is other or (one is not None and one.shape == other.shape and torch.equal(one.nan_to_num(), other.nan_to_num()))


class Witness:
    """The same file, computed by what a user of PyTorch would write, in doubles or floats."""

    def __init__(self, made: Program, graph: Graph, net: nn.Module, state: Mapping[str, Tensor], inputs: Sequence[Tensor]) -> None:
        self.made, self.graph, self.state, self.inputs = made, graph, state, inputs
        self.modules = dict(net.named_modules())
        self.used: set[str] = set()
        self.exact = self.values(torch.float64)
        self._unsure: list[bool] | None = None

    def values(self, dtype: torch.dtype, noise: float = 0.0) -> list[Tensor]:
        """What each node gives, or would give if each had so much noise beside its largest number."""
        state = {k: t.to(dtype) if t.is_floating_point() else t for k, t in self.state.items()}
        given = iter([x.to(dtype) for x in self.inputs])

        def apply(path: str, layer: str, inputs: Sequence[Tensor], arguments: Mapping[str, Any]) -> Tensor:
            function = references().get(layer)
            if function is not None:
                result = function(Held(state, path, self.used), *inputs, **arguments)
                return result + noise * result.abs().max() * torch.randn_like(result) if noise else result
            node = next(n for n in self.graph.nodes if n.path == path or path == f"merge {n.index}")
            self.used |= {k for k in state if k == path or k.startswith(f"{path}.")}
            found: Tensor = self.modules[node.path](*[x.float() for x in inputs])
            return found.to(dtype)

        with torch.inference_mode():
            read = Reader(self.made, apply, lambda x: tuple(x.shape[1:]), lambda shape: next(given))
            read.asks = False
            return [n.value for n in read.net().nodes]

    def unsure(self, index: int) -> bool:
        """Whether nobody can be asked for a node's value in single precision: PyTorch itself is far from the exact one, or numbers next to
        those before it give others, as at a threshold."""
        if self._unsure is None:
            rough, moved = self.values(torch.float32), self.values(torch.float64, NOISE)
            near = [distance(r, e) <= TOLERANCE / 20 for r, e in zip(rough, self.exact, strict=True)]
            self._unsure = [not (n and distance(m, e) <= TOLERANCE / 10) for n, m, e in zip(near, moved, self.exact, strict=True)]
        return any(self._unsure[: index + 1])


def distance(found: Tensor, exact: Tensor) -> float:
    """The largest difference, relative to the largest number, or to a hundredth where all are smaller."""
    if found.shape != exact.shape:
        return float("inf")
    exact = exact.double()
    largest = float(exact.abs().max())
    return float((found.double() - exact).abs().max()) / max(largest, 1e-2)


def _same_numbers(graph: Graph, values: Mapping[int, Tensor], witness: Witness, outcome: Outcome) -> None:
    parameters = {k for k, w, _ in graph.weights() if w.parameter}
    if parameters - witness.used:
        raise Difference(f"a user of PyTorch has no use for {sorted(parameters - witness.used)}")
    for node, exact in zip(graph.nodes, witness.exact, strict=True):
        if node.index not in graph.inferred:
            continue
        found = values[node.index]
        if tuple(found.shape[1:]) != node.output or tuple(exact.shape[1:]) != node.output:
            raise Difference(f"`{node.layer}` at {node.path} gives {tuple(found.shape)}, not {node.output}; a user {tuple(exact.shape)}")
        if not exact.isfinite().all():
            outcome.skipped.append("a number that is not finite")
            return
        if not distance(found, exact) <= TOLERANCE:
            if witness.unsure(node.index):
                outcome.skipped.append(UNSURE)
                return
            raise Difference(f"`{node.layer}` at {node.path} is {distance(found, exact):.2g} from what a user of PyTorch computes")


def _same_in_onnx(graph: Graph, inputs: Sequence[Tensor], results: Sequence[Tensor], witness: Witness, outcome: Outcome, seed: int) -> None:
    model = to_model(graph, {k: t.numpy() for k, t in witness.state.items()})
    onnx.checker.check_model(model)
    _same_shapes(graph, onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True))
    content = model.SerializeToString()
    for level in LEVELS if seed % OPTIMISED == 0 else LEVELS[:1]:
        found = _onnxruntime(content, inputs, level)
        for output, ours, theirs in zip(graph.outputs, results, found, strict=True):
            if not ours.isfinite().all():
                continue
            difference = distance(torch.from_numpy(np.asarray(theirs)), ours)
            if difference == float("inf"):
                raise Difference(f"onnxruntime gives {output.name} of shape {np.asarray(theirs).shape}, and PyTorch {tuple(ours.shape)}")
            if not difference <= TOLERANCE:
                if not witness.unsure(output.node):
                    raise Difference(f"{output.name} of onnxruntime ({level}) is {difference:.2g} from PyTorch's")
                outcome.skipped.append(UNSURE)


def _same_shapes(graph: Graph, inferred: onnx.ModelProto) -> None:
    """Shapes that ONNX works out by itself, as far as it does."""
    for info in inferred.graph.value_info:
        numbered = _NUMBERED.fullmatch(info.name)
        if numbered is None:
            continue
        shape = graph.nodes[int(numbered[1])].output
        dims = info.type.tensor_type.shape.dim
        known = [d.dim_value if d.HasField("dim_value") else None for d in dims]
        if len(known) != len(shape) + 1 or any(k is not None and k != n for k, n in zip(known[1:], shape, strict=True)):
            raise Difference(f"ONNX infers {known} for node {info.name}, which has {shape}")


def _onnxruntime(content: bytes, inputs: Sequence[Tensor], level: Any) -> list[Any]:
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    found: list[Any] = session.run(None, {n: x.numpy() for n, x in zip(names, inputs, strict=True)})
    return found
