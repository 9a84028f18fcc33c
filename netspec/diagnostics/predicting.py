"""N847, N860, N861, N862: what a prediction is asked about, and what it answers."""

from dataclasses import dataclass

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import escape, listing


@dataclass(frozen=True)
class NotOneImage(Problem):
    """A prediction by a net that takes something else than one image; ``shape`` is that of the only input, where there is one."""

    net: str
    inputs: tuple[str, ...]
    shape: str | None = None
    code = "N847"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        if self.shape is not None:
            return f"`{escape(self.net)}` takes {escape(self.shape)}, and a prediction is asked about an image, 1xHxW or 3xHxW"
        names = listing([escape(name) for name in self.inputs])
        return f"`{escape(self.net)}` takes {len(self.inputs)} inputs, {names}, and a prediction is asked about one image"

    def label(self) -> str:
        return "this is no image" if self.shape is not None else "a second input"

    def help(self) -> str:
        return "measure it with netspec eval, or export it and give the ONNX file its inputs with onnxruntime"


@dataclass(frozen=True)
class NothingToPredict(Problem):
    """What a prediction is asked about is not there, or holds no image."""

    path: str
    reason: str = "there is no such file or folder"
    code = "N860"
    exit = Exit.DATA

    def message(self) -> str:
        return f"nothing to predict at {escape(self.path)}: {escape(self.reason)}"

    def help(self) -> str:
        return "name image files (.jpg, .jpeg, .png, .webp, .bmp, .gif), or folders with such files in them or below"


@dataclass(frozen=True)
class MasksNotWritten(Problem):
    """Masks are to be written, and cannot be."""

    path: str
    reason: str
    code = "N861"
    exit = Exit.USAGE

    def message(self) -> str:
        return f"masks cannot be written to {escape(self.path)}: {escape(self.reason)}"

    def help(self) -> str:
        return "give --masks a new or empty folder, with a model that gives a class for each pixel"


@dataclass(frozen=True)
class AnswersUnknown(Problem):
    """An output of which nothing says what it has learned, and whose shape does not say it either."""

    net: str
    output: str
    shape: str
    code = "N862"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        return f"`{escape(self.net)}` gives `{escape(self.output)}` as {self.shape}, which is no class, no labels, no numbers and no mask"

    def label(self) -> str:
        return f"gives {self.shape}"

    def help(self) -> str:
        return "predict with a net whose outputs are vectors or maps of classes, or run the exported file with onnxruntime"
