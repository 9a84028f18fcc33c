"""N8xx: files of weights and models, and what is fed to a model; N96x: numbers that disagree at export."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import escape, listing, plural, storage
from netspec.shape import Shape, show

_SHOWN = 10


def _names(names: tuple[str, ...]) -> str:
    return listing([escape(n[:200]) for n in names], limit=_SHOWN)


@dataclass(frozen=True)
class CannotRead(Problem):
    """A file of weights or a model that cannot be opened or read."""

    path: str
    reason: str
    code = "N801"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        return f"{escape(self.path)} cannot be read: {escape(self.reason)}"

    def help(self) -> str:
        return "check the path and the permissions; it must be a regular file"


@dataclass(frozen=True)
class UnknownWeightsFormat(Problem):
    """A file that holds weights in no format that is read, whatever its name ends in."""

    path: str
    seen: str
    code = "N802"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        return f"{escape(self.path)} is not a file of weights: it looks like {self.seen}"

    def notes(self) -> Iterable[str]:
        yield "read are safetensors, PyTorch's .pth and .pt, numpy's .npz and Keras' .h5, told apart by content, not by name"

    def help(self) -> str:
        return "save the tensors in one of these formats, best safetensors"


@dataclass(frozen=True)
class BrokenFile(Problem):
    """A file of weights that is damaged: cut short, too long, or with a header that contradicts it."""

    path: str
    reason: str
    code = "N803"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        return f"{escape(self.path)} is damaged: {escape(self.reason)}"

    def help(self) -> str:
        return "fetch or save the file again"


@dataclass(frozen=True)
class NotTensorsAlone(Problem):
    """A file made by ``torch.save`` or ``numpy.savez`` that holds more than tensors by name."""

    path: str
    held: str
    code = "N804"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        return f"{escape(self.path)} holds more than named tensors: {escape(self.held)}"

    def help(self) -> str:
        return "save the state dict alone, as torch.save(model.state_dict(), path), or as safetensors"


@dataclass(frozen=True)
class ChecksumMismatch(Problem):
    """A file that netspec wrote and whose content is no longer what was written."""

    path: str
    code = "N805"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        return f"checksum mismatch: {escape(self.path)} is not as it was written"

    def help(self) -> str:
        return "use another copy of the file: at least one bit of this one has changed"


@dataclass(frozen=True)
class WrongTensor:
    """One tensor of another shape or type than the net has; :class:`WeightsDoNotFit` lists these."""

    key: str
    found: str
    wanted: str
    place: str

    def __str__(self) -> str:
        return f"{escape(self.key[:200])} is {self.found}, and {self.wanted} in the net ({escape(self.place)})"


@dataclass(frozen=True)
class WeightsDoNotFit(Problem):
    """Tensors that are not those of the net: missing, unexpected, of another shape, or not finite."""

    name: str
    missing: tuple[tuple[str, str], ...] = ()
    """Keys with the place of the layer that declares each."""
    unexpected: tuple[str, ...] = ()
    wrong: tuple[WrongTensor, ...] = ()
    bad: tuple[str, ...] = ()
    """Sentences about tensors with values that no weight can have."""
    code = "N806"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        counts = (
            (self.missing, "missing tensor"), (self.unexpected, "unexpected tensor"),
            (self.wrong, "tensor of another shape or type"), (self.bad, "tensor with impossible values"),
        )  # fmt: skip
        found = [_counted(len(items), what) for items, what in counts if items]
        return f"the weights in {escape(self.name)} do not fit the net: {listing(found)}"

    def notes(self) -> Iterable[str]:
        if self.missing:
            yield "missing: " + listing([f"{escape(key[:200])} ({escape(place)})" for key, place in self.missing], limit=_SHOWN)
        if self.unexpected:
            yield "unexpected: " + _names(self.unexpected)
        yield from map(str, self.wrong[:_SHOWN])
        yield from (escape(sentence) for sentence in self.bad[:_SHOWN])

    def help(self) -> str:
        if self.bad and not (self.missing or self.unexpected or self.wrong):
            return "train again from an earlier checkpoint: these numbers cannot be used"
        if any(re.search(r"(kernel|gamma|moving_mean)(:0)?$|(^|[./])vars[./]\d+$", key) for key in self.unexpected):
            return "these are another framework's names: map=order matches by structure, and `netspec weights` shows how"
        if self._is_head():
            return "to keep all but this layer, use the part of the net before it with weights=, and write a layer of your own behind it"
        return "use the weights of this very net, or change the net until names and shapes agree"

    def _is_head(self) -> bool:
        """Whether one layer alone differs, as where a net was trained for another number of classes."""
        return bool(self.wrong) and not (self.missing or self.unexpected) and len({w.key.rpartition(".")[0] for w in self.wrong}) == 1


def _counted(count: int, what: str) -> str:
    noun, _, rest = what.partition(" of ") if " of " in what else what.partition(" with ")
    joiner = " of " if " of " in what else " with "
    return plural(count, noun) + (joiner + rest if rest else "")


@dataclass(frozen=True)
class FileTooLarge(Problem):
    """A file far larger than the net's weights can be. ``most`` is how many bytes it may have, packed or unpacked."""

    path: str
    size: int
    most: int
    code = "N807"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        return f"{escape(self.path)} is {plural(self.size, 'byte')}, and a file for this net has at most {plural(self.most, 'byte')}"

    def help(self) -> str:
        return "this is not a file of this net's weights"


@dataclass(frozen=True)
class CannotWrite(Problem):
    """A file that could not be written; what stood there before still stands."""

    path: str
    reason: str
    size: int
    code = "N810"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"{escape(self.path)} could not be written: {escape(self.reason)}"

    def notes(self) -> Iterable[str]:
        yield "nothing is lost: a file that was there before is still there, whole"

    def help(self) -> str:
        return f"make room for {self.size / 1e6:,.1f} MB and check the permissions, then try again"


@dataclass(frozen=True)
class TargetExists(Problem):
    """A file in the way of an export."""

    path: str
    code = "N811"
    exit = Exit.USAGE

    def message(self) -> str:
        return f"{escape(self.path)} exists"

    def help(self) -> str:
        return "add --force (in Python, force=True) to replace it, or give another name"


@dataclass(frozen=True)
class TargetNotAFile(Problem):
    """A directory, a device or a link where a file is to be written."""

    path: str
    kind: str
    code = "N812"
    exit = Exit.USAGE

    def message(self) -> str:
        return f"{escape(self.path)} is {self.kind}, and a file is to be written there"

    def help(self) -> str:
        return "give the name of a file"


@dataclass(frozen=True)
class ModelTooLarge(Problem):
    """A model beyond what one ONNX file can hold."""

    size: int
    limit: int
    code = "N813"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        return f"the model's weights are {storage(self.size)}, and one ONNX file can hold {storage(self.limit)}"

    def help(self) -> str:
        return "make the net smaller: weights in a file beside the model are not supported yet"


@dataclass(frozen=True)
class NotAnOnnxModel(Problem):
    """A file that is no ONNX model, or one that onnxruntime cannot run."""

    path: str
    reason: str
    code = "N814"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        return f"{escape(self.path)} is not an ONNX model that can be run: {escape(self.reason[:300])}"

    def help(self) -> str:
        return "export the net again with `netspec export`"


@dataclass(frozen=True)
class WeightsElsewhere(Problem):
    """An ONNX model whose weights lie in other files, which are not opened."""

    path: str
    tensor: str
    code = "N815"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        return f"{escape(self.path)} keeps the tensor {escape(self.tensor[:200])} in another file"

    def help(self) -> str:
        return "save the model with its weights inside: no file that a model names is opened"


@dataclass(frozen=True)
class NoCudaProvider(Problem):
    """onnxruntime was asked for CUDA and has none here."""

    reason: str
    code = "N816"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"CUDA provider not available: {escape(self.reason)}"

    def help(self) -> str:
        return "run with --device cpu, or install onnxruntime-gpu and the CUDA libraries it needs"


@dataclass(frozen=True)
class WrongInput(Problem):
    """A tensor of another shape or type than the net takes."""

    name: str
    found: str
    wanted: Shape
    code = "N820"
    exit = Exit.DATA

    def message(self) -> str:
        return f"input `{escape(self.name)}` must be a batch of {show(self.wanted)}, float or uint8, and is {self.found}"

    def help(self) -> str:
        return f"give a tensor of shape (N, {', '.join(map(str, self.wanted))})"


@dataclass(frozen=True)
class WrongInputCount(Problem):
    """More or fewer tensors than the net has inputs."""

    found: int
    names: tuple[str, ...]
    code = "N821"
    exit = Exit.DATA

    def message(self) -> str:
        return f"the net takes {plural(len(self.names), 'input')}, {_names(self.names)}, and got {self.found}"

    def help(self) -> str:
        return "give one tensor for each input, in this order"


@dataclass(frozen=True)
class ExportDisagrees(Problem):
    """onnxruntime computes something else from the exported model than PyTorch from the net."""

    output: str
    batch: int
    level: str
    difference: float
    flips: int
    code = "N961"
    exit = Exit.NUMBERS

    def message(self) -> str:
        flips = f", and {plural(self.flips, 'sample')} with another first class" if self.flips else ""
        return (
            f"the exported model does not compute what the net computes: output `{escape(self.output)}` differs by "
            f"{self.difference:.2g} (relative){flips}"
        )

    def notes(self) -> Iterable[str]:
        yield f"batch of {self.batch}, onnxruntime's optimisation {self.level}; no file was written"

    def help(self) -> str:
        return "report this net: its export is wrong"


@dataclass(frozen=True)
class NotFinite(Problem):
    """A net whose own output is not finite, so that no export of it can be checked."""

    output: str
    code = "N962"
    exit = Exit.NUMBERS

    def message(self) -> str:
        return f"output `{escape(self.output)}` of the net is not finite on ordinary numbers, so the export cannot be checked"

    def help(self) -> str:
        return "look at the weights: train again, or from an earlier checkpoint"
