"""The program as a user runs it: in this process for what it prints, in another for what it loads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "100", "PYTHONUTF8": "1", "TERM": "dumb"}


def netspec(*arguments: str | bytes, folder: Path | None = None, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run the program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "netspec", *arguments], cwd=folder or ROOT, env=ENVIRONMENT, input=given, capture_output=True, timeout=60
    )
