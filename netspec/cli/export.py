"""``netspec export``"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netspec.cli.options import Json, Net, Set, compiled, refuse_inputs
from netspec.cli.terminal import show_json
from netspec.diagnostics.text import escape

if TYPE_CHECKING:
    from netspec.graph import Graph

EXAMPLE = "Example: netspec export runs/mnist_convnet-1 --onnx digits.onnx"
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A run's folder, or a .net file with --weights.", show_default=False)]
Onnx = Annotated[bool, typer.Option("--onnx", help="To ONNX, the one format so far; a name ending in .onnx may follow.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="The file to write; NAME.onnx if left out.", show_default=False)]
Weights = Annotated[
    Path | None, typer.Option("--weights", help="A weights file for the net: .safetensors, .pth or .npz.", show_default=False)
]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that is there.")]


def command(
    model: Model,
    onnx: Onnx = False,
    out: Out = None,
    weights: Weights = None,
    force: Force = False,
    set_: Set = None,
    net: Net = None,
    json: Json = False,
) -> None:
    """Write a net and its weights as one ONNX file, with preprocessing and class names inside, checked against PyTorch."""
    from dataclasses import asdict

    from netspec.backends.onnx import export

    graph, tensors, classes = _from_run(model) if model.is_dir() else _from_spec(model, weights, set_, net)
    target = out or Path(f"{model.resolve().name if model.is_dir() else model.stem}.onnx")
    if target.suffix != ".onnx":
        raise typer.BadParameter(f"{escape(str(target))} would be an ONNX file: end its name with .onnx", param_hint="--out")
    refuse_inputs(target, model, weights, *(p for p in model.glob("*") if p.suffix != ".onnx"))
    report = export(graph, tensors, target, classes=classes, force=force)
    if json:
        show_json(asdict(report))
        return
    typer.echo(
        f"wrote {escape(str(target))}: {report.bytes:,} bytes, opset {report.opset}, IR version {report.ir_version}; "
        f"differs from PyTorch by at most {report.max_rel:.1e} of the largest output"
    )


def _from_run(folder: Path) -> tuple[Graph, Mapping[str, Any], tuple[str, ...] | None]:
    from netspec.training import load_run

    run = load_run(folder)
    return run.graph, run.weights(), run.record.classes


def _from_spec(spec: Path, weights: Path | None, set_: list[str] | None, net: str | None) -> tuple[Graph, Mapping[str, Any], None]:
    graph = compiled(spec, set_, net)
    if weights is not None:
        from netspec.backends.torch.weights import check_weights, read_weights

        tensors = read_weights(weights, graph)
        check_weights(graph, tensors, str(weights))
        return graph, tensors, None
    import torch

    from netspec.backends.torch import build

    typer.echo("note: no weights given, so the file gets fresh random ones; train first, or name some with --weights", err=True)
    torch.manual_seed(0)
    return graph, build(graph).state_dict(), None
