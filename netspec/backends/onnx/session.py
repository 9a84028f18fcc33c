"""Running an ONNX model: sessions of onnxruntime that do what they were asked or say that they cannot."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import onnx
import onnxruntime as ort
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto

from netspec.backends.atomic import open_regular
from netspec.diagnostics import failure
from netspec.diagnostics.models import NoCudaProvider, NotAnOnnxModel, WeightsElsewhere

Device = Literal["cpu", "cuda", "auto"]
Array = NDArray[Any]

_LARGEST = 2**31 - 1
_CUDA = "CUDAExecutionProvider"
_CPU = "CPUExecutionProvider"
_FATAL_ALONE: Final = 4
_WARNINGS: Final = 2


def open_session(model: str | os.PathLike[str] | bytes, device: Device = "cpu", *, optimise: bool = True) -> ort.InferenceSession:
    """A session for a model in a file or in memory, with a thread for each processor that this process may use.

    ``cuda`` is CUDA or an error, never the processor in its stead; ``auto`` takes CUDA where it works. Which it was,
    ``session.get_providers()[0]`` says. ``optimise=False`` runs the model's operators as they stand.

    Raises a :class:`~netspec.diagnostics.NetspecError`: N801 or N814 where the file cannot be read or run, N815 where it names
    other files, N816 (exit 5) where CUDA was asked for and is not there.
    """
    content, name = (model, "the model") if isinstance(model, bytes) else (_read(os.fspath(model)), os.fspath(model))
    _refuse_other_files(_parse(content, name), name)
    if device == "cpu":
        return _session(content, name, [_CPU], optimise)
    session = _cuda_session(content, name, optimise)
    if session is not None:
        return session
    if device == "auto":
        return _session(content, name, [_CPU], optimise)
    raise failure(NoCudaProvider(_why_no_cuda()))


def infer(session: ort.InferenceSession, inputs: Mapping[str, Array], name: str) -> list[Any]:
    """The outputs of a model for its inputs by name. Raises a :class:`~netspec.diagnostics.NetspecError` N814 where it does not run."""
    try:
        found: list[Any] = session.run(None, dict(inputs))
    except Exception as error:  # onnxruntime raises a dozen unrelated classes, straight from C++
        raise failure(NotAnOnnxModel(name, _first_line(error))) from error
    return found


def read_onnx_metadata(model: str | os.PathLike[str] | bytes) -> dict[str, str]:
    """What a model says of itself: for netspec's own, the keys that begin with ``netspec.``.

    Raises a :class:`~netspec.diagnostics.NetspecError` N801 or N814.
    """
    content, name = (model, "the model") if isinstance(model, bytes) else (_read(os.fspath(model)), os.fspath(model))
    said = _parse(content, name).metadata_props
    return {p.key: p.value for p in said if isinstance(p.key, str) and isinstance(p.value, str)}  # what is no UTF-8 is bytes here


def _read(name: str) -> bytes:
    with open_regular(name) as file:
        if os.fstat(file.fileno()).st_size > _LARGEST:
            raise failure(NotAnOnnxModel(name, "it is larger than 2 GiB"))
        return file.read()


def _parse(content: bytes, name: str) -> ModelProto:
    model = ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise failure(NotAnOnnxModel(name, "its content is something else, or cut short")) from error
    if not model.ir_version or not model.HasField("graph"):
        raise failure(NotAnOnnxModel(name, "its content is something else"))
    return model


def _refuse_other_files(model: ModelProto, name: str) -> None:
    for tensor in _tensors(model):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise failure(WeightsElsewhere(name, str(tensor.name)))


def _tensors(message: Message) -> Iterator[TensorProto]:
    """Every tensor anywhere in a model: weights, attributes, sparse tensors, subgraphs and functions."""
    open_ends: list[Message] = [message]
    while open_ends:
        part = open_ends.pop()
        if isinstance(part, onnx.TensorProto):
            yield part
            continue
        for field, value in part.ListFields():
            if field.message_type is not None:
                open_ends.extend([value] if isinstance(value, Message) else value)


def _session(content: bytes, name: str, providers: list[str], optimise: bool) -> ort.InferenceSession:
    try:
        session = ort.InferenceSession(content, _options(optimise), providers=providers)
        describe(session)  # names that are no UTF-8 are found when they are read
        return session
    except Exception as error:  # onnxruntime raises a dozen unrelated classes, straight from C++
        raise failure(NotAnOnnxModel(name, _first_line(error))) from error


def _cuda_session(content: bytes, name: str, optimise: bool) -> ort.InferenceSession | None:
    """A session that really runs on CUDA. onnxruntime lists the provider wherever it was compiled in, and goes on without it."""
    if _CUDA not in ort.get_available_providers():
        return None
    ort.set_default_logger_severity(_FATAL_ALONE)
    try:
        session = _session(content, name, [_CUDA, _CPU], optimise)
    finally:
        ort.set_default_logger_severity(_WARNINGS)
    return session if _CUDA in session.get_providers() else None


def _why_no_cuda() -> str:
    if _CUDA not in ort.get_available_providers():
        return "this onnxruntime was built without it"
    return "onnxruntime has it, and it did not start"


def _options(optimise: bool) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL_ALONE
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
    return options


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def describe(session: ort.InferenceSession) -> dict[str, Any]:
    """The inputs and outputs of a session: name to shape, with a name, as ``"batch"``, for each axis that is free."""
    return {"inputs": {i.name: i.shape for i in session.get_inputs()}, "outputs": {o.name: o.shape for o in session.get_outputs()}}
