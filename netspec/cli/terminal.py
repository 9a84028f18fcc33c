"""What every command shows in the same way: errors, JSON, crashes."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO

from netspec.diagnostics import Diagnostic, Exit, NetspecError

LIBRARIES = ("torch", "numpy", "onnx", "onnxruntime", "PIL", "matplotlib", "rich", "pydantic", "pygraphviz", "lark", "h5py")
"""What netspec, or working on it, needs, and only loads where it is used."""


def fail(error: NetspecError) -> int:
    """Print what is wrong; gives the exit code."""
    try:
        show_diagnostics(error.diagnostics)
    except OSError:
        abandon(sys.stderr)
    return int(error.exit)


def abandon(stream: TextIO) -> None:
    """Let what a stream still holds go nowhere: its reader has gone, or its disk is full."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def show_diagnostics(diagnostics: tuple[Diagnostic, ...]) -> None:
    """Diagnostics on standard error, a count behind them where there are several."""
    from netspec.diagnostics.render import render
    from netspec.diagnostics.text import plural

    errors = sum(d.is_error for d in diagnostics)
    print(render(diagnostics, color=colorful(sys.stderr)), end="", file=sys.stderr)
    if errors > 1:
        print(f"\n{plural(errors, 'error')}", file=sys.stderr)


def colorful(stream: Any) -> bool:
    """Whether to colour: on a terminal, unless NO_COLOR is set (https://no-color.org)."""
    return bool(stream.isatty()) and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def console() -> Any:
    """Where tables go: as wide as the terminal, or as wide as they are where another program reads them."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 10_000)


def show_json(data: Any) -> None:
    """Data for programs on standard output."""
    print(json.dumps(data, indent=2, ensure_ascii=(sys.stdout.encoding or "").lower() != "utf-8"))


def crash(error: Exception) -> int:
    """A bug of ours, or an error of the system that nobody foresaw: a line, and for a bug a report file."""
    from netspec.diagnostics import failure, problems
    from netspec.diagnostics.text import escape

    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in LIBRARIES:
        return fail(failure(problems.MissingLibrary((error.name or "").partition(".")[0])))
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error):
        return fail(failure(problems.OutOfMemory()))  # the last two are PyTorch's, of an accelerator and of the processor
    if isinstance(error, OSError) and error.errno is not None:
        path = str(error.filename) if error.filename else None
        return fail(failure(problems.SystemRefused(path, error.strerror or str(error))))
    report = _report(error)
    print(f"error: a bug in netspec: {type(error).__name__}: {escape(str(error))[:200]}", file=sys.stderr)
    print(f"  = help: please report it with the file {report}" if report else "  = help: please report it", file=sys.stderr)
    return Exit.BUG


def _report(error: Exception) -> Path | None:
    """Where the traceback was written, or ``None`` where it could not be."""
    import platform
    import tempfile
    import traceback

    from netspec import __version__

    text = f"netspec {__version__}, Python {platform.python_version()}, {platform.platform()}\n{' '.join(sys.argv[1:])}\n\n"
    try:
        with tempfile.NamedTemporaryFile("w", prefix="netspec-report-", suffix=".txt", delete=False) as file:
            file.write(text + "".join(traceback.format_exception(error)))
            return Path(file.name)
    except OSError:
        return None
