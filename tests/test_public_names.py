"""What ``import netspec`` gives."""

from __future__ import annotations

import pkgutil
from types import ModuleType

import netspec


def test_public_names_stay_what_they_are() -> None:
    """A package that is imported becomes an attribute of the one around it, so none may be called as a public name is."""
    assert not {module.name for module in pkgutil.iter_modules(netspec.__path__)} & set(netspec.__all__)
    for name in netspec.__all__:
        first = getattr(netspec, name)
        assert first is getattr(netspec, name)
        assert not isinstance(first, ModuleType)
    assert set(netspec.__all__) <= set(dir(netspec))
