"""Runs that were never trained, to be told of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from netspec.report.history import history_csv
from netspec.report.mistakes import Mistake
from netspec.report.models import (
    BestEpoch,
    ClassFigures,
    DataRecord,
    EpochRow,
    Evaluation,
    Figures,
    FrozenRegion,
    NamedSettings,
    OutputFigures,
    RunRecord,
    StageRecord,
    StageSettings,
    TrainSettings,
    Versions,
)

NAMES = ("cat", "dog", "hamster")
ADAM = NamedSettings(name="adam", settings={"lr": 0.001, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0})


def rows(epochs: int = 3, stage: str = "", first: int = 1) -> list[EpochRow]:
    """Epochs of a net with one output, better and better."""
    return [
        EpochRow(
            epoch=n,
            stage=stage,
            train={"loss": 1.2 / n, "accuracy": 1 - 0.5 / n},
            val={"loss": 1.0 / n, "accuracy": 1 - 0.4 / n},
            lr=0.001,
            seconds=2.5,
            images_per_second=1234.5,
        )
        for n in range(first, first + epochs)
    ]


def rows_of_two(epochs: int = 3) -> list[EpochRow]:
    """Epochs of a net with two outputs."""
    return [
        EpochRow(
            epoch=n,
            train={"loss": 3.5 / n, "age.loss": 30 / n, "gender.loss": 0.5 / n, "age.mae": 30 / n, "gender.accuracy": 0.9},
            val={
                "loss": 3.6 / n,
                "age.loss": 31 / n,
                "gender.loss": 0.6 / n,
                "age.mae": 31 / n,
                "gender.accuracy": 0.85,
                "gender.auc": 0.9,
            },
            lr=0.001,
            seconds=75.0,
            images_per_second=99.4,
        )
        for n in range(1, epochs + 1)
    ]


def stage(**changes: Any) -> dict[str, Any]:
    """The settings of a stage."""
    plain = {
        "losses": {"output": NamedSettings(name="cross_entropy", settings={"label_smoothing": 0.0, "weight": None})},
        "loss_weights": {"output": 1.0},
        "metrics": {"output": (NamedSettings(name="accuracy", settings={}),)},
        "optimizer": ADAM,
        "schedule": NamedSettings(name="constant", settings={"warmup": 0.0}),
        "batch": 32,
        "epochs": 3,
    }
    return plain | changes


def settings(**changes: Any) -> TrainSettings:
    """The section `train`."""
    keep = NamedSettings(name="best", settings={"monitor": "val.accuracy"})
    return TrainSettings(**({"keep": keep, "seed": 0} | stage() | changes))


def staged() -> TrainSettings:
    """Two stages, the first with a frozen base."""
    warm = StageSettings(**stage(name="warm", epochs=1, freeze=("base",)))
    return settings(stages=(warm, StageSettings(**stage(name="tune", epochs=2, unfreeze=("base[-2:]",)))))


def two_outputs() -> TrainSettings:
    """A number and a class."""
    return settings(
        losses={
            "age": NamedSettings(name="mae", settings={}),
            "gender": NamedSettings(name="binary_cross_entropy", settings={"weight": 1.0}),
        },
        loss_weights={"age": 0.1, "gender": 1.0},
        metrics={"age": (NamedSettings(name="mae", settings={}),), "gender": (NamedSettings(name="accuracy", settings={}),)},
        keep=NamedSettings(name="best", settings={"monitor": "val.loss"}),
    )


def record(**changes: Any) -> RunRecord:
    """A finished run of three epochs."""
    kept = rows()
    plain: dict[str, Any] = {
        "name": "pets-1",
        "net": "Pets",
        "settings": {"classes": "3"},
        "spec_sha256": "5" * 64,
        "classes": {"class": NAMES},
        "parameters": 61_706,
        "trainable": 61_706,
        "train": settings(),
        "data": DataRecord(
            path="data/pets", counts={"train": 240, "val": 30, "test": 30}, own_splits=False, split=(0.8, 0.1, 0.1), fingerprint="f" * 64
        ),
        "versions": Versions(netspec="0.3.0", python="3.11.2", torch="2.13.0", numpy="2.4", platform="Linux", device="cpu", threads=2),
        "started": "2026-03-01T09:30:00+00:00",
        "status": "finished",
        "epochs_done": 3,
        "last": kept[-1],
        "best": BestEpoch(epoch=3, monitor="val.accuracy", values=kept[-1].val),
        "stages": (
            StageRecord(
                name="", first_epoch=1, last_epoch=3, stopped=False, learning=61_706,
                frozen=(FrozenRegion(region="base", tensors=12, of=14, sha256="a" * 64),),
            ),
        ),
        "test": Figures(images=30, values={"loss": 0.4012, "accuracy": 0.8333}),
        "test_weights": "best",
    }  # fmt: skip
    return RunRecord(**(plain | changes))


def evaluation(**changes: Any) -> Evaluation:
    """Thirty pictures of three animals."""
    confusion = ((9, 1, 0), (2, 8, 0), (1, 1, 8))
    counts = tuple(ClassFigures(label=n, images=10, correct=confusion[i][i], accuracy=confusion[i][i] / 10) for i, n in enumerate(NAMES))
    plain: dict[str, Any] = {
        "model": "runs/pets-1",
        "data": "data/pets",
        "split": "test",
        "images": 30,
        "figures": {"loss": 0.4012, "accuracy": 0.8333},
        "outputs": {"output": OutputFigures(kind="class", classes=counts, confusion=confusion)},
    }
    return Evaluation(**(plain | changes))


def mistake(**changes: Any) -> Mistake:
    """A cat that was taken for a dog."""
    plain: dict[str, Any] = {
        "name": "data/pets/cat/12.jpg",
        "pictures": (torch.arange(3 * 20 * 16, dtype=torch.int64).remainder(256).to(torch.uint8).view(3, 20, 16),),
        "truth": "cat",
        "taken": "dog",
        "loss": 3.2,
        "probability": 0.981,
    }
    return Mistake(**(plain | changes))


def folder(path: Path, kept: RunRecord, history: str | None = None) -> Path:
    """The folder of a run, as far as it is compared."""
    path.mkdir(parents=True)
    (path / "run.json").write_text(kept.model_dump_json(), "utf-8")
    (path / "history.csv").write_text(history_csv(rows(kept.epochs_done)) if history is None else history, "utf-8")
    return path
