"""For each page that shows no net, the problem that its output is of."""

from __future__ import annotations

from netspec.diagnostics import Problem, problems

EXAMPLES: dict[str, Problem] = {}
