"""Weights under another framework's names, matched by structure: what `map=order` means.

A file's tensors are grouped into layers (:mod:`~netspec.backends.mapping.grouping`), the net's into slots
(:mod:`~netspec.backends.mapping.slots`); a tensor goes into a slot where a conversion makes its shape that of the slot's weight
(:mod:`~netspec.backends.mapping.conversion`). The layers of the file come in an order, and a net says which of its layers come before
which: :mod:`~netspec.backends.mapping.search` looks for every way in which both agree. One way is the answer, two are an error that shows
both, and none is an error that says where it ends. :mod:`~netspec.backends.mapping.table` puts it together, with a row for each tensor
that says what was done, and why.

Nothing here reads a file or holds a number of one: names and shapes are all that is looked at, and what comes out are instructions.
"""

from netspec.backends.mapping.grouping import Contents
from netspec.backends.mapping.table import Given, Mapped, Row, Unmappable, map_by_order

__all__ = ["Contents", "Given", "Mapped", "Row", "Unmappable", "map_by_order"]
