"""How to write what was written in the wrong place: a setting of an optimizer, a schedule or a loss in `train`, one of `train` on the
command line, and settings as other frameworks call them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from netspec.diagnostics import Problem, problems
from netspec.diagnostics.text import closest
from netspec.sections import LOSSES, OPTIMIZERS, SCHEDULES, SECTIONS, STOPS
from netspec.signature import OneOfChoices, signature_of
from netspec.values import Choice, show

_HOLDING: Final = {"optimizer": OPTIMIZERS, "stop": STOPS, "schedule": SCHEDULES, "loss": LOSSES}
"""Settings of `train` that have settings of their own, in the order in which one is looked for."""
_USUAL: Final = {"optimizer": "adam", "schedule": "cosine", "stop": "stop", "loss": "cross_entropy"}
_CALLED: Final = {
    "learning_rate": "lr",
    "early_stopping": "patience",
    "early_stop": "patience",
    "warm_up": "warmup",
    "class_weight": "weight",
    "class_weights": "weight",
}
"""Settings of choices by their names elsewhere."""
_HELD_OUT: Final = frozenset({"val_split", "validation_split", "val_fraction", "validation", "test_split"})
_MIXED: Final = frozenset({"amp", "mixed_precision", "fp16", "half"})


@dataclass(frozen=True)
class Written:
    """A setting that there is not: where it stands, how its value is written, and what stands beside it.

    ``stage`` is that of its section, where it is in one; ``outside`` says that it comes from the command line; ``values`` are the settings
    that hold there, ``meant`` the names of choices that could not be read.
    """

    section: str
    key: str
    text: str
    stage: str | None = None
    outside: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)
    meant: Mapping[str, str] = field(default_factory=dict)

    def line(self, key: str, value: str) -> str:
        """A setting as it would be written here."""
        if self.outside:
            return f'--set "{".".join(filter(None, (self.section, self.stage, key)))}={value}"'
        return f"stop {{ {value[5:-1].replace('=', ' = ')} }}" if key == "stop" else f"{key} = {value}"


def unknown_setting(written: Written) -> Problem:
    """That a section has no such setting, and what was most likely meant."""
    owner = written.section if written.stage is None else f"stage {written.stage}"
    return unknown(written.section, written.key, _elsewhere(written), owner)


def unknown(section: str, key: str, instead: str | None = None, owner: str | None = None) -> Problem:
    """That a section has no such setting."""
    known = tuple(signature_of(SECTIONS[section]).by_name)
    return problems.UnknownSetting(owner or section, key, known, closest(key, known), instead)


def as_setting(name: str, text: str) -> str | None:
    """How to set on the command line what is no parameter of a net, and a setting of a section or of a choice in `train`."""
    section = next((s for s, declaration in SECTIONS.items() if name in signature_of(declaration).by_name), None)
    if section is not None:
        return f'--set "{section}.{name}={text}"'
    return _elsewhere(Written("train", name, text, outside=True))


def _elsewhere(written: Written) -> str | None:
    """How to write what has its place in another setting."""
    if written.key in _HELD_OUT:
        return _held_out(written)
    if written.section != "train":
        return None
    if written.key in _MIXED:
        return written.line("precision", "bf16")
    setting, _, name = written.key.rpartition(".")
    if setting and setting not in _HOLDING:
        return None
    name = _CALLED.get(name, name)
    for key in (setting,) if setting else _HOLDING:
        if call := _with_setting(written, key, name):
            return written.line(key, call)
    return None


def _with_setting(written: Written, key: str, name: str) -> str | None:
    """The choice that a setting of `train` is, with one of its own settings changed and the others as they are."""
    table = _HOLDING[key]
    chosen = _chosen(written, key)
    having = [n for n in table if name in signature_of(table[n]).by_name]
    if not having:
        return None
    ours = chosen.name if chosen.name in having else _USUAL[key] if _USUAL[key] in having else having[0]
    defaults = signature_of(table[ours]).defaults
    kept = {n: v for n, v in chosen.settings.items() if v != defaults.get(n)} if chosen.name == ours else {}
    parts = {n: show(v) for n, v in kept.items()} | {name: _value(name, written)}
    return f"{ours}({', '.join(f'{n}={parts[n]}' for n in defaults if n in parts)})"


def _chosen(written: Written, key: str) -> Choice:
    """What is chosen for a setting, or was meant to be; with the usual settings, what is usual."""
    value = written.values.get(key)
    if isinstance(value, Choice):
        return value
    meant = OneOfChoices(_HOLDING[key]).ours(written.meant.get(key, "")) or closest(written.meant.get(key, ""), _HOLDING[key])
    return Choice(meant or "")


def _value(name: str, written: Written) -> str:
    """What is written, where it can be a value of this setting: a number; else one that is usual."""
    usual = {"patience": "10", "warmup": "5%"}
    if name not in usual:
        return written.text
    number = written.text.removesuffix("%").replace(".", "", 1).isdecimal()
    epochs = (
        name == "warmup" and written.text.isdecimal() and int(written.text) > 0
    )  # others count the steps or epochs, and here it is a share
    return written.text if number and not epochs else usual[name]


def _held_out(written: Written) -> str | None:
    """`val_split = 0.2` as the shares of training, validation and test."""
    text = written.text
    share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1) if _is_number(text.removesuffix("%")) else 0.0
    share = round(share * 100, 6) if 0 < share < 0.9 else 10.0
    shares = f"[{90 - share:g}%, {share:g}%, 10%]"
    if written.outside:
        return f'--set "data.split={shares}"'
    return f"split = {shares}" if written.section == "data" else f"data {{ split = {shares} }}"


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()
