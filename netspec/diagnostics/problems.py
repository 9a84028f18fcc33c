"""Every kind of problem of specs, by name: ``problems.UnknownStep(…)``.

The catalogue is loaded when the first problem is made: a spec without one does not pay for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netspec.diagnostics.augmenting import *  # noqa: F403
    from netspec.diagnostics.calls import *  # noqa: F403
    from netspec.diagnostics.evaluation import *  # noqa: F403
    from netspec.diagnostics.names import *  # noqa: F403
    from netspec.diagnostics.objectives import *  # noqa: F403
    from netspec.diagnostics.reading import *  # noqa: F403
    from netspec.diagnostics.sequences import *  # noqa: F403
    from netspec.diagnostics.shapes import *  # noqa: F403
    from netspec.diagnostics.sizes import *  # noqa: F403
    from netspec.diagnostics.stages import *  # noqa: F403
    from netspec.diagnostics.usage import *  # noqa: F403
    from netspec.diagnostics.using import *  # noqa: F403

CATALOGUE = (
    "reading", "usage", "shapes", "sequences", "sizes", "names", "using", "calls", "evaluation", "stages", "augmenting", "objectives",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if not name.startswith("_"):
        for module in CATALOGUE:
            found = getattr(import_module(f"netspec.diagnostics.{module}"), name, None)
            if found is not None:
                globals()[name] = found
                return found
    raise AttributeError(name)
