"""What the tests of weights share: a folder with a small net, its weights, and the program run there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from netspec.backends.torch import build
from tests.weights.files import SPEC, Command, command, net

Refused = Callable[..., str]
EXPORT = ("export", "small.net", "--onnx", "small.onnx", "--weights")


@pytest.fixture
def state() -> dict[str, Tensor]:
    """The weights of the small net."""
    torch.manual_seed(0)
    return build(net(SPEC)).state_dict()


@pytest.fixture
def do(capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs the program in a folder with ``small.net``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.net").write_text(SPEC)
    return command(capsys)


@pytest.fixture
def refused(do: Command) -> Refused:
    """What is said of a file of weights that `export` refuses; nothing is printed or written beside."""

    def check(path: object, *options: str, code: int = 4) -> str:
        exit_code, out, err = do(*EXPORT, path, *options)
        assert (exit_code, out) == (code, "")
        assert "Traceback" not in err
        assert not Path("small.onnx").exists()
        return err

    return check
