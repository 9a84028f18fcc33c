"""The program's entry: one module a command, loaded when it is called; and what happens to whatever goes wrong."""

from __future__ import annotations

import gc
import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

from netspec.cli.terminal import abandon, crash, fail
from netspec.diagnostics import Exit, NetspecError

COMMANDS: Final = (
    "check",
    "summary",
    "render",
    "new",
    "preview",
    "plan",
    "train",
    "eval",
    "predict",
    "compare",
    "export",
    "weights",
    "fetch",
    "layers",
    "explain",
    "reference",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit with its code."""
    gc.disable()  # `check` reads, compiles and ends; whatever goes on longer has it on again
    _prepare_streams()
    code = run(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.stdout.flush()
    except OSError:  # told already: the interpreter is not to stumble over it a second time
        abandon(sys.stdout)
    sys.exit(code)


def _prepare_streams() -> None:
    """Let streams that were closed before the start lead nowhere, and show what a terminal has no letters for escaped."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def run(arguments: Sequence[str]) -> int:
    """Run one command to the last word it prints; gives the exit code."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
        return code
    except NetspecError as error:
        return fail(error)
    except (BrokenPipeError, SystemExit):  # the libraries of the command line and of the tables make one of the other
        abandon(sys.stdout)
        return Exit.ENVIRONMENT
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except Exception as error:
        return crash(error)


def _run(arguments: Sequence[str]) -> int:
    if len(arguments) == 2 and arguments[0] == "check" and not arguments[1].startswith("-"):
        from netspec.cli.checking import check

        return check(arguments[1])
    import typer

    gc.enable()
    command = typer.main.get_command(_app(next((a for a in arguments if a in COMMANDS), None)))
    try:
        result = command.main(_with_target(arguments), prog_name="netspec", standalone_mode=False)
    except Exception as error:
        code = getattr(error, "exit_code", None)  # usage errors of the command line's own library
        if code is None or not hasattr(error, "show"):
            raise
        error.show()
        return int(code)
    return result if isinstance(result, int) else Exit.FINE


def _with_target(arguments: Sequence[str]) -> list[str]:
    """``--onnx NAME.onnx`` as ``--onnx --out NAME.onnx``: options with a value that may be left out are none of Typer's."""
    found = [part for a in arguments for part in (a.split("=", 1) if a.startswith("--onnx=") else [a])]
    for i in range(len(found) - 1, 0, -1):
        if found[i - 1] == "--onnx" and found[i].endswith(".onnx"):
            found.insert(i, "--out")
    return found


def _app(wanted: str | None) -> Any:
    """The commands as a Typer application: only the one that is wanted, where that is known, with all that its options need."""
    import typer

    def version(version: bool = typer.Option(False, "--version", help="Print the version and end.", is_eager=True)) -> None:
        if version:
            from netspec import __version__

            typer.echo(f"netspec {__version__}")
            raise typer.Exit

    app = typer.Typer(
        name="netspec",
        help="Describe a vision network in a short text file; get everything else from it.",
        epilog="`netspec new lenet5.net` writes a first spec; `netspec check lenet5.net` says what it is.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback(invoke_without_command=True)(version)
    for name in (wanted,) if wanted else COMMANDS:
        command: Callable[..., Any] = importlib.import_module(f"netspec.cli.{name}").command
        app.command(name, epilog=getattr(importlib.import_module(f"netspec.cli.{name}"), "EXAMPLE", None))(command)
    return app


if __name__ == "__main__":
    main()
