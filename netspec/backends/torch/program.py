"""A graph as a flat list of steps, worked out once, so that a forward pass looks nothing up.

Each step starts from one value, or from a merge of several, and runs a chain of modules of which each feeds the next alone.
A value is dropped as soon as nothing needs it, as in a forward function written by hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from netspec.frontier import needed_beyond
from netspec.graph import Graph

Step = tuple[int, tuple[int, ...], tuple[int, ...], nn.Module | None, tuple[nn.Module, ...], int]
"""Slot of the one source or -1, slots of a merge's sources, slots to clear, the merge, the chain, slot of the result."""


@dataclass(frozen=True, slots=True)
class Program:
    """Steps over numbered slots; the first slots are the sources. ``hooks`` are the modules' own tables of hooks, mostly empty."""

    steps: tuple[Step, ...]
    room: tuple[None, ...]
    results: tuple[int, ...]
    hooks: tuple[Mapping[int, object], ...]

    def run(self, inputs: Iterable[Tensor]) -> list[Tensor]:
        """The values of the outputs, in the order of ``results``.

        A module without hooks is asked for its forward pass directly: what PyTorch does around it, to find out that there are none, takes
        longer than a small layer's arithmetic. All tables of hooks are looked at once, before the first step.
        """
        values: list[Tensor | None] = [*inputs, *self.room]
        hooked = any(self.hooks) or _has_any_global_hook()  # type: ignore[no-untyped-call]
        for source, sources, frees, head, chain, target in self.steps:
            x = values[source] if head is None else head(*[values[i] for i in sources])
            for i in frees:
                values[i] = None
            if hooked:
                for module in chain:
                    x = module(x)
            else:
                for module in chain:
                    x = module.forward(x)
            values[target] = x
        return [values[i] for i in self.results]  # type: ignore[misc]


def plan(graph: Graph, modules: Mapping[int, nn.Module], results: Sequence[int], sources: Sequence[int] | None = None) -> Program:
    """The program that computes the nodes ``results`` and nothing beside what they need.

    ``modules`` gives the module of each node by the node's number; inputs have none. It is run with the values of the nodes ``sources``
    in that order, by default with the net's inputs; what leads to a source is not computed. Raises :class:`ValueError` where an
    input is needed that is not among the sources.
    """
    given = tuple(n.index for n in graph.inputs) if sources is None else tuple(sources)
    kept = set(results)
    reached = needed_beyond(graph.nodes, kept, given)
    if lacking := [n.path for n in graph.inputs if n.index in reached and n.index not in given]:
        raise ValueError(f"the input {lacking[0]} is needed, and not given")
    wanted = reached - set(given)
    uses = Counter(i for n in graph.nodes if n.index in wanted for i in n.inputs)
    uses.update(results)
    groups = _chains(graph, wanted, uses, kept)
    slots = {node: slot for slot, node in enumerate(given)}
    last_use = {i: step for step, group in enumerate(groups) for i in graph.nodes[group[0]].inputs}
    steps = []
    for number, group in enumerate(groups):
        first = graph.nodes[group[0]]
        takes = tuple(slots[i] for i in first.inputs)
        frees = tuple(sorted({slots[i] for i in first.inputs if last_use[i] == number and i not in kept}))
        alone = len(takes) == 1
        chain = tuple(modules[i] for i in (group if alone else group[1:]))
        slots[group[-1]] = len(slots)
        steps.append((takes[0] if alone else -1, takes, frees, None if alone else modules[group[0]], chain, slots[group[-1]]))
    hooks = tuple(table for i in sorted(wanted & modules.keys()) for table in _hook_tables(modules[i]))
    return Program(tuple(steps), (None,) * len(steps), tuple(slots[i] for i in results), hooks)


def _hook_tables(module: nn.Module) -> tuple[Mapping[int, object], ...]:
    return module._forward_pre_hooks, module._forward_hooks, module._backward_pre_hooks, module._backward_hooks


def _chains(graph: Graph, wanted: frozenset[int], uses: Counter[int], ends: set[int]) -> list[list[int]]:
    """Runs of nodes: each but the first of a run takes the one before it and is the only one to do so.

    Runs come in the order of their first nodes: whatever a first node takes was made by a run that began before it.
    """
    run_of: dict[int, list[int]] = {}
    runs = []
    for node in graph.nodes:
        if node.index not in wanted:
            continue
        before = node.inputs[0]
        if len(node.inputs) == 1 and before in run_of and uses[before] == 1 and before not in ends:
            run = run_of.pop(before)
            run.append(node.index)
        else:
            run = [node.index]
            runs.append(run)
        run_of[node.index] = run
    return runs
