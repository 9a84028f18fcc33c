"""What a report is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from netspec.report.diagrams import Diagram
from netspec.report.mistakes import Mistake
from netspec.report.models import EpochRow, Evaluation, RunRecord

Counts = Mapping[str, Mapping[str, Sequence[int]]]
"""By the names of targets and of splits, how many samples there are of each class."""


@dataclass(frozen=True)
class Report:
    """All that is known of a run. What is left out has no part on the page.

    ``evaluation`` is that of the weights to use on the test split, or where there is none on the validation split; ``counts`` are in the
    order of the record's classes; ``plan`` are the lines of the run's plan, as the terminal shows them; ``given`` is what was set from
    outside, as by ``--set``.
    """

    record: RunRecord
    rows: Sequence[EpochRow]
    spec: str = ""
    diagram: Diagram = Diagram()  # noqa: RUF009
    evaluation: Evaluation | None = None
    counts: Counts = field(default_factory=dict)
    mistakes: Sequence[Mistake] = ()
    warnings: Sequence[str] = ()
    notes: Sequence[str] = ()
    plan: Sequence[str] = ()
    given: Mapping[str, str] = field(default_factory=dict)
