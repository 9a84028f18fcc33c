"""The process that reads HDF5: a file comes in, its arrays go out. It knows nothing of netspec and is run as a file.

``hdf5_child.py BYTES MEMORY SECONDS``: the most bytes that all arrays together may take, and limits of its own memory and processor time,
where the system has them. What it writes is laid out as safetensors: eight bytes with the length of all that follows, then the header's
length, the header, and the numbers. Tensors are called by their numbers; the metadata says which array each is.

Nothing beside plain arrays of numbers is followed or read: no link, soft or external, no array whose numbers lie in another file or in
other arrays, no reference, no filter beside those that HDF5 itself has for packing. Code 3 says that h5py is missing, 4 that the file is
refused; what is wrong then stands on standard error, behind a word that says of which kind it is.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

NO_H5PY = 3
REFUSED = 4
MOST_OBJECTS = 100_000
DEEPEST = 64
_FILTERS = {1, 2, 3, 32000}
"""deflate, shuffle and Fletcher's checksum, which are HDF5's own, and h5py's LZF."""
_CODES = {
    "f8": "F64", "f4": "F32", "f2": "F16", "i8": "I64", "i4": "I32", "i2": "I16", "i1": "I8", "u1": "U8", "b1": "BOOL",
}  # fmt: skip
_LEFT_OUT = ("optimizer_weights", "optimizer")
"""What Keras keeps of its optimiser beside the weights."""


class Refused(Exception):
    """A file that is not read: ``kind`` is `broken`, `foreign` or `large`."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Array(NamedTuple):
    """An array of the file: where it stands, its type and shape as safetensors has them, and how many bytes it takes."""

    path: str
    code: str
    shape: tuple[int, ...]
    bytes: int


class Walk:
    """All that lies below a group: ``arrays`` and ``groups`` by path, and in ``names`` what Keras 3 calls its layers, by the group of
    their variables. Nothing is reached twice and no link is followed."""

    def __init__(self, root: Any) -> None:
        self.arrays: dict[str, Any] = {}
        self.groups: dict[str, Any] = {}
        self.names: dict[str, str] = {}
        self._seen: set[Any] = set()
        waiting: list[tuple[str, Any]] = [("", root)]
        while waiting:
            path, group = waiting.pop()
            if path.count("/") >= DEEPEST:
                raise Refused("broken", f"its groups lie in each other more than {DEEPEST} deep")
            for name in group:
                inside = f"{path}/{name}" if path else name
                if inside not in _LEFT_OUT and self._take(inside, name, group):
                    waiting.append((inside, self.groups[inside]))

    def _take(self, path: str, name: str, group: Any) -> bool:
        """Take what stands under a name; says whether it is a group."""
        import h5py

        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise Refused("foreign", f"{path}, a link to something elsewhere")
        found = group[name]
        place = h5py.h5o.get_info(found.id).addr
        if place in self._seen:
            raise Refused("broken", f"{path} is reached in two ways")
        self._seen.add(place)
        if len(self._seen) > MOST_OBJECTS:
            raise Refused("broken", f"it holds more than {MOST_OBJECTS:,} groups and arrays")
        if isinstance(found, h5py.Dataset):
            self.arrays[path] = found
        elif isinstance(found, h5py.Group):
            self.groups[path] = found
            if name == "vars" and (called := text(found, "name")) is not None:
                self.names[path] = called
        return path in self.groups


def described(path: str, dataset: Any) -> Array:
    """What an array is, from its header alone. Raises :class:`Refused` where its numbers are not all in the file as plain numbers."""
    import h5py

    plan = dataset.id.get_create_plist()
    if plan.get_layout() == h5py.h5d.VIRTUAL or plan.get_external_count():
        raise Refused("foreign", f"{path}, an array whose numbers lie elsewhere")
    unknown = {plan.get_filter(i)[0] for i in range(plan.get_nfilters())} - _FILTERS
    if unknown:
        raise Refused("broken", f"{path} is packed by the filter {min(unknown)}, which is not read")
    code = _code(path, dataset)
    shape = dataset.shape
    if shape is None:
        raise Refused("broken", f"{path} has no shape")
    size = int(dataset.id.get_type().get_size())
    for n in shape:
        size *= int(n)
    stored = dataset.id.get_storage_size()
    if size and (not stored or (stored != size and plan.get_layout() != h5py.h5d.CHUNKED)):
        raise Refused("broken", f"{path} takes {size} bytes, and {stored} are in the file")
    return Array(path, code, tuple(int(n) for n in shape), size)


def _code(path: str, dataset: Any) -> str:
    dtype = dataset.dtype
    if dtype.kind == "V" and dtype.itemsize == 2 and text(dataset, "dtype") == "bfloat16":
        return "BF16"
    code = _CODES.get(f"{dtype.kind}{dtype.itemsize}")
    if code is None or dtype.subdtype is not None:
        raise Refused("foreign", f"{path}, an array of {dtype.name if dtype.kind in 'fiuc' else 'something other than numbers'}")
    return code


def text(thing: Any, name: str) -> str | None:
    """An attribute that is a text, or ``None``."""
    import h5py

    if name not in thing.attrs:
        return None
    attribute = thing.attrs.get_id(name)
    if attribute.shape != () or h5py.check_string_dtype(attribute.dtype) is None:
        return None
    found = thing.attrs[name]
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)


def texts(thing: Any, name: str) -> list[str] | None:
    """An attribute that is a list of texts, which Keras cuts into ``name0``, ``name1``, … where it is long; or ``None``."""
    import h5py

    parts = [name] if name in thing.attrs else []
    while not parts or parts[0] != name:
        if f"{name}{len(parts)}" not in thing.attrs:
            break
        parts.append(f"{name}{len(parts)}")
    found: list[str] = []
    for part in parts:
        attribute = thing.attrs.get_id(part)
        if len(attribute.shape) != 1 or attribute.shape[0] > MOST_OBJECTS:
            raise Refused("broken", f"{part} is not a list of names")
        if attribute.shape[0] and h5py.check_string_dtype(attribute.dtype) is None and attribute.dtype.kind != "S":
            raise Refused("broken", f"{part} is not a list of names")
        found += [n.decode("utf-8", "replace") if isinstance(n, bytes) else str(n) for n in thing.attrs[part] if attribute.shape[0]]
    return found if parts else None


def ordered(root: Any, groups: dict[str, Any]) -> list[str] | None:
    """The paths of the arrays as Keras lists them, layer by layer; ``None`` where the file has no such list."""
    home = "model_weights/" if "model_weights" in groups else ""
    layers = texts(groups["model_weights"] if home else root, "layer_names")
    if layers is None:
        return None
    found = []
    for layer in layers:
        if home + layer not in groups:
            raise Refused("broken", f"it lists the layer {layer}, which is not there")
        found += [f"{home}{layer}/{name}" for name in texts(groups[home + layer], "weight_names") or ()]
    return found


def read(content: bytes, most: int) -> Iterator[bytes]:
    """The arrays of a file, in pieces of what is to be written."""
    import h5py
    import numpy as np

    with h5py.File(io.BytesIO(content), "r") as file:
        walk = Walk(file)
        found = {path: (described(path, dataset), dataset) for path, dataset in walk.arrays.items()}
        total = sum(array.bytes for array, _ in found.values())
        if total > most:
            raise Refused("large", str(total))
        listed = ordered(file, walk.groups)
        if listed is not None and (absent := [p for p in listed if p not in found]):
            raise Refused("broken", f"it lists {absent[0]}, which is not there")
        paths = list(dict.fromkeys([*(listed or ()), *found]))
        yield _header([found[p][0] for p in paths], {"paths": paths, "listed": len(listed or ()), "names": walk.names}, total)
        for path in paths:
            array, dataset = found[path]
            values = np.asarray(dataset[()])
            if values.dtype.kind != "V":
                values = values.astype(values.dtype.newbyteorder("<"), copy=False)
            numbers = values.tobytes()
            if len(numbers) != array.bytes:
                raise Refused("broken", f"{path} takes {array.bytes} bytes, and {len(numbers)} came out")
            yield numbers


def _header(found: list[Array], metadata: dict[str, Any], total: int) -> bytes:
    table: dict[str, Any] = {"__metadata__": {key: json.dumps(value) for key, value in metadata.items()}}
    position = 0
    for number, array in enumerate(found):
        end = position + array.bytes
        table[str(number)] = {"dtype": array.code, "shape": list(array.shape), "data_offsets": [position, end]}
        position = end
    raw = json.dumps(table).encode()
    return (8 + len(raw) + total).to_bytes(8, "little") + len(raw).to_bytes(8, "little") + raw


def _limit(memory: int, seconds: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits; the parent's clock holds there alone
        return
    for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)):
        try:
            resource.setrlimit(kind, (most, most))
        except (OSError, ValueError):  # a lower limit is in force already, or the system has none of this kind
            continue


def main() -> int:
    """Read standard input, write to standard output."""
    most, memory, seconds = map(int, sys.argv[1:4])
    try:
        import h5py  # noqa: F401
    except ImportError as error:
        print(error, file=sys.stderr)
        return NO_H5PY
    _limit(memory, seconds)
    try:
        for piece in read(sys.stdin.buffer.read(), most):
            sys.stdout.buffer.write(piece)
    except Refused as refused:
        print(refused.kind, json.dumps(str(refused)), file=sys.stderr)
        return REFUSED
    except Exception as error:  # h5py raises whatever the library below it says of a stranger's bytes
        print("broken", json.dumps(f"HDF5 cannot read it ({str(error)[:150] or type(error).__name__})"), file=sys.stderr)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
