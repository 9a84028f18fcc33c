"""Files of several folders that belong together by their names: `images/7.jpg` and `masks/7.png`, or `masks/7_mask.png`.

Names go together where they are the same but for their endings. Where no name of one folder is in the other, a word that every name of a
folder has before or behind it, as `_mask` or `label-`, is left out of all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import PurePosixPath
from typing import Final

IMAGES: Final = ("images", "image", "imgs")
MASKS: Final = ("masks", "mask", "labels", "annotations")
"""What folders of images and of masks may be called."""
OF_IMAGES: Final = ("image", "img")
OF_MASKS: Final = ("mask", "masks", "seg", "segmentation", "label", "labels", "annotation", "gt")
"""What the names of images and of masks may have in common."""
_BETWEEN: Final = ("_", "-", ".")

Stems = Mapping[str, str]
"""The files of a folder by their stems."""


def stem_of(name: str, folder: str) -> str:
    """What the path of a file says without the folder it lies in and without its ending."""
    return str(PurePosixPath(name.removeprefix(f"{folder}/")).with_suffix(""))


def alike(found: Mapping[str, Stems], words: Mapping[str, Sequence[str]]) -> tuple[dict[str, Stems], dict[str, str]]:
    """The files of folders under stems that go together, and what was left out of the names of each folder, nothing where they go
    together as they are, or not at all. ``words`` are those that the names of a folder may have in common."""
    choices = [("", *_in_all(files, words[name])) for name, files in found.items()]
    for left_out in sorted(product(*choices), key=lambda affixes: sum(map(bool, affixes))):
        bare = {n: {_without(s, affix): f for s, f in files.items()} for (n, files), affix in zip(found.items(), left_out, strict=True)}
        if set.intersection(*map(set, bare.values())):
            return dict(bare), dict(zip(found, left_out, strict=True))
    return dict(found), dict.fromkeys(found, "")


def _in_all(stems: Iterable[str], words: Sequence[str]) -> list[str]:
    """What all of some names begin or end with."""
    names = [stem.rpartition("/")[2] for stem in stems]
    return [affix for affix in _affixes(words) if names and all(_has(name, affix) for name in names)]


def _affixes(words: Sequence[str]) -> Iterator[str]:
    """Each word behind a name, `_mask`, and before it, `mask_`, in the letter cases that are usual."""
    for word, between in product(words, _BETWEEN):
        for written in (word, word.capitalize(), word.upper()):
            yield from (between + written, written + between)


def _has(name: str, affix: str) -> bool:
    behind = affix[0] in _BETWEEN
    return len(name) > len(affix) and (name.endswith(affix) if behind else name.startswith(affix))


def _without(stem: str, affix: str) -> str:
    folder, slash, name = stem.rpartition("/")
    return folder + slash + (name.removesuffix(affix) if affix[:1] in _BETWEEN else name.removeprefix(affix))
