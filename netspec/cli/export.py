"""``netspec export``"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netspec.cli.options import Json, Net, Set, compiled, refuse_inputs
from netspec.cli.reading import Extra, Labels, Map, Nonfinite, Weights, is_spec, reading
from netspec.cli.terminal import show_json
from netspec.diagnostics.text import escape, plural
from netspec.syntax.read import LIBRARY

if TYPE_CHECKING:
    from netspec.backends.torch.loading import Reading
    from netspec.graph import Graph
    from netspec.objectives import Objective

Classes = Sequence[str] | Mapping[str, Sequence[str]] | None
EXAMPLE = "Example: netspec export runs/mnist_convnet-1 --onnx digits.onnx"
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A run's folder, or a .net file with --weights.", show_default=False)]
Onnx = Annotated[bool, typer.Option("--onnx", help="To ONNX, the one format so far; a name ending in .onnx may follow.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="The file to write; NAME.onnx if left out.", show_default=False)]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that is there.")]


def command(
    model: Model,
    onnx: Onnx = False,
    out: Out = None,
    weights: Weights = None,
    labels: Labels = None,
    map_: Map = None,
    allow_extra: Extra = False,
    allow_nonfinite: Nonfinite = False,
    force: Force = False,
    set_: Set = None,
    net: Net = None,
    json: Json = False,
) -> None:
    """Write a net and its weights as one ONNX file, with preprocessing and class names inside, checked against PyTorch."""
    from dataclasses import asdict

    from netspec.backends.onnx import export

    how = reading(map_, allow_extra, allow_nonfinite)
    if labels is not None and model.is_dir():
        raise typer.BadParameter("goes with a .net file; a run has its own", param_hint="--labels")
    graph, tensors, classes, learned = _from_run(model) if model.is_dir() else _from_spec(compiled(model, set_, net), weights, how)
    target = out or Path(f"{model.resolve().name if model.is_dir() else _stem(model)}.onnx")
    if target.suffix != ".onnx":
        raise typer.BadParameter(f"{escape(str(target))} would be an ONNX file: end its name with .onnx", param_hint="--out")
    refuse_inputs(target, model, None if weights is None else Path(weights), labels, *(p for p in model.glob("*") if p.suffix != ".onnx"))
    if labels is not None:
        from netspec.inference.naming import read_labels

        classes = read_labels(labels)
    report = export(graph, tensors, target, classes=classes, learned=learned, force=force)
    if json:
        show_json(asdict(report))
        return
    typer.echo(
        f"wrote {escape(str(target))}: {report.bytes:,} bytes, opset {report.opset}, IR version {report.ir_version}; "
        f"differs from PyTorch by at most {report.max_rel:.1e} of the largest output"
    )


Exported = tuple["Graph", Mapping[str, Any], Classes, "Sequence[Objective] | None"]
"""A net, its weights, the names of its classes, and what each output has learned, where the graph alone does not say it."""


def _from_run(folder: Path) -> Exported:
    from netspec.training import load_run
    from netspec.training.stages import lessons

    run = load_run(folder)
    learned = lessons(run.graph)[-1].learned
    return run.graph, run.weights(), {o.output: run.record.classes[o.target] for o in learned if o.target in run.record.classes}, learned


def _stem(spec: Path) -> str:
    """What a file made from a spec is called: as the spec, which may be one of the library, ``netspec:name``."""
    return str(spec).removeprefix(LIBRARY) if is_spec(spec) and spec.suffix != ".net" else spec.stem


def _from_spec(graph: Graph, weights: str | None, how: Reading) -> Exported:
    """A net with the weights of a file; or, without one, with those that the spec asks for and fresh random ones."""
    if weights is not None:
        from netspec.backends.torch.loading import load_weights

        loaded = load_weights(graph, weights, how)
        return graph, loaded.tensors, _classes(graph, loaded.metadata), None
    import torch

    from netspec.backends.torch import build
    from netspec.backends.torch.pretrained import fresh

    if rest := fresh(graph):
        typer.echo(f"note: no weights for {plural(len(rest), 'tensor')}, which get fresh random ones; train, or use --weights", err=True)
    torch.manual_seed(0)
    return graph, build(graph).state_dict(), None, None


def _classes(graph: Graph, metadata: Mapping[str, str]) -> Classes:
    """The classes that a file of weights names, by output where the net has several."""
    from netspec.backends.onnx.task import learned_by
    from netspec.inference.naming import by_target, said_names

    try:
        said = said_names(metadata)
    except ValueError:
        return None  # a stranger's, which says nothing of classes under that name
    learned = learned_by(graph)
    if learned is None or said is None:
        return said
    named = by_target(said, learned, "the weights")
    return {o.output: named[o.target] for o in learned if o.target in named}
