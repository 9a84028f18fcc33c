"""The module a graph becomes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from netspec.backends.open_inputs import sizes_of
from netspec.backends.torch.learned import parameters_of
from netspec.backends.torch.preprocess import TakesBytes
from netspec.backends.torch.program import Program, plan
from netspec.diagnostics import failure
from netspec.diagnostics.models import WrongInput, WrongInputCount
from netspec.frontier import logit_node
from netspec.graph import Ending, Graph, Node, Output
from netspec.shape import Shape, is_open

Made = TypeVar("Made")


class Region(nn.Module):
    """A plain container: what stands under one label.

    Children are put straight into the table of children, so that no name a user may choose touches an attribute.
    """

    def insert(self, name: str, child: nn.Module) -> None:
        """Put ``child`` under ``name``."""
        self._modules[name] = child

    def __setattr__(self, name: str, value: Any) -> None:
        """Give what is learned here its new value, as loading with ``assign=True`` does; other attributes are PyTorch's own."""
        if name in self.__dict__.get("_parameters", ()):
            self._parameters[name] = value
        else:
            super().__setattr__(name, value)

    def train(self, mode: bool = True) -> Region:
        """As :meth:`torch.nn.Module.train`, also where a child is called ``training``."""
        self.__dict__["training"] = mode
        for child in self.children():
            child.train(mode)
        return self


class CompiledNet(Region):
    """A compiled network: its modules at their paths, and the program that runs them.

    Call it with one tensor for each input of the net, in the order of the text: batches of channels-first images (or vectors),
    floats or ``uint8``. It gives a tensor, or for a net with several outputs a dictionary of them by name. While training, a net with
    auxiliary outputs gives a dictionary with those as well; in evaluation nothing is computed for them.

    Modules are run as they were built: one replaced from outside is not noticed.
    """

    def __init__(self, graph: Graph, leaves: Mapping[str, nn.Module]) -> None:
        super().__init__()
        state = self.__dict__
        state["_graph"] = graph
        state["_leaves"] = dict(leaves)
        state["_frozen"] = frozenset(n.path for n in graph.layers if n.frozen)
        state["_inputs"] = tuple((n.label or n.path, n.output, len(n.output) + 1) for n in graph.inputs)
        state["_accepted"] = None if graph.sizes is None else set()  # shapes of inputs with open sizes that came before
        modules = state["_modules_of"] = {n.index: leaves[n.path] for n in graph.layers}
        state["_casts"] = tuple(not _takes_bytes(graph, n, modules) for n in graph.inputs)
        state["_names"] = _in_both_modes(graph, lambda outputs: tuple(o.name for o in outputs))
        state["_programs"] = _in_both_modes(graph, lambda outputs: plan(graph, modules, [o.node for o in outputs]))
        state["_ends"] = _in_both_modes(graph, lambda outputs: tuple(logit_node(graph, o) for o in outputs))
        state["_logits"] = _in_both_modes(graph, lambda outputs: plan(graph, modules, [logit_node(graph, o) for o in outputs]))
        state["_parts"] = {}  # programs of parts of the net, by what they are given and what they give
        self.freeze(self.frozen)

    @property
    def graph(self) -> Graph:
        """What this was built from."""
        graph: Graph = self.__dict__["_graph"]
        return graph

    @property
    def frozen(self) -> frozenset[str]:
        """The paths of the layers that do not learn."""
        frozen: frozenset[str] = self.__dict__["_frozen"]
        return frozen

    @property
    def leaves(self) -> Mapping[str, nn.Module]:
        """The modules of the layers, by their paths: those that the program runs."""
        leaves: Mapping[str, nn.Module] = self.__dict__["_leaves"]
        return leaves

    @property
    def activations(self) -> dict[str, Ending | None]:
        """For each output, auxiliary ones last, the ``softmax`` or ``sigmoid`` it ends in, which :meth:`logits` leaves out."""
        return {o.name: self.graph.ending(o) for o in (*self.graph.outputs, *self.graph.auxiliary)}

    def freeze(self, paths: Collection[str]) -> None:
        """Let exactly the layers at these paths not learn: no gradients, and inference mode even while the rest trains."""
        state = self.__dict__
        state["_frozen"] = frozenset(paths)
        for path, module in state["_leaves"].items():
            for parameter in parameters_of(module):
                if parameter.is_floating_point():
                    parameter.requires_grad_(path not in self.frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> CompiledNet:
        """As :meth:`torch.nn.Module.train`, but frozen layers stay in inference mode."""
        super().train(mode)
        if mode:
            leaves = self.__dict__["_leaves"]
            for path in self.frozen:
                leaves[path].train(False)
        return self

    def forward(self, *inputs: Tensor) -> Tensor | dict[str, Tensor]:
        """The outputs for a batch, and while training the auxiliary ones too.

        Raises a :class:`~netspec.diagnostics.NetspecError` N820 or N821 where the inputs are not what the net takes, and N830 where it
        refuses their sizes.
        """
        return self._run(self.__dict__["_programs"][self.training], inputs)

    def logits(self, *inputs: Tensor) -> Tensor | dict[str, Tensor]:
        """As :meth:`forward`, but without the softmax or sigmoid an output ends in: what losses are computed from."""
        return self._run(self.__dict__["_logits"][self.training], inputs)

    def features(self, nodes: Sequence[int], *inputs: Tensor) -> tuple[Tensor, ...]:
        """The values of the nodes with these numbers, without gradients: of still ones
        (:class:`~netspec.frontier.StillValue`) the same in training as in evaluation.

        Raises as :meth:`forward` does.
        """
        program = self._part(tuple(n.index for n in self.graph.inputs), tuple(nodes))
        with torch.no_grad():
            return tuple(program.run(self._checked(inputs)))

    def logits_from(self, given: Mapping[int, Tensor]) -> Tensor | dict[str, Tensor]:
        """As :meth:`logits`, from the values of nodes by their numbers, inputs among them where they are needed as well.

        On what :meth:`features` gives for the same batch, the result and all gradients are those of :meth:`logits`, bit for bit. Raises
        :class:`ValueError` where an input is needed and not given, and N821 where one is not what the net takes.
        """
        program = self._part(tuple(given), self.__dict__["_ends"][self.training])
        places = {node.index: i for i, node in enumerate(self.graph.inputs)}
        return self._named(program.run([self._ready(x, places[n]) if n in places else x for n, x in given.items()]))

    def _part(self, given: tuple[int, ...], results: tuple[int, ...]) -> Program:
        parts: dict[tuple[tuple[int, ...], tuple[int, ...]], Program] = self.__dict__["_parts"]
        found = parts.get((given, results))
        if found is None:
            found = parts[given, results] = plan(self.graph, self.__dict__["_modules_of"], results, given)
        return found

    def _run(self, program: Program, inputs: tuple[Tensor, ...]) -> Tensor | dict[str, Tensor]:
        return self._named(program.run(self._checked(inputs)))

    def _named(self, results: list[Tensor]) -> Tensor | dict[str, Tensor]:
        if len(results) == 1:
            return results[0]
        return dict(zip(self.__dict__["_names"][self.training], results, strict=True))

    def _ready(self, x: Tensor, place: int) -> Tensor:
        """A batch for the input at this place by itself, where sizes that are open may be any."""
        name, shape, rank = self.__dict__["_inputs"][place]
        if x.dim() != rank or (not is_open(shape) and x.shape[1:] != shape):
            raise failure(WrongInput(name, "of shape " + str(tuple(x.shape)), shape))
        return x if x.is_floating_point() else _bytes(x, name, shape, self.__dict__["_casts"][place])

    def _checked(self, inputs: tuple[Tensor, ...]) -> list[Tensor]:
        state = self.__dict__
        wanted = state["_inputs"]
        if len(inputs) != len(wanted):
            raise failure(WrongInputCount(len(inputs), tuple(name for name, _, _ in wanted)))
        if (accepted := state["_accepted"]) is not None:
            wanted = self._sized(inputs, accepted)
        ready = []
        for x, (name, shape, rank), cast in zip(inputs, wanted, state["_casts"]):
            if x.dim() != rank or x.shape[1:] != shape:
                raise failure(WrongInput(name, "of shape " + str(tuple(x.shape)), shape))
            ready.append(x if x.is_floating_point() else _bytes(x, name, shape, cast))
        return ready

    def _sized(self, inputs: tuple[Tensor, ...], accepted: set[tuple[Shape, ...]]) -> tuple[tuple[str, Shape, int], ...]:
        """What is wanted of each input, with the sizes that came in the place of open ones."""
        shapes = tuple(tuple(x.shape[1:]) for x in inputs)
        if shapes not in accepted:
            sizes_of(self.graph, shapes)
            accepted.add(shapes)
        return tuple((name, shape, rank) for (name, _, rank), shape in zip(self.__dict__["_inputs"], shapes))

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledNet:
        """A copy with weights of its own; the graph, which never changes, is shared."""
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        memo[id(self.graph)] = self.graph
        twin.__dict__.update({name: copy.deepcopy(value, memo) for name, value in self.__dict__.items()})
        return twin


def _in_both_modes(graph: Graph, make: Callable[[Sequence[Output]], Made]) -> tuple[Made, Made]:
    """What is made for the outputs of inference, and for those of training: to be asked for by ``module.training``."""
    inference = make(graph.outputs)
    return inference, make((*graph.outputs, *graph.auxiliary)) if graph.auxiliary else inference


def _bytes(x: Tensor, name: str, shape: tuple[int, ...], cast: bool) -> Tensor:
    if str(x.dtype) != "torch.uint8":
        raise failure(WrongInput(name, f"of {str(x.dtype).removeprefix('torch.')}", shape))
    return x.float() if cast else x


def _takes_bytes(graph: Graph, node: Node, modules: Mapping[int, nn.Module]) -> bool:
    """Whether everything that takes this input takes bytes as they are."""
    return all(isinstance(modules[n.index], TakesBytes) for n in graph.layers if node.index in n.inputs) and not any(
        o.node == node.index for o in graph.outputs
    )
