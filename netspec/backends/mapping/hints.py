"""What names say where shapes and order leave a choice. It is always told, and never more than a choice between what fits."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.backends.mapping.grouping import FileLayer
from netspec.backends.mapping.slots import Slot


def by_name(layer: FileLayer, slots: Sequence[Slot], found: Sequence[int]) -> tuple[int, str] | None:
    """The slot that is called as the layer: with all its path, as `left.conv` or `left_conv`, or else by the last label."""
    name = layer.name.replace("/", ".")
    label = name.rpartition(".")[2]
    whole = [s for s in found if f".{name}".endswith(f".{slots[s].name}") or label == slots[s].name.replace(".", "_")]
    if len(whole) == 1:
        return whole[0], "by its name"
    same = [s for s in found if slots[s].name.rpartition(".")[2] == label]
    return (same[0], f"by its label {label}") if len(same) == 1 and not label.isdecimal() else None


def by_partner(
    layer: FileLayer, layers: Sequence[FileLayer], slots: Sequence[Slot], found: Sequence[int], chosen: Sequence[int]
) -> tuple[int, str] | None:
    """The norm behind the convolution that is called as the layer: `bn_5` behind `conv_5`, `block1_bn` behind `block1_conv`."""
    if not layer.stem:
        return None
    fitting = []
    for s in found:
        sources = slots[s].node.inputs[:1]
        fitting += [
            (s, layers[i].name) for i, other in enumerate(chosen) if slots[other].node.index in sources and layers[i].stem == layer.stem
        ]
    return (fitting[0][0], f"as the one behind {fitting[0][1]}") if len(fitting) == 1 else None
