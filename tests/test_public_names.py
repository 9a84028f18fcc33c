"""What ``import netspec`` gives."""

from __future__ import annotations

import pkgutil
from pathlib import Path
from types import ModuleType

import numpy as np

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
