"""Settings that change what is learned are seen wherever settings are shown: how fast parts learn, k, what was set from outside."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from netspec.compiler import compile_source
from netspec.report.comparing import comparison_table
from netspec.report.differences import differences
from netspec.report.measured import titles, told
from netspec.report.models import NamedSettings, RunRecord, StageRecord, StageSettings
from netspec.report.page import write_report
from netspec.report.planned import plan_lines
from netspec.report.progress import Reporter, epoch_line
from netspec.report.runs import Run
from netspec.report.tables import show_header, show_outcome
from netspec.source import Source
from tests.report.making import record, rows, settings, stage
from tests.report.test_page import full, read

RATES = (("base", 0.1), ("base.layer2", 0.5))
IN_WORDS = "x 0.1 for base and x 0.5 for base.layer2"


def with_rates() -> RunRecord:
    warm = StageSettings(**stage(name="warm", epochs=1, rates=RATES))
    return record(train=settings(stages=(warm, StageSettings(**stage(name="tune", epochs=2)))), trainable=1200)


def header(of: RunRecord) -> list[str]:
    found = StringIO()
    show_header(Reporter(Console(file=found, width=200)), Path("runs/pets-1"), of)
    return found.getvalue().splitlines()


def test_the_header_has_the_rates_of_each_stage() -> None:
    lines = header(with_rates())
    (warm,) = (line for line in lines if line.startswith("1. warm"))
    (tune,) = (line for line in lines if line.startswith("2. tune"))
    assert f"learning rate {IN_WORDS}" in warm
    assert "learning rate" not in tune
    alone = header(record(train=settings(rates=RATES)))
    assert sum(IN_WORDS in line for line in alone) == 1


def test_runs_with_other_rates_differ() -> None:
    one, two = record(train=settings(rates=RATES)), record(train=settings(rates=(("base", 0.2), ("base.layer2", 0.5))))
    assert differences([one, two]) == {"rates": ["base = 0.1, base.layer2 = 0.5", "base = 0.2, base.layer2 = 0.5"]}
    assert differences([one, record(train=settings())])["rates"] == ["base = 0.1, base.layer2 = 0.5", ""]
    assert differences([with_rates(), with_rates()]) == {}


def test_the_page_has_rates_and_what_was_set_from_outside() -> None:
    text = read(write_report(full(record=with_rates()))).text
    assert f"rates {IN_WORDS}" in text
    assert "The spec as it was trained" in text
    given = read(write_report(full(given={"train.rates.base": "0.2", "classes": "3"}))).text
    assert "train.rates.base = 0.2 classes = 3" in given
    assert "The spec as it was trained" not in given
    assert given.index("train.rates.base = 0.2") < given.index("linear(3)")


def test_a_graph_knows_what_was_set_from_outside() -> None:
    text = "net A(classes = 2) {\nimage: input(3x8x8)\nflatten -> linear(classes)\n}\ntrain { epochs = 3 }\n"
    (graph,) = compile_source(Source("a.net", text), settings={"train.epochs": "5"}, classes=4)
    assert graph.given == {"train.epochs": "5", "classes": "4"}
    assert compile_source(Source("a.net", text))[0].given == {}


def test_the_plan_has_the_rates() -> None:
    import torch

    from netspec.training.planning import plan_training

    text = "net A {\nimage: input(3x8x8)\nbase: { conv(4, 3) }\nflatten -> head: linear(2)\n}\ntrain { rates { base = 0.1 } }\n"
    plan = plan_training(compile_source(Source("a.net", text))[0], 100, torch.device("cpu"), largest=False)
    assert "  learning rate  x 0.1 for base" in list(plan_lines(plan))


def test_what_is_trainable_is_said_in_one_way(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from netspec.cli.checking import check

    spec = tmp_path / "a.net"
    net = "net A {\nimage: input(3x8x8)\nbase: frozen { conv(4, 3) }\nflatten -> head: linear(2)\n}\n"
    spec.write_text(net)
    check(spec)
    assert "402 parameters, 290 of them trainable" in capsys.readouterr().out
    spec.write_text(f'{net}train {{ one {{ epochs = 1 }}, two {{ epochs = 1, unfreeze = "base", freeze = "head" }} }}\n')
    check(spec)
    assert "402 parameters, at most 290 of them trainable" in capsys.readouterr().out
    spec.write_text(f'{net}train {{ one {{ epochs = 1 }}, two {{ epochs = 1, unfreeze = "base" }} }}\n')
    check(spec)
    assert "402 parameters," in (found := capsys.readouterr().out) and "trainable" not in found
    assert header(with_rates())[0].endswith("61,706 parameters, at most 1,200 of them trainable")
    assert header(record(trainable=1200))[0].endswith("61,706 parameters, 1,200 of them trainable")


def top(k: int, **changes: Any) -> dict[str, Any]:
    return stage(metrics={"output": (NamedSettings(name="top_k", settings={"k": k}),)}, **changes)


def test_top_k_is_told_with_its_k() -> None:
    kept = [row.model_copy(update={"train": {"loss": 1.0, "top_k": 0.5}, "val": {"loss": 1.0, "top_k": 0.75}}) for row in rows()]
    five = settings(**(top(5) | {"keep": NamedSettings(name="best", settings={"monitor": "val.top_k"})}))
    assert titles([five]) == {"top_k": "top_5"}
    assert titles([five, settings(**top(3))]) == {}
    assert told(kept[0].val, "val", titles([five])) == ["val loss 1.0000", "val top_5 75.00%"]
    assert "top_5 50.00%  val loss" in epoch_line(kept[0], 3, None, titles=titles([five]))

    from netspec.report.models import BestEpoch

    of = record(train=five, best=BestEpoch(epoch=3, monitor="val.top_k", values=kept[-1].val), test=None, last=kept[-1])
    found = StringIO()
    show_outcome(Reporter(Console(file=found, width=200)), Path("runs/pets-1"), of)
    assert "best epoch 3: val top_5 75.00%, val loss" in found.getvalue()

    table = StringIO()
    run = Run("runs/pets-1", of, tuple(kept))
    Console(file=table, width=200).print(comparison_table([run, run]))
    assert "val top_5" in table.getvalue() and "top_k" not in table.getvalue()

    text = read(write_report(replace(full(record=of), rows=kept, evaluation=None))).text
    assert "val top_5, weights of epoch 3" in text and "top_5 50.00% 75.00%" in text


def test_of_several_outputs_each_has_its_own_k() -> None:
    chosen = {name: (NamedSettings(name="top_k", settings={"k": k}),) for name, k in (("kind", 3), ("sort", 5))}
    losses = {name: NamedSettings(name="cross_entropy", settings={}) for name in chosen}
    found = titles([settings(metrics=chosen, losses=losses, loss_weights={"kind": 1.0, "sort": 1.0})])
    assert found == {"kind.top_k": "kind.top_3", "sort.top_k": "sort.top_5"}


def test_speed_behind_kept_values_is_told_apart() -> None:
    slow, fast = rows(3), rows(1)[0].model_copy(update={"images_per_second": 8009.0})
    stages = tuple(
        StageRecord(name=name, first_epoch=first, last_epoch=last, stopped=False, learning=1, frozen=(), cached=cached)
        for name, first, last, cached in (("warm", 1, 1, "memory"), ("tune", 2, 3, "no"))
    )
    text = read(write_report(replace(full(record=record(stages=stages)), rows=[fast, *slow[1:]]))).text
    assert "images/s 1,234 images/s behind kept values 8,009" in text
    assert "8,009 *" in text and "1,234 *" not in text
    assert "behind kept values" not in read(write_report(full())).text
    assert "8,009 images/s behind kept values" in epoch_line(fast, 3, None, kept=True)
