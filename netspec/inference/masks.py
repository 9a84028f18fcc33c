"""Predicted masks as files: a PNG with a palette for each image, whose indices are the numbers of the classes.

Each lies in the folder under the path that its image has in the folder that was named, and has the height and width of its image; where the
net gives several masks, each output has a folder of its own. Such a mask can be learned from again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path, PurePath
from typing import Final

import numpy as np
from PIL import Image
from torch import Tensor

from netspec.backends.atomic import write_atomically
from netspec.data.images.decode import ImageFormat, Pixels, own_size, read_bytes
from netspec.data.masks import resized
from netspec.diagnostics import failure
from netspec.diagnostics.predicting import MasksNotWritten
from netspec.inference.model import Model
from netspec.report.mistakes import color_of

_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", re.ASCII)
_INDICES: Final = 256
"""How many numbers a palette has."""


class MaskWriter:
    """Writes masks into a new or empty folder. Raises N861 where that is something else, or where the model gives no masks."""

    def __init__(self, folder: Path, model: Model) -> None:
        masked = [o for o in model.learned if o.kind == "mask"]
        if not masked:
            raise failure(MasksNotWritten(str(folder), f"{model.path} gives no class for each pixel"))
        if max(o.classes for o in masked) > _INDICES:
            raise failure(MasksNotWritten(str(folder), f"there are more than {_INDICES} classes"))
        if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
            raise failure(MasksNotWritten(str(folder), "it is there already, and is no empty folder"))
        names = {o.output: o.output if _PLAIN.fullmatch(o.output) else f"output{i}" for i, o in enumerate(model.learned)}
        self._folders: Mapping[str, Path] = {o.output: folder / names[o.output] if len(masked) > 1 else folder for o in masked}
        self._colors = b"".join(bytes.fromhex(color_of(number)[1:]) for number in range(_INDICES))
        self._taken: set[Path] = set()

    def write(self, output: str, image: Path, place: PurePath, mask: Tensor) -> str:
        """Write the mask of an image, `H x W`; ``place`` is the image's path in the folder that was named. Gives the path of the file."""
        target = self._target(self._folders[output], place)
        size = own_size(read_bytes(image), ImageFormat(1, None, None)).shape[1:]
        found: Pixels = resized(mask.numpy().astype(np.uint8), *size)
        picture = Image.fromarray(np.ascontiguousarray(found))
        picture.putpalette(self._colors)
        content = BytesIO()
        picture.save(content, "PNG")
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, [content.getvalue()], content.tell())
        return str(target)

    def _target(self, folder: Path, place: PurePath) -> Path:
        """Where a mask goes: `cat/1.png` for `cat/1.jpg`, and where that is taken `cat/1.jpg.png`, then `cat/1.jpg-2.png`."""
        names: Sequence[str] = (place.stem, place.name, *(f"{place.name}-{n}" for n in range(2, len(self._taken) + 3)))
        target = next(path for name in names if (path := folder / place.parent / f"{name}.png") not in self._taken)
        self._taken.add(target)
        return target
