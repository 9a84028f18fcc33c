"""The module a graph becomes: its keys, its numbers, its memory, and names that must not hurt it."""

from __future__ import annotations

import copy
import gc
import re
import time
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from netspec.backends.torch import CompiledNet, build
from netspec.backends.torch.modules import OWN, class_of
from netspec.diagnostics import Exit, NetspecError
from netspec.graph import Graph
from tests.graphs import Builder, chain, lenet, resnet50


class HandWritten(nn.Module):
    """LeNet as :func:`tests.graphs.lenet` has it, as one would write it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5, padding=2)
        self.fc1 = nn.Linear(784, 32)
        self.bn1 = nn.BatchNorm1d(32)
        self.dropout = nn.Dropout(0.5)
        self.fc2 = nn.Linear(32, 10)
        self.relu, self.pool = nn.ReLU(), nn.AvgPool2d(2)

    def logits(self, x: Tensor) -> Tensor:
        x = x * (1 / 255)
        x = self.pool(self.relu(self.conv1(x)))
        x = self.pool(self.relu(self.conv2(x)))
        x = torch.flatten(x, 1)
        x = self.dropout(self.relu(self.bn1(self.fc1(x))))
        return self.fc2(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.logits(x).softmax(1)


def branching() -> Graph:
    """Two inputs, a block used twice at one path, a residual, two outputs."""
    b = Builder()
    left, right = b.input((4, 6, 6), "left"), b.input((4, 6, 6), "right")
    a = b.add("conv", left, path="shared.conv", channels=8, kernel=3, padding=1)
    a = b.add("bn", a, path="shared.bn")
    c = b.add("conv", right, path="shared.conv", channels=8, kernel=3, padding=1)
    c = b.add("bn", c, path="shared.bn")
    both = b.add("add", a, c, a, path="sum")
    joined = b.add("concat", both, a, path="join")
    pooled = b.add("global_avgpool", joined, path="pool")
    flat = b.add("flatten", pooled, path="flat")
    age = b.add("linear", flat, path="age", features=1)
    kind = b.add("sigmoid", b.add("linear", flat, path="kind.fc", features=1), path="kind.sigmoid")
    return b.graph(age=age, kind=kind, features=flat)


# --- keys and numbers -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", [lenet(), resnet50(10), branching()], ids=["lenet", "resnet50", "branching"])
def test_state_dict_is_the_graphs(graph: Graph) -> None:
    state = build(graph).state_dict()
    assert [(k, tuple(v.shape), str(v.dtype)) for k, v in state.items()] == [
        (k, w.shape, "torch." + w.dtype) for k, w, _ in graph.weights()
    ]
    assert sum(p.numel() for p in build(graph).parameters()) == graph.parameters


def test_same_seed_gives_the_numbers_of_the_same_net_written_by_hand() -> None:
    torch.manual_seed(3)
    hand = HandWritten()
    after_hand = torch.rand(1)
    torch.manual_seed(3)
    net = build(lenet())
    assert torch.equal(torch.rand(1), after_hand)
    ours, theirs = net.state_dict(), hand.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_forward_and_gradients_are_those_of_the_net_written_by_hand() -> None:
    torch.manual_seed(0)
    net, hand = build(lenet()), HandWritten()
    hand.load_state_dict(net.state_dict())
    x = torch.randint(0, 256, (4, 1, 28, 28)).float()
    for mode in (True, False):
        results = []
        for module in (net.train(mode), hand.train(mode)):
            torch.manual_seed(1)
            module.zero_grad()
            out = module(x)
            out[:, 0].sum().backward()
            results.append((out, {n: p.grad.clone() for n, p in module.named_parameters()}))
        (a, ga), (b, gb) = results
        assert torch.equal(a, b)
        assert all(torch.equal(ga[n], gb[n]) for n in gb)
        assert torch.equal(net.eval().logits(x), hand.eval().logits(x))


def test_weights_given_become_the_modules_own_and_nothing_is_initialised() -> None:
    graph = lenet()
    given = build(graph).state_dict()
    before = torch.random.get_rng_state()
    net = build(graph, given)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(net.state_dict()[k].data_ptr() == v.data_ptr() for k, v in given.items())
    assert not any(t.is_meta for t in [*net.parameters(), *net.buffers()])
    assert all(p.requires_grad for p in net.parameters())


def test_weights_of_other_float_types_are_converted_and_shared_memory_is_parted() -> None:
    graph = chain((3,), ("linear", {"features": 3}), ("linear", {"features": 3}))
    tied = torch.eye(3)
    net = build(graph, {"1.weight": tied, "2.weight": tied, "1.bias": torch.ones(3).half(), "2.bias": torch.ones(3).double()})
    assert {p.dtype for p in net.parameters()} == {torch.float32}
    net.get_submodule("1").weight.data.zero_()
    assert torch.equal(net.get_submodule("2").weight, torch.eye(3))


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(NetspecError, match="mine do not fit") as caught:
        build(lenet(), {}, name="mine")
    assert caught.value.exit is Exit.MODEL_FILE


def test_constants_are_real_though_weights_were_not_made() -> None:
    graph = chain((3, 4, 4), ("normalize", {"mean": "imagenet"}), ("conv", {"channels": 2, "kernel": 1}))
    net = build(graph, build(graph).state_dict())
    assert "1.mean" not in net.state_dict()
    assert net.get_submodule("1").mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert torch.isfinite(net(torch.rand(1, 3, 4, 4))).all()


def test_shared_path_is_one_module() -> None:
    graph = branching()
    net = build(graph, build(graph).state_dict()).eval()
    x, y = torch.randn(2, 4, 6, 6), torch.randn(2, 4, 6, 6)
    conv, bn = net.get_submodule("shared.conv"), net.get_submodule("shared.bn")
    a, c = bn(conv(x)), bn(conv(y))
    flat = torch.cat([a + c + a, a], 1).mean((2, 3))
    result = net(x, y)
    assert list(result) == ["age", "kind", "features"]
    assert torch.allclose(result["features"], flat, atol=1e-6)
    assert torch.equal(result["kind"], net.logits(x, y)["kind"].sigmoid())
    assert net.activations == {"age": None, "kind": "sigmoid", "features": None}


def test_activation_that_is_used_elsewhere_is_part_of_the_logits() -> None:
    b = Builder()
    gate = b.add("sigmoid", b.input((3,)))
    last = b.add("linear", gate, features=2)
    net = build(b.graph(gate=gate, last=last))
    x = torch.randn(2, 3)
    assert net.activations == {"gate": None, "last": None}
    assert torch.equal(net.logits(x)["gate"], x.sigmoid())


def test_nodes_on_no_way_to_an_output_are_not_run_and_an_input_may_be_an_output() -> None:
    b = Builder()
    image = b.input((3,))
    kept = b.add("relu", image)
    b.add("linear", kept, path="dead", features=2)
    net = build(b.graph(relu=kept, same=image))
    calls: list[object] = []
    net.get_submodule("dead").register_forward_hook(lambda *a: calls.append(a))
    x = torch.randn(2, 3)
    assert torch.equal(net(x)["same"], x)
    assert torch.equal(net(x)["relu"], x.relu())
    assert not calls


# --- bytes ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [
        ("scale", {"factor": 1 / 255}),
        ("scale", {"factor": 1 / 127.5, "offset": -1.0}),
        ("normalize", {"mean": (0.1, 2.0, 3.0), "std": (3.0, 0.7, 1.1)}),
        ("conv", {"channels": 2, "kernel": 1}),
    ],
)
def test_bytes_give_what_floats_give(first: Any) -> None:
    net = build(chain((3, 16, 16), first)).eval()
    x = torch.arange(768, dtype=torch.float32).remainder(256).reshape(1, 3, 16, 16)
    assert torch.equal(net(x.to(torch.uint8)), net(x))
    assert net(x.to(torch.uint8)).dtype == torch.float32


# --- names ------------------------------------------------------------------------------------------------------------------------

UNSAFE = re.findall(
    r"\w+",
    "forward training _modules state_dict T_destination __class__ _parameters graph _program train children parameters to __dict__ "
    "_leaves logits insert freeze call_super_init dump_patches",
)


@pytest.mark.parametrize("nested", [False, True])
def test_no_label_can_hurt(nested: bool) -> None:
    b = Builder()
    b.input((3,))
    for name in UNSAFE:
        b.add("linear", path=f"{name}.{name}" if nested else name, features=3)
    graph = b.graph()
    torch.manual_seed(0)
    net = build(graph)
    expected = [f"{n}.{n}.{w}" if nested else f"{n}.{w}" for n in UNSAFE for w in ("weight", "bias")]
    assert list(net.state_dict()) == expected
    x = torch.randn(2, 3)
    plain = nn.Sequential(*[nn.Linear(3, 3) for _ in UNSAFE])
    plain.load_state_dict(dict(zip(plain.state_dict(), net.state_dict().values(), strict=True)))
    for module in (net, copy.deepcopy(net), build(graph, net.state_dict())):
        assert torch.equal(module.train().eval()(x), plain(x))
        module.load_state_dict(net.state_dict())
        assert torch.equal(module.double()(x.double()), plain.double()(x.double()))
        plain.float()
        assert module.graph is graph
        assert "Linear" in repr(module)
        assert isinstance(module, CompiledNet)
    assert net.training is False


def test_only_declared_classes_are_made() -> None:
    assert class_of("Conv2d") is nn.Conv2d
    assert class_of("Add") is OWN["Add"]
    for name in ("Tensor", "functional", "__class__", "NoSuch"):
        with pytest.raises(LookupError):
            class_of(name)


# --- frozen -----------------------------------------------------------------------------------------------------------------------


def frozen_net() -> CompiledNet:
    b = Builder()
    b.input((2, 4, 4))
    b.add("conv", path="base.conv", frozen=True, channels=3, kernel=1)
    b.add("bn", path="base.bn", frozen=True)
    b.add("dropout", path="base.drop", frozen=True, rate=0.9)
    b.add("bn", path="head.bn")
    return build(b.graph())


def test_frozen_layers_neither_learn_nor_drift() -> None:
    net = frozen_net().train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    net(torch.randn(8, 2, 4, 4) + 5).sum().backward()
    after = net.state_dict()
    assert all(torch.equal(after[k], before[k]) for k in before if k.startswith("base."))
    assert not torch.equal(after["head.bn.running_mean"], before["head.bn.running_mean"])
    assert {n for n, p in net.named_parameters() if p.requires_grad} == {"head.bn.weight", "head.bn.bias"}
    assert all(p.grad is None for n, p in net.named_parameters() if n.startswith("base."))
    assert [m.training for m in (net.get_submodule("base.bn"), net.get_submodule("base.drop"), net.get_submodule("head.bn"))] == [
        False,
        False,
        True,
    ]
    assert sum(p.numel() for p in net.parameters() if p.requires_grad) == net.graph.trainable


def test_what_is_frozen_can_be_changed() -> None:
    net = frozen_net().train()
    net.freeze({"head.bn"})
    assert net.frozen == {"head.bn"}
    assert {n for n, p in net.named_parameters() if p.requires_grad} == {
        "base.conv.weight",
        "base.conv.bias",
        "base.bn.weight",
        "base.bn.bias",
    }
    assert [net.get_submodule(n).training for n in ("base.bn", "head.bn")] == [True, False]
    assert not any(m.training for m in net.eval().modules())


# --- running ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "inputs",
    [
        (torch.ones(2, 28, 28),),
        (torch.ones(2, 3, 28, 28),),
        (torch.ones(2, 1, 27, 28),),
        (torch.ones(1, 1, 28, 28, 1),),
        (torch.ones(2, 1, 28, 28, dtype=torch.int64),),
        (),
        (torch.ones(2, 1, 28, 28),) * 2,
    ],
)
def test_wrong_inputs_are_named(inputs: tuple[Tensor, ...]) -> None:
    with pytest.raises(NetspecError, match=r"image") as caught:
        build(lenet())(*inputs)
    assert caught.value.exit is Exit.DATA


def test_a_sample_does_not_depend_on_its_neighbours() -> None:
    net = build(lenet())
    net.train()(torch.rand(64, 1, 28, 28))
    net.eval()
    x = torch.rand(8, 1, 28, 28) * 255
    for i in range(8):
        assert torch.allclose(net(x)[i], net(x[i : i + 1])[0], atol=1e-6)


def test_nothing_breaks_the_graph_of_a_compiler() -> None:
    for graph in (lenet(), branching()):
        net = build(graph).eval()
        inputs = [torch.rand(2, *n.output) for n in graph.inputs]
        traced = torch.compile(net.logits, backend="eager", fullgraph=True)
        torch.testing.assert_close(traced(*inputs), net.logits(*inputs))


def test_hooks_are_run() -> None:
    net = build(lenet()).eval()
    seen: list[str] = []
    for name, module in net.named_modules():
        module.register_forward_hook(lambda *_, name=name: seen.append(name))
    net(torch.rand(1, 1, 28, 28))
    leaves = [n.path for n in net.graph.layers]
    assert seen == [*leaves, ""]


def test_chain_of_20_000_layers() -> None:
    start = time.process_time()
    graph = chain((2,), *["relu"] * 20_000)
    net = build(graph, {})
    assert torch.equal(net(torch.tensor([[1.0, -1.0]])), torch.tensor([[1.0, 0.0]]))
    assert len(net.eval().train().state_dict()) == 0
    assert time.process_time() - start < 20


def test_deep_copy_is_independent() -> None:
    net = build(lenet()).eval()
    twin = copy.deepcopy(net)
    x = torch.rand(2, 1, 28, 28)
    before = net(x)
    for p in twin.parameters():
        p.data.zero_()
    assert torch.equal(net(x), before)
    assert not torch.equal(twin(x), before)
    assert twin.graph is net.graph


class Alive(TorchDispatchMode):
    """Counts, after every operator, how many of the results made so far are still in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[weakref.ref[Any]] = []
        self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.made.append(weakref.ref(result.untyped_storage()))
        self.most = max(self.most, sum(r() is not None for r in self.made))
        return result


def residuals(depth: int) -> Graph:
    b = Builder()
    x = b.add("conv", b.input((2, 5, 5)), channels=2, kernel=1)
    for _ in range(depth):
        y = b.add("relu", b.add("conv", x, channels=2, kernel=1))
        x = b.add("add", b.add("sigmoid", y), x)
    return b.graph()


def test_values_are_dropped_as_soon_as_nothing_needs_them() -> None:
    def by_hand(net: CompiledNet, x: Tensor) -> Tensor:
        step = iter(dict(net._modules).values())
        x = next(step)(x)
        for _ in range(30):
            y = next(step)(x)
            y = next(step)(y)
            y = next(step)(y)
            x = next(step)(y, x)
        return x

    net = build(residuals(30)).eval()
    peaks = []
    for run in (net, lambda x: by_hand(net, x)):
        gc.collect()
        with torch.no_grad(), Alive() as alive:
            run(torch.rand(1, 2, 5, 5))
        peaks.append(alive.most)
    assert 2 <= peaks[0] == peaks[1] <= 5
