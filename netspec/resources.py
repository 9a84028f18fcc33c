"""The one place that knows where files lie: grammars, specs and error pages, beside the package in a checkout and inside it in a wheel;
and what is cached."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

CACHE: Final = "NETSPEC_CACHE"
_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The folder ``grammars``, ``specs`` or ``errors``."""
    inside = _PACKAGE / name
    if inside.is_dir():
        return inside
    return _PACKAGE.parent / ("docs/errors" if name == "errors" else name)


def cache_folder() -> Path:
    """Where fetched files, decoded images and kept values lie: ``$NETSPEC_CACHE``, or a folder for caches as the system has it."""
    if given := os.environ.get(CACHE):
        return Path(given)
    try:
        home = Path.home()
    except RuntimeError:  # a user without one: then nothing can be kept, which is said where it would be
        home = Path(os.sep, "nonexistent")
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "netspec" / "cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "netspec"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "netspec"
