"""From a graph to a module."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from netspec.backends.fit import misfits
from netspec.backends.open_inputs import refuse_fixed
from netspec.backends.torch.learned import Learned, parameters_of
from netspec.backends.torch.modules import construct
from netspec.backends.torch.net import CompiledNet, Region
from netspec.backends.torch.pretrained import pretrained_weights
from netspec.diagnostics import failure
from netspec.graph import Graph, Node, Weight, key_of
from netspec.shape import elements


def build(graph: Graph, weights: Mapping[str, Tensor] | None = None, *, name: str = "the weights given") -> CompiledNet:
    """The module of a graph. The keys of its state dict are those of :meth:`~netspec.graph.Graph.weights`, in the same order but that
    what a region itself learns, as a class token, comes before its layers.

    Without ``weights`` every layer is initialised as PyTorch initialises it, in the graph's order: after the same
    ``torch.manual_seed``, the numbers are bit for bit those of the same layers made by hand in that order. What the spec asks for
    with ``weights="file"`` is read and put in their place. With ``weights`` nothing is initialised: the tensors given become the module's
    own, without a copy where their type is right already, so what trains the module changes them. ``name`` says in an error where they
    came from.

    Raises a :class:`~netspec.diagnostics.NetspecError` N806 where ``weights`` are not those of the graph, N831 where a layer works for
    one size alone that the net leaves open, and what
    :func:`~netspec.backends.torch.pretrained.pretrained_weights` raises.
    """
    if weights is not None and (problem := misfits(graph, weights, name)):
        raise failure(problem)
    refuse_fixed(graph, "PyTorch")
    leaves = _leaves(graph, meta=weights is not None)
    if weights is not None:
        _assign(graph, leaves, weights)
    net = CompiledNet(graph, leaves)
    for path, leaf in leaves.items():
        _place(net, path, leaf)
    _verify(graph, leaves)
    if weights is None and graph.pretrained:
        own = net.state_dict()
        for key, tensor in pretrained_weights(graph).items():
            own[key].copy_(tensor)
    return net


def _leaves(graph: Graph, meta: bool) -> dict[str, nn.Module]:
    """One module for each path, in the graph's order. Nodes of one path are uses of one layer."""
    leaves: dict[str, nn.Module] = {}
    made: dict[str, Node] = {}
    for node in graph.layers:
        first = made.setdefault(node.path, node)
        if first is node:
            leaves[node.path] = construct(node.facts.torch, meta)
        elif first.facts.torch != node.facts.torch:
            raise RuntimeError(f"two different layers stand at the path {node.path}")
    return leaves


def _place(net: Region, path: str, leaf: nn.Module) -> None:
    """Put a leaf at its dotted path, making the containers on the way."""
    *outer, last = path.split(".")
    region = net
    for label in outer:
        inner = region._modules.get(label)
        if inner is None:
            region.insert(label, inner := Region())
        if not isinstance(inner, Region):
            raise RuntimeError(f"the path {path} leads through a layer")
        region = inner
    if last in region._modules:
        raise RuntimeError(f"the path {path} is taken")
    region.insert(last, leaf)
    if isinstance(leaf, Learned):
        leaf.settle(region, last)


def _assign(graph: Graph, leaves: Mapping[str, nn.Module], weights: Mapping[str, Tensor]) -> None:
    """Give every layer its tensors. Tensors that share memory are parted, as the graph knows nothing of it."""
    seen: set[int] = set()
    for node in graph.layers:
        for name, weight in node.facts.weights.items():
            *inner, last = name.split(".")
            owner = leaves[node.path].get_submodule(".".join(inner))
            if _is_real(owner, last):
                continue
            tensor = _converted(weights.get(key_of(node.path, name)), weight)
            if tensor.numel() and tensor.data_ptr() in seen:
                tensor = tensor.clone()
            seen.add(tensor.data_ptr())
            if last in owner._parameters:
                owner._parameters[last] = nn.Parameter(tensor, requires_grad=weight.parameter)
            else:
                owner._buffers[last] = tensor


def _is_real(owner: nn.Module, name: str) -> bool:
    """Whether this tensor was given already, by an earlier use of the same layer."""
    current = owner._parameters[name] if name in owner._parameters else owner._buffers[name]
    return current is not None and not current.is_meta


def _converted(tensor: Tensor | None, weight: Weight) -> Tensor:
    dtype = getattr(torch, weight.dtype)
    if tensor is None:
        return torch.zeros(weight.shape, dtype=dtype)
    return tensor.detach().to(dtype)


def _verify(graph: Graph, leaves: Mapping[str, nn.Module]) -> None:
    """Hold the modules made against the graph's facts; a difference is a fault of a layer's declaration."""
    for node in graph.layers:
        declared = node.facts.parameters
        made = sum(p.numel() for p in parameters_of(leaves[node.path]))
        if made != declared:
            raise RuntimeError(f"`{node.layer}` at {node.path} declares {declared} parameters, and its module has {made}")
    owned = {key: elements(weight.shape) for key, weight, _ in graph.weights() if weight.parameter}
    if sum(owned.values()) != graph.parameters:
        raise RuntimeError(f"the layers have {sum(owned.values())} parameters, and the graph counts {graph.parameters}")
