"""Which layout data has, and what is found in it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from netspec.data.found import Found
from netspec.data.layouts.arrays import Archive, Folder, read_arrays
from netspec.data.layouts.class_folders import read_class_folders
from netspec.data.layouts.manifests import read_manifest
from netspec.data.layouts.mask_folders import read_mask_folders
from netspec.data.task import Wanted
from netspec.diagnostics import failure
from netspec.diagnostics.data import NoSuchData, UnknownDataFile
from netspec.diagnostics.layouts import LayoutDoesNotFit, PairsDoNotFit

_TABLES: Final = (".csv", ".tsv")


def read_layout(path: Path, wanted: Wanted, budget: int) -> Found:
    """What there is at a path for a net: arrays, a table, folders of images with masks, or folders of images by class.

    Arrays larger than ``budget`` bytes stay on the disk. Raises a :class:`~netspec.diagnostics.NetspecError` where there is nothing to
    read; what is wrong besides is in the ``problems`` of what is found.
    """
    if wanted.pairs and not _fit_pairs(wanted):
        raise failure(PairsDoNotFit(wanted.net, len(wanted.inputs), len(wanted.targets)))
    if not path.exists():
        raise failure(NoSuchData(str(path)))
    if path.is_dir():
        return _read_folder(path, wanted, budget)
    ending = path.suffix.casefold() if path.is_file() else ""
    if ending in _TABLES:
        return read_manifest(path, wanted)
    if ending == ".npz":
        return read_arrays(Archive(path), wanted)
    if ending == ".npy":
        return read_arrays(Folder(path.parent, budget), wanted)
    raise failure(UnknownDataFile(str(path)))


def _read_folder(path: Path, wanted: Wanted, budget: int) -> Found:
    try:
        arrays = any(not p.name.startswith(".") for p in path.glob("*.npy"))
    except OSError as error:
        raise failure(NoSuchData(str(path), error.strerror or str(error))) from error
    if arrays:
        return read_arrays(Folder(path, budget), wanted)
    if any(target.kind == "mask" for target in wanted.targets):
        _check_images(path, wanted, "images with masks", ("mask",))
        return read_mask_folders(path, wanted)
    _check_images(path, wanted, "images by class", ("class",))
    return read_class_folders(path, wanted)


def _check_images(path: Path, wanted: Wanted, layout: str, kinds: tuple[str, ...]) -> None:
    """Raise N791 where a folder of images alone cannot hold what is asked for."""
    lacking = [f"the input {i.name}, which is numbers" for i in wanted.inputs if i.picture is None]
    lacking += [f"the target {t.name}, which is {_KINDS[t.kind]}" for t in wanted.targets if t.kind not in kinds]
    if kinds == ("class",):
        lacking += [f"the input {i.name} beside {wanted.inputs[0].name}" for i in wanted.inputs[1:] if not wanted.pairs]
        named = [t for t in wanted.targets if t.source.name not in ("class", "pairs")]
        lacking += [f"the target {t.name}, beside {wanted.targets[0].name}" for t in named if len(wanted.targets) > 1 and t.kind == "class"]
        lacking += [f"the target {t.name}, as a column" for t in named if t.source.name == "column" and len(wanted.targets) == 1]
    if lacking:
        raise failure(
            LayoutDoesNotFit(str(path), layout, tuple(lacking), _loss_of_classes(wanted, len(lacking)) if "class" in kinds else None)
        )


def _loss_of_classes(wanted: Wanted, lacking: int) -> str | None:
    """The loss with which the only target that is lacking would be the class of an image."""
    odd = [t for t in wanted.targets if t.kind in ("labels", "number") and t.source.name != "column"]
    if len(odd) != 1 or lacking != 1:
        return None
    loss = "binary_cross_entropy" if odd[0].size == 1 else "cross_entropy"
    return f"loss = {loss}" if len(wanted.targets) == 1 else f"loss {{ {odd[0].name} = {loss} }}"


_KINDS: Final = {"class": "a class", "labels": "several labels", "number": "numbers", "mask": "a class for each pixel"}


def _fit_pairs(wanted: Wanted) -> bool:
    shapes = {(i.shape, i.picture) for i in wanted.inputs}
    return len(wanted.inputs) == 2 and len(shapes) == 1 and [t.kind for t in wanted.targets] == ["class"] and wanted.targets[0].size == 1
