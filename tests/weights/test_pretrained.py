"""Weights that a spec asks for: part of a file into part of a net, at its place, and every mismatch said there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from netspec.backends.torch import build
from netspec.backends.torch.pretrained import fresh, pretrained_parts, pretrained_weights
from netspec.compiler import load
from netspec.diagnostics import Exit, NetspecError
from netspec.graph import Graph
from tests.weights.files import FORMS, keras2, net, save

NETS = """\
net Whole(classes = 10) {
    image: input(3x8x8)
    features: { conv(4, 3, padding=1) -> relu -> conv(4, 3, padding=1) -> relu -> conv(5, 1) -> bn }
    flatten -> classifier: { linear(6) -> relu -> linear(classes) }
}

"""
USER = """\
net User {
    image: input(3x8x8)
    base: frozen Whole.features(weights="w")
    flatten -> linear(2)
}
"""


def whole(seed: int = 0) -> dict[str, Tensor]:
    """The weights of all of `Whole`, no two numbers alike."""
    torch.manual_seed(seed)
    return {k: t if k.endswith("tracked") else torch.rand(t.shape) + 0.1 for k, t in build(net(NETS)).state_dict().items()}


def below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}


def user(folder: Path, text: str = USER) -> Graph:
    return net(NETS + text, "User", str(folder))


def refused(graph: Graph, code: str, exit_: Exit = Exit.MODEL_FILE) -> str:
    with pytest.raises(NetspecError) as caught:
        build(graph)
    assert caught.value.exit is exit_
    assert [d.code for d in caught.value.diagnostics] == [code]
    assert caught.value.diagnostics[0].place is not None, "said where the spec asks for it"
    return str(caught.value)


@pytest.mark.parametrize("form", FORMS)
def test_of_a_whole_nets_file_the_part_below_its_place(tmp_path: Path, form: str) -> None:
    state = whole()
    save(state, tmp_path / "w", form)
    graph = user(tmp_path)
    found = pretrained_weights(graph)
    assert found.keys() == {f"base.{k}" for k in below(state, "features.")}
    assert all(torch.equal(found[f"base.{k}"], t) for k, t in below(state, "features.").items())


@pytest.mark.parametrize("prefix", ["", "features."])
def test_a_file_of_the_part_alone(tmp_path: Path, prefix: str) -> None:
    part = below(whole(), "features.")
    save({prefix + k: t for k, t in part.items()}, tmp_path / "w", "torch")
    assert all(torch.equal(pretrained_weights(user(tmp_path))[f"base.{k}"], t) for k, t in part.items())


def test_a_module_starts_from_them_and_else_as_without(tmp_path: Path) -> None:
    state = whole()
    save(state, tmp_path / "w", "torch")
    torch.manual_seed(3)
    with_file = build(user(tmp_path)).state_dict()
    torch.manual_seed(3)
    without = build(user(tmp_path, USER.replace('(weights="w")', ""))).state_dict()
    assert all(torch.equal(with_file[f"base.{k}"], t) for k, t in below(state, "features.").items())
    assert torch.equal(with_file["2.weight"], without["2.weight"]), "the same random numbers for what is not given"
    assert not torch.equal(with_file["base.0.weight"], without["base.0.weight"])


def test_weights_given_to_build_are_all_there_is(tmp_path: Path) -> None:
    """A run that goes on, or a model that was trained, needs no file that its spec once began with."""
    graph = user(tmp_path)
    state = build(user(tmp_path, USER.replace('(weights="w")', ""))).state_dict()
    assert torch.equal(build(graph, state).state_dict()["base.0.weight"], state["base.0.weight"])


def test_a_slice_takes_its_steps_of_the_file(tmp_path: Path) -> None:
    state = whole()
    save(state, tmp_path / "w", "npz")
    graph = user(tmp_path, USER.replace("features(", "features[:4]("))
    assert set(pretrained_weights(graph)) == {"base.0.weight", "base.0.bias", "base.2.weight", "base.2.bias"}
    text = refused(user(tmp_path, USER.replace("features(", "features[:4](").replace("3x8x8", "2x8x8")), "N806")
    assert "base.0.weight is 4x3x3x3, and 4x2x3x3 in the net" in text


def test_a_deeper_net_of_the_same_beginning_is_not_taken_for_the_part(tmp_path: Path) -> None:
    save(whole() | {"features.7.weight": torch.ones(5, 5, 3, 3)}, tmp_path / "w", "torch")
    assert "unexpected: features.7.weight" in refused(user(tmp_path), "N806")


def test_every_mismatch_with_both_shapes_and_the_line(tmp_path: Path) -> None:
    state = whole()
    del state["features.2.bias"]
    state["features.0.weight"] = state["features.0.weight"].permute(1, 0, 2, 3)
    state["features.5.running_var"] = -torch.ones(5)
    state["features.2.weight"] = torch.full_like(state["features.2.weight"], float("inf"))
    state["features.0.more"] = torch.ones(1)
    save({k: t.contiguous() for k, t in state.items()}, tmp_path / "w", "torch")
    text = refused(user(tmp_path), "N806")
    for words in (
        "1 missing tensor, 1 unexpected tensor, 1 tensor of another shape or type and 2 tensors with impossible values",
        "missing: base.2.bias (small.net:3:50)",
        "unexpected: features.0.more",
        "base.0.weight is 3x4x3x3, and 4x3x3x3 in the net (small.net:3:17)",
        "base.2.weight has 144 values that are not finite",
        "base.5.running_var is a variance and has values below 0",
        "--> small.net:9:",
        'weights="w"',
    ):
        assert words in text, words


def test_a_part_that_is_there_twice(tmp_path: Path) -> None:
    state = whole()
    save(state | below(state, "features."), tmp_path / "w", "torch")
    assert "may be features.0.weight and 0.weight" in refused(user(tmp_path), "N827")


def test_by_order_into_a_part(tmp_path: Path) -> None:
    state = {k: t.numpy() for k, t in whole().items()}
    names = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    layers = [
        (f"c{i}", {"kernel": state[f"features.{i}.weight"].transpose(2, 3, 1, 0), "bias": state[f"features.{i}.bias"]}) for i in (0, 2, 4)
    ]
    layers.append(("n", {there: state[f"features.5.{here}"] for here, there in names.items()}))
    layers += [(f"d{i}", {"kernel": state[f"classifier.{i}.weight"].T, "bias": state[f"classifier.{i}.bias"]}) for i in (0, 2)]
    keras2(tmp_path / "w", layers, whole=True)
    graph = user(tmp_path, USER.replace('weights="w"', 'weights="w", map=order'))
    assert all(np.array_equal(t.numpy(), state[k.replace("base", "features")]) for k, t in pretrained_weights(graph).items())
    assert [len(part.loaded.rows) for part in pretrained_parts(graph)] == [10]
    assert fresh(graph) == ("2.weight", "2.bias")
    by_name = refused(user(tmp_path), "N806")
    assert "map=order matches by structure" in by_name


def test_order_that_does_not_tell_is_said_at_the_use(tmp_path: Path) -> None:
    keras2(tmp_path / "w", [("c0", {"kernel": np.ones((3, 3, 3, 7)), "bias": np.ones(7)})])
    text = refused(user(tmp_path, USER.replace('weights="w"', 'weights="w", map=order')), "N809")
    assert "--> small.net:9:" in text
    assert "the first layer without a partner" in text


def test_a_use_inside_a_use_has_the_last_word(tmp_path: Path) -> None:
    inner = 'block pair { a: conv(2, 1) -> b: conv(2, 1) }\nblock outer { one: pair(weights="in") -> two: pair }\n'
    text = inner + 'net N { image: input(2x3x3)\n all: outer(weights="out") }\n'
    tensors = {f"{one}.{k}.{w}": torch.rand(2, 2, 1, 1) if w == "weight" else torch.rand(2) for one in ("one", "two") for k in "ab"
               for w in ("weight", "bias")}  # fmt: skip
    part = {k.removeprefix("one."): t + 1 for k, t in tensors.items() if k.startswith("one.")}
    save(part, tmp_path / "in", "torch")
    for outer in (tensors, {k: t for k, t in tensors.items() if k.startswith("two.")}):
        save(outer, tmp_path / "out", "torch")
        found = pretrained_weights(net(text, folder=str(tmp_path)))
        assert torch.equal(found["all.one.a.weight"], part["a.weight"])
        assert torch.equal(found["all.two.a.weight"], tensors["two.a.weight"])
    save({k: t for k, t in tensors.items() if k.startswith("one.")}, tmp_path / "out", "torch")
    assert "missing: all.two.a.weight" in refused(net(text, folder=str(tmp_path)), "N806")


def test_a_published_checkpoint_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETSPEC_CACHE", str(tmp_path))
    monkeypatch.setenv("NETSPEC_OFFLINE", "1")
    text = refused(user(tmp_path, USER.replace('"w"', '"netspec:vgg16"')), "N823", Exit.ENVIRONMENT)
    assert str(tmp_path / "vgg16-397923af.pth") in text
    assert "did you mean vgg16" in refused(user(tmp_path, USER.replace('"w"', '"netspec:vvg16"')), "N822")


# --- where the file lies ----------------------------------------------------------------------------------------------------------


def test_a_path_is_relative_to_the_text_that_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "part.net").write_text('net Part { image: input(3x4x4)\n inner(weights="w") }\nblock inner { conv(2, 1) }\n')
    (tmp_path / "main.net").write_text('use Part from "./lib/part.net"\nnet Main { image: input(3x4x4)\n p: Part }\n')
    weights = {"0.weight": torch.rand(2, 3, 1, 1), "0.bias": torch.rand(2)}
    save(weights, tmp_path / "lib" / "w", "torch")
    monkeypatch.chdir("/")
    assert torch.equal(pretrained_weights(load(tmp_path / "main.net"))["p.0.0.weight"], weights["0.weight"])


def test_what_a_spec_names_is_opened_without_following_links(tmp_path: Path) -> None:
    """A spec may be a stranger's: it names files beside it, and nothing that looks like one."""
    save(whole(), tmp_path / "real", "torch")
    (tmp_path / "there").mkdir()
    save(whole(), tmp_path / "there" / "w", "torch")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "folder").symlink_to(tmp_path / "there")
    os.mkfifo(tmp_path / "pipe")
    for name in ("there/w", "./there/../real", str(tmp_path / "real")):
        assert pretrained_weights(user(tmp_path, USER.replace('"w"', f'"{name}"')))
    for name, words in (
        ("link", "a symbolic link, which is not followed"),
        ("folder/w", "a symbolic link, which is not followed"),
        (str(tmp_path / "link"), "a symbolic link, which is not followed"),
        ("pipe", "it is not a regular file"),
        ("there", "it is a directory"),
        ("none", "No such file"),
        ("none/w", "No such file"),
        ("/dev/zero", "it is not a regular file"),
        ("real/w", "Not a directory"),
    ):
        assert words in refused(user(tmp_path, USER.replace('"w"', f'"{name}"')), "N801"), name


def test_a_folder_that_is_exchanged_on_the_way_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder was opened; what stands under its name from then on is not looked at."""
    state = whole()
    for name in ("there", "elsewhere"):
        (tmp_path / name).mkdir()
        save(state if name == "there" else whole(1), tmp_path / name / "w", "torch")
    real = os.open

    def exchanging(path: object, *arguments: object, **options: object) -> int:
        descriptor = real(path, *arguments, **options)  # type: ignore[call-overload]
        if path == "there":
            (tmp_path / "there").rename(tmp_path / "was-there")
            (tmp_path / "there").symlink_to(tmp_path / "elsewhere")
        return int(descriptor)

    monkeypatch.setattr(os, "open", exchanging)
    found = pretrained_weights(user(tmp_path, USER.replace('"w"', '"there/w"')))
    assert torch.equal(found["base.0.weight"], state["features.0.weight"])


def test_a_file_far_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "w").open("wb") as file:
        file.truncate(50 * 2**30)
    assert "53,687,091,200 bytes" in refused(user(tmp_path), "N807")
