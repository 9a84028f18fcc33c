"""A run keeps the files that its spec uses, and is rebuilt from them alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import netspec
from netspec.diagnostics import NetspecError
from netspec.training.folders.rebuild import load_run

PARTS = """
net Small(width = 4) {
    image: input(1x8x8)
    preprocess { scale(1/255) }
    features: { conv(width, 3) -> relu }
    global_avgpool -> flatten -> linear(2)
}
"""
SPEC = """
use Small from "./parts.net"

net Two {
    image: input(1x8x8)
    preprocess { scale(1/255) }
    body: Small.features(width=6) -> aux: { global_avgpool -> flatten -> linear(2) }
    body -> conv(4, 3) -> relu -> global_avgpool -> flatten -> answer: linear(2)
    output(answer)
    auxiliary(aux, weight=0.5)
}

train { epochs = 1, batch = 8 }
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "parts.net").write_text(PARTS)
    (tmp_path / "two.net").write_text(SPEC)
    chance = np.random.default_rng(0)
    labels = np.arange(40) % 2
    images = (chance.integers(0, 100, (40, 8, 8)) + 100 * labels[:, None, None]).astype(np.uint8)
    np.savez(tmp_path / "data.npz", x_train=images, y_train=labels)
    netspec.train(netspec.load(tmp_path / "two.net"), tmp_path / "data.npz", out=tmp_path / "run")
    return tmp_path


def test_a_run_is_rebuilt_without_the_files(run: Path) -> None:
    (run / "parts.net").unlink()
    (run / "two.net").unlink()
    rebuilt = load_run(run / "run")
    assert [n.path for n in rebuilt.graph.layers][1:3] == ["body.0", "body.1"]
    assert [o.name for o in rebuilt.graph.auxiliary] == ["aux"]
    assert "aux.2.weight" in rebuilt.weights()


def test_a_used_file_that_changed_is_another_spec(run: Path) -> None:
    (run / "parts.net").write_text(PARTS.replace("relu", "tanh"))
    with pytest.raises(NetspecError, match="file it uses"):
        netspec.train(netspec.load(run / "two.net"), run / "data.npz", out=run / "run", resume=True)


def test_what_the_run_kept_may_not_change(run: Path) -> None:
    kept = run / "run" / "used.json"
    kept.write_text(kept.read_text().replace("relu", "tanh"))
    with pytest.raises(NetspecError) as error:
        load_run(run / "run")
    assert error.value.diagnostics[0].code == "N763"
    kept.write_text("[1]")
    with pytest.raises(NetspecError) as error:
        load_run(run / "run")
    assert error.value.diagnostics[0].code in ("N753", "N763")
