"""What differs between the settings of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netspec.report.models import NamedSettings, RunRecord, StageSettings
from netspec.report.wording import named
from netspec.values import show

_Settings = Mapping[str, "str | NamedSettings"]


def differences(records: Sequence[RunRecord]) -> dict[str, list[str]]:
    """The settings that are not the same in all runs, by their names in the file, with the value of each run; empty where it has none."""
    divided_apart = all(record.data.content for record in records)
    settings = [_settings(record, divided_apart) for record in records]
    found: dict[str, list[str]] = {}
    for key in dict.fromkeys(name for one in settings for name in one):
        found |= _of_key(key, [one.get(key, "") for one in settings])
    return {key: values for key, values in found.items() if len(set(values)) > 1}


def _of_key(key: str, values: Sequence[str | NamedSettings]) -> dict[str, list[str]]:
    """One setting: where the same choice was made everywhere, by what it was made with."""
    chosen = [value for value in values if isinstance(value, NamedSettings)]
    if len(chosen) == len(values) and len({value.name for value in chosen}) == 1:
        names = dict.fromkeys(name for value in chosen for name in value.settings)
        return {f"{key}.{name}": [_shown(value.settings.get(name)) for value in chosen] for name in names}
    return {key: [named(value) if isinstance(value, NamedSettings) else value for value in values]}


def _settings(record: RunRecord, divided_apart: bool) -> _Settings:
    """All settings of a run, flat. The fingerprint of data is that of its content alone, where all runs have that: how it is divided
    follows from settings that are told themselves."""
    train, data, versions = record.train, record.data, record.versions
    stages: dict[str, str | NamedSettings] = _of_stage(train)
    if train.stages:
        stages = {"stages": ", ".join(stage.name for stage in train.stages)}
        stages |= {f"{stage.name}.{key}": value for stage in train.stages for key, value in _of_stage(stage).items()}
    return {
        "net": record.net,
        "spec": record.spec_sha256[:8],
        **record.settings,
        **stages,
        "keep": train.keep,
        "ema": _shown(train.ema),
        "seed": str(train.seed),
        "data": data.path,
        "data.fingerprint": (data.content if divided_apart else data.fingerprint)[:8],
        "data.split": "its own" if data.own_splits else _shown(data.split),
        "device": versions.device,
        "threads": str(versions.threads),
        "precision": versions.precision,
        "torch": versions.torch,
        "netspec": versions.netspec,
    }


def _of_stage(stage: StageSettings) -> dict[str, str | NamedSettings]:
    several = len(stage.losses) > 1
    return {
        "epochs": str(stage.epochs),
        "batch": str(stage.batch),
        "accumulate": str(stage.accumulate),
        **{f"loss.{output}" if several else "loss": loss for output, loss in stage.losses.items()},
        **{f"loss_weights.{output}": f"{weight:g}" for output, weight in stage.loss_weights.items() if several},
        **{f"metrics.{o}" if several else "metrics": ", ".join(map(named, metrics)) for o, metrics in stage.metrics.items()},
        "optimizer": stage.optimizer,
        "rates": ", ".join(f"{path} = {factor:g}" for path, factor in stage.rates),
        "schedule": stage.schedule,
        "clip": _shown(stage.clip),
        "decay": stage.decay,
        "freeze": ", ".join(stage.freeze),
        "unfreeze": ", ".join(stage.unfreeze),
        **({} if stage.stop is None else {"stop": stage.stop}),
    }


def _shown(value: object) -> str:
    """A value as it would be written, without quotes; nothing for none."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, value))}]"
    return value if isinstance(value, str) else show(value)
