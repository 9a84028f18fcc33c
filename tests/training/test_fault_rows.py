"""Nets and data that go together badly: met before the first step, or met so that nothing goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.compiler import compile_source
from netspec.diagnostics import NetspecError
from netspec.source import Source
from netspec.training import train
from tests.training.nets import graph, write_data


@pytest.mark.parametrize(("images", "batch"), [(9, "8"), (17, "8"), (41, "8"), (3, "2")])
def test_a_last_batch_of_one_is_avoided(tmp_path: Path, images: int, batch: str) -> None:
    """A batch norm behind a vector cannot work on one sample alone."""
    net = graph(tmp_path, "flatten -> linear(8) -> bn -> relu -> linear(classes)", batch=batch)
    assert train(net, write_data(tmp_path, train=images), out=tmp_path / "run").record.status == "finished"


@pytest.mark.parametrize("channels", [2, 4])
def test_images_have_one_channel_or_three(tmp_path: Path, channels: int) -> None:
    (net,) = compile_source(Source("a.net", f"net A {{ image: input({channels}x8x8)\nflatten -> linear(3) }}\ntrain {{ epochs = 1 }}"))
    with pytest.raises(NetspecError) as caught:
        train(net, write_data(tmp_path), out=tmp_path / "run")
    (found,) = caught.value.diagnostics
    assert found.code in {"N717", "N714"}
    assert str(channels) in found.message
    assert not (tmp_path / "run").exists()
