"""``history.csv``: a line for each epoch."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from io import StringIO

from netspec.report.models import EpochRow


def history_csv(rows: Iterable[EpochRow]) -> str:
    """The history as comma-separated values with a header; a figure that there is not is empty."""
    text = StringIO(newline="")
    writer = csv.DictWriter(text, list(EpochRow.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.model_dump() for row in rows)
    return text.getvalue()
