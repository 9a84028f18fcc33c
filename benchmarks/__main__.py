"""``python -m benchmarks [NUMBER ...]``: run all rows, or those of the given numbers; print a table and write ``build/benchmarks.json``."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.rows import ROWS, Row


def main() -> None:
    """Run, print, write."""
    wanted = set(sys.argv[1:])
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{machine}. CPU times; r = peer / ours.\n")
    found: list[Row] = []
    for rows in ROWS:
        if wanted and (rows.__doc__ or "").partition(":")[0] not in wanted:
            continue
        for row in rows():
            found.append(row)
            print(f"{row.number}  {row.what}\n   against {row.against}; asked {row.asked}\n   {row.found}\n", flush=True)
    target = Path("build/benchmarks.json")
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps([asdict(row) for row in found], indent=2) + "\n")
    print(f"wrote {target}")


main()
