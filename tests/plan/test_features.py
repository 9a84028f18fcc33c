"""Values that are kept are those that would be computed, from memory and from a file; a file that is not right is never used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from netspec.augment import Augmenter
from netspec.backends.torch import CompiledNet, build
from netspec.cache import Cache
from netspec.compiler import compile_source
from netspec.diagnostics import NetspecError, Problem
from netspec.freezing import selected
from netspec.frontier import Frontier, frontier_of
from netspec.source import Source
from netspec.training.features.files import open_features
from netspec.training.features.frozen_part import FrozenPart
from netspec.training.features.values import Features, features_key
from netspec.training.features.views import mirrored_in, seen_of

SAMPLES, BATCH = 21, 8
TEXT = """
net A {
    image: input(3x8x8)
    preprocess { scale(1/255) }
    AUGMENT
    base: { conv(4, 3, padding=1) -> bn -> relu -> conv(6, 3, padding=1) -> bn -> relu }
    low: { conv(5, 3) -> relu -> flatten }
    base -> dropout(0.5) -> conv(4, 3) -> flatten -> concat(low) -> head: linear(2)
}
"""
FROZEN = ("base", "low")


class Part:
    """A net with two still values, one of them a map, and data."""

    def __init__(self, augment: str = "", text: str = TEXT, frozen: Sequence[str] = FROZEN) -> None:
        self.graph = compile_source(Source("a.net", text.replace("AUGMENT", augment)))[0]
        self.net = build(self.graph).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        paths = selected(self.graph, frozen)
        self.net.freeze(paths)
        self.net.train()
        self.frontier: Frontier = frontier_of(self.graph, paths, seen_of(self.graph))
        shape = (SAMPLES, *self.graph.inputs[0].output)
        self.pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
        self.runs = 0
        self.told: list[Problem] = []

    def batches(self) -> Iterable[Sequence[Tensor]]:
        self.runs += 1
        return ((part,) for part in self.pixels.split(BATCH))

    def frozen(self, **changed: object) -> FrozenPart:
        given: dict[str, object] = {"samples": SAMPLES, "data": "d", "precision": "fp32", "device": torch.device("cpu"), "batch": BATCH}
        return FrozenPart(self.net, self.frontier, self.batches, **(given | changed))  # type: ignore[arg-type]

    def kept(self, where: str, **changed: object) -> Features:
        found = self.frozen(**changed).features(where, self.told.append)  # type: ignore[arg-type]
        assert found is not None
        return found


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETSPEC_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NETSPEC_CACHE_GB", raising=False)
    torch.manual_seed(0)


def file_of(part: Part) -> Path:
    return Cache.usual().place("features", part.frozen().key)


@pytest.mark.parametrize("where", ["memory", "disk"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_rows_are_what_the_net_gives(where: str, precision: str) -> None:
    part = Part()
    kept = part.kept(where, precision=precision)
    nodes = [v.node for v in part.frontier.values]
    assert len(nodes) == 2
    order = torch.randperm(SAMPLES)
    found = kept.rows(order)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        expected = [part.net.features(nodes, batch) for (batch,) in part.batches()]
    for i, node in enumerate(nodes):
        whole = torch.cat([e[i] for e in expected])[order]
        assert found[node].dtype == whole.dtype
        assert torch.equal(found[node], whole)
        assert found[node].stride() == whole.stride()


@pytest.mark.parametrize("where", ["memory", "disk"])
@pytest.mark.parametrize("augment", ["augment { flip }", "augment { alternating_flip }", "augment { flip(p=1) -> flip }"])
def test_each_epoch_reads_the_views_that_augmentation_would_make(where: str, augment: str) -> None:
    part = Part(augment)
    assert part.frontier.views == 2
    kept = part.kept(where)
    augmenter = Augmenter.of(part.graph, 7)["image"]
    seen = set()
    for epoch in range(3):
        indices = torch.randperm(SAMPLES)[:BATCH]
        mirrored = mirrored_in(augmenter, indices, epoch)
        seen |= set(mirrored.tolist())
        expected = part.net.features([v.node for v in part.frontier.values], augmenter(part.pixels[indices], indices, epoch))
        for value, whole in zip(part.frontier.values, expected, strict=True):
            torch.testing.assert_close(kept.rows(indices, {"image": mirrored})[value.node], whole, rtol=0, atol=1e-6)
    assert seen == {True, False}


def test_what_training_computes_from_kept_values_is_the_same_bit_for_bit() -> None:
    part = Part()
    kept = part.kept("memory")
    indices = torch.arange(BATCH)
    torch.manual_seed(3)
    whole = part.net.logits(part.pixels[indices])
    torch.manual_seed(3)
    assert torch.equal(part.net.logits_from(kept.rows(indices)), whole)  # type: ignore[arg-type]


def test_a_file_is_computed_once() -> None:
    part = Part()
    first = part.kept("disk").rows(torch.arange(SAMPLES))
    second = part.kept("disk").rows(torch.arange(SAMPLES))
    assert part.runs == 1
    assert all(torch.equal(first[n], second[n]) for n in first)


def test_a_file_is_of_its_weights_layers_data_views_and_numbers() -> None:
    part = Part()
    key = part.frozen().key
    assert part.frozen().key == key
    keys = {key, part.frozen(data="e").key, part.frozen(precision="bf16").key, part.frozen(batch=4).key}
    keys.add(features_key(part.net, Part("augment { flip }").frontier, "d", "fp32 cpu 8"))
    other = Part(text=TEXT.replace("relu -> conv(6", "tanh -> conv(6"))
    other.net.load_state_dict(part.net.state_dict())
    keys.add(other.frozen().key)
    with torch.no_grad():
        next(p for n, p in part.net.named_parameters() if n == "head.bias").add_(1)
        assert part.frozen().key == key, "the head is no part of it"
        part.net.state_dict()["base.1.running_mean"][0] += 1
    keys.add(part.frozen().key)
    assert len(keys) == 7


def test_another_net_with_the_same_frozen_part_uses_its_file() -> None:
    part = Part()
    part.kept("disk")
    before = "    image -> flatten -> linear(3) -> early: relu\n    image -> base:"
    text = TEXT.replace("    base:", before, 1).replace("concat(low)", "concat(low, early)")
    other = Part(text=text)
    state = {key: tensor for key, tensor in part.net.state_dict().items() if key.startswith(FROZEN)}
    other.net.load_state_dict(state, strict=False)
    assert {v.node for v in other.frontier.values} != {v.node for v in part.frontier.values}
    assert other.frozen().key == part.frozen().key
    rows = other.kept("disk").rows(torch.arange(SAMPLES))
    assert (other.runs, set(rows)) == (0, {v.node for v in other.frontier.values})


def test_every_damaged_byte_is_found_and_the_file_made_anew() -> None:
    part = Part()
    good = part.kept("disk").rows(torch.arange(SAMPLES))
    path = file_of(part)
    content = path.read_bytes()
    places = [*range(0, len(content), 997), *range(len(content) - 60, len(content))]
    for place in places:
        spoilt = bytearray(content)
        spoilt[place] ^= 0x10
        path.write_bytes(spoilt)
        assert open_features(Cache.usual(), part.frozen().key, part.frontier, SAMPLES) is None
        assert not path.exists()
    for length in (0, 1, 40, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        assert open_features(Cache.usual(), part.frozen().key, part.frontier, SAMPLES) is None
    path.write_bytes(content[:-1])
    runs = part.runs
    again = part.kept("disk").rows(torch.arange(SAMPLES))
    assert part.runs == runs + 1
    assert all(torch.equal(good[n], again[n]) for n in good)


def test_a_file_of_another_count_is_not_taken() -> None:
    part = Part()
    part.kept("disk")
    assert open_features(Cache.usual(), part.frozen().key, part.frontier, SAMPLES + 1) is None


def test_a_file_that_is_cut_short_in_use_is_an_error() -> None:
    part = Part()
    kept = part.kept("disk")
    with file_of(part).open("r+b") as file:
        file.truncate(100)
    with pytest.raises(NetspecError, match="it ends too early"):
        kept.rows(torch.tensor([SAMPLES - 1]))


def test_a_removed_file_stays_readable() -> None:
    part = Part()
    kept = part.kept("disk")
    file_of(part).unlink()
    assert kept.rows(torch.tensor([SAMPLES - 1]))


@pytest.mark.parametrize("count", [SAMPLES - 1, SAMPLES + 1])
@pytest.mark.parametrize("where", ["memory", "disk"])
def test_fewer_or_more_samples_than_said_are_a_fault(count: int, where: str) -> None:
    part = Part()
    with pytest.raises((ValueError, RuntimeError)):
        part.kept(where, samples=count)
    folder = file_of(part).parent
    assert not folder.exists() or not list(folder.iterdir())


def test_a_disk_that_takes_nothing_is_told_and_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("NETSPEC_CACHE", str(tmp_path / "file"))
    part = Part()
    assert part.frozen().features("disk", part.told.append) is None
    assert [p.code for p in part.told] == ["N736"]
    monkeypatch.setenv("NETSPEC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NETSPEC_CACHE_GB", "0.000001")
    assert part.frozen().features("disk", part.told.append) is None
    assert [p.code for p in part.told] == ["N736"] * 2
    assert part.frozen().features("no", part.told.append) is None


def test_two_inputs_have_views_of_their_own() -> None:
    text = """
    shared block encoder { conv(4, 3) -> relu -> flatten }
    net Two {
        left: input(1x8x8)
        augment { flip }
        one: encoder
        right: input(1x8x8)
        augment { flip }
        encoder -> distance(one, l1) -> same: linear(1)
    }
    """
    part = Part(text=text, frozen=["encoder"])
    assert [v.mirrored for v in part.frontier.values] == ["left", "right"]
    other = part.pixels.flip(0)
    part.batches = lambda: zip(part.pixels.split(BATCH), other.split(BATCH), strict=True)  # type: ignore[method-assign]
    kept = part.kept("memory")
    indices = torch.tensor([3, 5, 7])
    left, right = torch.tensor([True, False, True]), torch.tensor([False, False, True])
    rows = kept.rows(indices, {"left": left, "right": right})
    for value, pixels, mirrored in zip(part.frontier.values, (part.pixels, other), (left, right), strict=True):
        seen = torch.where(mirrored[:, None, None, None], pixels[indices].flip(-1), pixels[indices])
        torch.testing.assert_close(rows[value.node], part.net.features([value.node], seen, seen)[0], rtol=0, atol=1e-6)


def test_a_net_is_not_needed_any_more() -> None:
    part = Part()
    kept = part.kept("memory")
    net: CompiledNet = part.net
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
    assert all(rows.any() for rows in kept.rows(torch.arange(4)).values())
