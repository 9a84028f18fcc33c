"""Our net beside the other's: figures, state dicts, outputs, gradients. What differs comes back as a number; the tests say what may be."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import netspec
from netspec.backends.onnx.model import to_model
from netspec.backends.onnx.session import open_session
from netspec.backends.torch.noise import StochasticDepth
from tests.zoo.peer import ops
from tests.zoo.peers import Peer

SPECS = Path(__file__).resolve().parents[2] / "specs"
_Described = list[tuple[str, tuple[int, ...], str]]


@cache
def graph_of(spec: str, net: str, sizes: tuple[tuple[str, object], ...] = ()) -> netspec.Graph:
    """A net of the library, compiled once; ``sizes`` are those it leaves open, or other values of its parameters."""
    return netspec.load(SPECS / f"{spec}.net", net=net, **dict(sizes))


def ours(peer: Peer) -> netspec.Graph:
    """Our net of a row, in the size that the published figures are for."""
    return graph_of(peer.spec, peer.net, tuple(peer.sizes.items()))


def compared(peer: Peer) -> netspec.Graph:
    """Our net of a row, in the size in which outputs are compared."""
    return graph_of(peer.spec, peer.net, tuple((peer.smaller or peer.sizes).items()))


@cache
def on_meta(peer: Peer) -> nn.Module:
    """The other's model without any numbers: shapes alone."""
    with torch.device("meta"):
        return peer.make()


def our_state(peer: Peer) -> _Described:
    """Keys, shapes and types of our state dict, in its order."""
    return [(key, tuple(weight.shape), weight.dtype) for key, weight, _ in ours(peer).weights()]


def their_state(peer: Peer) -> _Described:
    """Keys, shapes and types of the other's state dict, in its order."""
    return [(key, tuple(t.shape), str(t.dtype).removeprefix("torch.")) for key, t in on_meta(peer).state_dict().items()]


def their_parameters(peer: Peer) -> int:
    """How many numbers the other's model learns."""
    return sum(p.numel() for p in on_meta(peer).parameters())


def their_flops(peer: Peer) -> int:
    """PyTorch's own count of one forward pass of the other's model in inference, two for each multiply-accumulate."""
    images = [torch.empty(1, *node.output, device="meta") for node in ours(peer).inputs]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        on_meta(peer).eval()(*images)
    return int(counter.get_total_flops())


def with_weights(peer: Peer, seed: int = 7) -> nn.Module:
    """The other's model with random weights such that numbers stay of one size through the net, and statistics that are not 0 and 1."""
    with torch.device("meta"):
        model = peer.make()
    beside = {name for name, _ in model.named_buffers()} - set(model.state_dict())
    assert not beside, f"{peer} has buffers that are no part of its state dict, which are not made here: {beside}"
    model.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    constants: Mapping[str, Tensor] = {}
    for path, tensor in model.state_dict().items():
        name = path.rpartition(".")[2]
        if tensor.is_floating_point():
            _fill(name, tensor, generator)
        elif name == "num_batches_tracked":
            tensor.zero_()
        else:  # whole numbers that are no counter are part of the architecture, as which place is how far from which
            constants = constants or peer.make().state_dict()
            tensor.copy_(constants[path])
    return model


def _fill(name: str, tensor: Tensor, generator: torch.Generator) -> None:
    if tensor.dim() > 1:  # He et al., 2015: the variance stays where it is
        tensor.normal_(0, (2 * tensor.shape[0] / tensor.numel()) ** 0.5, generator=generator)
    elif name in {"weight", "running_var"}:
        tensor.uniform_(0.5, 1, generator=generator)
    else:
        tensor.uniform_(-0.2, 0.2, generator=generator)


def raw_images(peer: Peer, batch: int, seed: int = 1) -> list[Tensor]:
    """A batch for each input of the net: pixels as a file has them, from 0 to 255."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(0, 256, (batch, *node.output), generator=generator).float() for node in compared(peer).inputs]


def named(peer: Peer, found: Any) -> dict[str, Tensor]:
    """What a model of others gave, by our names."""
    if isinstance(found, Tensor):
        return {peer.names[0] if peer.names else next(iter(compared(peer).output_shapes())): found}
    values = list(found.values()) if isinstance(found, Mapping) else list(found)
    return dict(zip(peer.names, values, strict=True))


def our_named(peer: Peer, found: Tensor | dict[str, Tensor]) -> dict[str, Tensor]:
    """What our net gave, by name."""
    return {next(iter(compared(peer).output_shapes())): found} if isinstance(found, Tensor) else found


def outputs(peer: Peer) -> float:
    """The largest difference of outputs in inference, relative to the largest number of the output, after a strict loading of state."""
    model = with_weights(peer).eval()
    net = netspec.build(compared(peer))
    net.load_state_dict(model.state_dict(), strict=True)
    images = raw_images(peer, _batch(peer))
    with torch.inference_mode():
        theirs = named(peer, model(*map(peer.prepare, images)))
        mine = our_named(peer, net.eval()(*images))
    return largest(mine, {name: theirs[name] for name in compared(peer).output_shapes()})


def onnx_outputs(peer: Peer) -> float:
    """The same of the ONNX file with the other's weights, run by onnxruntime."""
    model = with_weights(peer).eval()
    weights = {key: tensor.numpy() for key, tensor in model.state_dict().items()}
    session = open_session(to_model(compared(peer), weights).SerializeToString())
    images = raw_images(peer, 2)
    with torch.inference_mode():
        theirs = named(peer, model(*map(peer.prepare, images)))
    found = session.run(None, {i.name: image.numpy() for i, image in zip(session.get_inputs(), images, strict=True)})
    mine = {o.name: torch.from_numpy(array) for o, array in zip(session.get_outputs(), found, strict=True)}
    return largest(mine, {name: theirs[name] for name in mine})


def gradients(peer: Peer) -> float:
    """The largest difference in training mode of outputs (auxiliary ones too), loss, gradients and running statistics after one step.

    Each is relative to the largest number of its tensor. In double precision, as gradients are sums in which much cancels, and without
    dropout and stochastic depth, whose random numbers come in an order of their own.
    """
    model = _for_gradients(with_weights(peer))
    net = netspec.build(compared(peer))
    net.load_state_dict(model.state_dict(), strict=True)
    _for_gradients(net)
    images = [image.double() for image in raw_images(peer, 2)]
    theirs, mine = named(peer, model(*map(peer.prepare, images))), our_named(peer, net(*images))
    weights = dict.fromkeys(compared(peer).output_shapes(), 1.0) | {a.name: a.weight for a in compared(peer).auxiliary}
    assert set(theirs) == set(mine) == set(weights)
    losses = {"theirs": _loss(theirs, weights), "mine": _loss(mine, weights)}
    for loss in losses.values():
        loss.backward()  # type: ignore[no-untyped-call]
    return max(
        largest(mine, theirs),
        largest({"loss": losses["mine"]}, {"loss": losses["theirs"]}),
        largest(_gradients(net), _gradients(model)),
        largest(_statistics(net), _statistics(model)),
    )


def _batch(peer: Peer) -> int:
    """Two images, one of the nets that take long."""
    return 2 if compared(peer).macs < 5e9 else 1


def _for_gradients(model: nn.Module) -> nn.Module:
    """In training mode and double precision, without dropout and stochastic depth."""
    for module in model.modules():
        if isinstance(module, nn.Dropout | ops.StochasticDepth):
            module.p = 0.0
        elif isinstance(module, StochasticDepth):
            module.rate = 0.0
        elif isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0
    return model.double().train()


def _loss(outputs: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Cross-entropy of classes that are as good as any, each number of an output being one."""
    total = torch.zeros(())
    for name, output in outputs.items():
        numbers = output.flatten(1)
        total = total + weights[name] * nn.functional.cross_entropy(numbers, torch.arange(len(numbers)) * 7 % numbers.shape[1])
    return total


def _gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: torch.empty(0) if p.grad is None else p.grad for name, p in model.named_parameters()}


def _statistics(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in model.state_dict().items() if ".running_" in name or ".num_batches" in name}


def largest(mine: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> float:
    """The largest difference between tensors of the same name, each relative to the largest number of the other's."""
    assert set(mine) == set(theirs)
    worst = 0.0
    for name, other in theirs.items():
        if mine[name].shape != other.shape or not torch.isfinite(other).all() or not torch.isfinite(mine[name]).all():
            return float("inf")
        difference = (mine[name].detach().double() - other.detach().double()).abs().max()
        worst = max(worst, float(difference / other.detach().double().abs().max().clamp_min(1e-30)))
    return worst
