"""What ``import netspec`` gives."""

from __future__ import annotations

import pkgutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import netspec

ROOT = Path(__file__).resolve().parent.parent


def test_public_names_stay_what_they_are() -> None:
    """A package that is imported becomes an attribute of the one around it, so none may be called as a public name is."""
    assert not {module.name for module in pkgutil.iter_modules(netspec.__path__)} & set(netspec.__all__)
    for name in netspec.__all__:
        first = getattr(netspec, name)
        assert first is getattr(netspec, name)
        assert not isinstance(first, ModuleType)
    assert set(netspec.__all__) <= set(dir(netspec))


def test_paths_may_be_strings(tmp_path: Path) -> None:
    digits = np.load(ROOT / "examples" / "mnist" / "mnist.npz")
    small = {name: digits[name][:80] for name in ("x_train", "y_train", "x_test", "y_test")}
    np.savez(tmp_path / "small.npz", **small)
    graph = netspec.load(str(ROOT / "specs" / "lenet5.net"), settings={"train.epochs": 1})  # type: ignore[dict-item]
    data, folder = str(tmp_path / "small.npz"), str(tmp_path / "run")
    run = netspec.train(graph, data, out=folder)
    assert run.folder == tmp_path / "run"
    assert netspec.evaluate(folder, data).images == 80
    one = str(ROOT / "examples" / "mnist" / "digits" / "3.png")
    assert netspec.predict(folder, one) == netspec.predict(tmp_path / "run", [Path(one)])


def small_digits(folder: Path) -> Path:
    digits = np.load(ROOT / "examples" / "mnist" / "mnist.npz")
    np.savez(folder / "small.npz", **{name: digits[name][:80] for name in ("x_train", "y_train", "x_test", "y_test")})
    return folder / "small.npz"


SMALL = """
net Small { image: input(1x28x28)
    preprocess { scale(1/255) }
    maxpool(4) -> flatten -> linear(10) }
train { epochs = 1 }
"""


def test_a_net_may_be_its_path(tmp_path: Path) -> None:
    """`train`, `plan` and `preflight` take a graph, or the path of its file, and say in a sentence that they take nothing else."""
    data = small_digits(tmp_path)
    (tmp_path / "small.net").write_text(SMALL, "utf-8")
    run = netspec.train(str(tmp_path / "small.net"), data, out=tmp_path / "run")
    assert isinstance(run, netspec.RunResult) and run.record.net == "Small"
    assert netspec.open_model(run.folder).classes == tuple("0123456789")
    assert netspec.plan(tmp_path / "small.net", data).samples == 80
    report = netspec.preflight(netspec.load(tmp_path / "small.net"), str(data))
    assert not report.failed and report.samples == {"train": 80, "test": 80}
    compared = netspec.compare([str(run.folder), tmp_path / "none"], sort="test.accuracy")
    assert [found.record for found in compared.runs] == [run.record] and len(compared.left_out) == 1
    assert issubclass(netspec.Interrupted, BaseException)
    for ask in (netspec.train, netspec.plan, netspec.preflight):
        with pytest.raises(TypeError, match=r"a net is a Graph, as netspec.load gives it, or the path of a .net file, and not a int"):
            ask(3, data)  # type: ignore[arg-type]
