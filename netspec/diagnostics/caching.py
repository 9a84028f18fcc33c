"""N732 to N736: what is kept on disk: decoded images, and values of a frozen part."""

from dataclasses import dataclass

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import escape


@dataclass(frozen=True)
class CacheUnused(Problem):
    """Decoded images could not be kept on disk, or not be had from there; everything goes on without."""

    folder: str
    reason: str
    code = "N732"
    severity = "warning"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"decoded images are not kept in {escape(self.folder)}: {escape(self.reason)}"

    def help(self) -> str:
        return "results stay the same, and images are decoded again; NETSPEC_CACHE names another folder, NETSPEC_CACHE_GB its largest size"


@dataclass(frozen=True)
class CacheLost(Problem):
    """A file of decoded images that became shorter, or could not be read any more, while it was in use."""

    path: str
    reason: str
    code = "N733"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"decoded images in {escape(self.path)} cannot be read any more: {escape(self.reason)}"

    def help(self) -> str:
        return (
            "start again, with --resume where a run had begun: images are decoded anew. Nothing else may write into the folder of the cache"
        )


@dataclass(frozen=True)
class WrongCacheSize(Problem):
    """``NETSPEC_CACHE_GB`` is no size."""

    value: str
    code = "N734"
    exit = Exit.USAGE

    def message(self) -> str:
        return f"NETSPEC_CACHE_GB is {escape(self.value)!r}, which is no number of gigabytes"

    def help(self) -> str:
        return "give a number, as NETSPEC_CACHE_GB=50; 0 keeps nothing"


@dataclass(frozen=True)
class FeaturesLost(Problem):
    """A file of kept values that became shorter, or could not be read any more, while it was in use."""

    path: str
    reason: str
    code = "N735"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"the kept values of the frozen part in {escape(self.path)} cannot be read any more: {escape(self.reason)}"

    def help(self) -> str:
        return (
            "start again, with --resume where a run had begun: they are computed anew. Nothing else may write into the folder of the cache"
        )


@dataclass(frozen=True)
class FeaturesUnused(Problem):
    """Values of a frozen part could not be kept on disk; they are computed in every epoch."""

    folder: str
    reason: str
    code = "N736"
    severity = "warning"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"the values of the frozen part are not kept in {escape(self.folder)}: {escape(self.reason)}"

    def help(self) -> str:
        return "results stay the same, and each epoch computes them anew; NETSPEC_CACHE names another folder, NETSPEC_CACHE_GB its size"
