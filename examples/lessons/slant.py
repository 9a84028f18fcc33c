"""How far a handwritten digit slants: a number for each picture of MNIST, for a net with two heads to learn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def slants(pixels: NDArray[Any]) -> NDArray[Any]:
    """The slant of each picture, of `N x H x W` bytes: `-mu11 / mu02` of its central moments (Hu, 1962), the tangent of the angle between
    its long axis, taken as a shear, and an upright one. 0 is upright, above 0 leans to the right; 0 for a picture in one row."""
    import numpy as np

    rows, columns = (axis.ravel() for axis in np.indices(pixels.shape[1:]))
    raw = pixels.reshape(len(pixels), -1) @ np.stack([np.ones(rows.shape), rows, columns, rows * columns, rows**2], axis=1)
    mass, down, right, both, square = raw.T
    along, upright = mass * both - down * right, mass * square - down**2
    shear: NDArray[Any] = np.divide(-along, upright, out=np.zeros_like(along), where=upright > 0)
    return shear.astype(np.float32)


def with_slants(source: Path, target: Path) -> None:
    """Write an ``.npz`` with a column ``slant`` beside the pictures and classes of ``source``. What is there is kept."""
    import numpy as np

    if target.exists():
        return
    with np.load(source) as arrays:
        found: dict[str, Any] = {name: arrays[name] for name in arrays}
    pictures = [name for name in found if name.startswith("x_")]
    found |= {f"slant_{name.removeprefix('x_')}": slants(found[name]) for name in pictures}
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part.npz")
    np.savez(part, **found)
    part.replace(target)
