"""The exception that carries diagnostics to whoever asked for the work."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.diagnostics.problem import Diagnostic, Exit, Problem


class NetspecError(Exception):
    """Work that could not be done, with every diagnostic that says why.

    ``exit`` is the exit code that fits the first error.
    """

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("; ".join(d.message for d in self.diagnostics if d.is_error))

    def __str__(self) -> str:
        from netspec.diagnostics.render import render

        return render(self.diagnostics).rstrip()

    @property
    def exit(self) -> Exit:
        return next((d.problem.exit for d in self.diagnostics if d.is_error), Exit.SPEC)


def failure(problem: Problem) -> NetspecError:
    """An error that lies in no text."""
    return NetspecError([Diagnostic(problem)])
