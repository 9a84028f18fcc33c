"""Names of other frameworks: what is said to write in their place can be pasted, and keeps what was written where it means the same."""

from __future__ import annotations

import re

import pytest

from netspec import sections
from netspec.augmentations import augmentations
from netspec.compiler import diagnose
from netspec.layer import layers
from netspec.signature import _ELSEWHERE
from netspec.source import Source

FOREIGN_LAYERS = sorted({(other, known.name) for known in layers().values() for other in known.elsewhere})
FOREIGN_STEPS = sorted({(other, known.name) for known in augmentations().values() for other in known.elsewhere})

SHAPES = {
    "64x16x16": "other: identity\nmemory: identity\n{}",
    "64x16": "other: identity\nmemory: identity\n{}",
    "64": "other: identity\nmemory: identity\n{}",
    "64x16x16 in windows": "other: identity\nmemory: identity\nwindow_partition(8) -> {}",
    "3x16x16": "other: identity\nmemory: identity\n{}",
}
"""What flows in, and what stands before the line that is pasted."""


def in_net(body: str, shape: str) -> str:
    ends = "\noutput(last, other, memory)" if "other:" in body else "\noutput(last)"
    return f"net A {{\nimage: input({shape.split()[0]})\n{body}\n{'last: identity'}{ends}\n}}\n"


def helps(text: str, code: str) -> list[str]:
    return [d.problem.help() or "" for d in diagnose(Source("a.net", text)) if d.code == code]


def errors(text: str) -> list[str]:
    return [f"{d.code} {d.message}" for d in diagnose(Source("a.net", text)) if d.is_error]


def line_of(said: str) -> str:
    """What is said to write, without the explanation behind it."""
    found = re.fullmatch(r"write (.+?)(?:[;:] .*|, where .*| right behind .*)?", said)
    assert found, said
    return found[1]


@pytest.mark.parametrize(("other", "ours"), FOREIGN_LAYERS, ids=lambda x: x)
@pytest.mark.parametrize("arguments", ["", "()", "(3, 8, 3, activation='none')"], ids=["plain", "called", "odd"])
def test_what_is_written_for_a_layer_can_be_pasted(other: str, ours: str, arguments: str) -> None:
    if other in layers() or (arguments and "'" in arguments):
        arguments = arguments.replace("'", '"')
    said = helps(in_net(other + arguments, "64x16x16"), "N302")
    if not said and other in layers():
        pytest.skip("a name that is also one of ours")
    (text,) = said
    line = line_of(text)
    assert line.split("(")[0] == ours
    found = {shape: errors(in_net(body.format(line), shape)) for shape, body in SHAPES.items()}
    assert not all(found.values()), (line, found)


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("Conv2D(32, 3)", "conv(32, 3)"),
        ("nn.Conv2d(3, 8 * 2, 3, padding=1)", "conv(8 * 2, 3, padding=1)"),
        ("Conv2d(in_channels=3, out_channels=8, kernel_size=3)", "conv(channels=8, kernel=3)"),
        ("Conv2d(8, 3)", "conv(8, 3)"),
        ('Conv2D(32, 3, padding="same", activation="relu")', "conv(32, 3, padding=same) -> relu"),
        ("Dense(10, activation=softmax)", "linear(10) -> softmax"),
        ("nn.Linear(512, 10)", "linear(10)"),
        ("nn.BatchNorm2d(64)", "bn"),
        ("BatchNormalization(momentum=0.9)", "bn"),
        ("MaxPooling2D(pool_size=2)", "maxpool(kernel=2)"),
        ("nn.MaxPool2d(3, 2, 1)", "maxpool(3, 2, 1)"),
        ("Flatten(1)", "flatten"),
        ("Softmax(dim=1)", "softmax"),
        ("nn.Dropout(p=0.3)", "dropout(rate=0.3)"),
        ("GroupNorm(8, 64)", "group_norm(8)"),
        ("ReflectionPad2d(3)", "pad(1, mode=reflect)"),
        ("ToTensor()", "scale(1/255)"),
    ],
)
def test_arguments_are_kept_where_they_mean_the_same(written: str, line: str) -> None:
    (said,) = helps(in_net(written, "64x16x16"), "N302")
    assert line_of(said) == line


def in_augment(steps: str) -> str:
    return f"net A {{\nimage: input(3x32x32)\naugment {{ {steps} }}\nflatten -> linear(10)\n}}\n"


@pytest.mark.parametrize(("other", "ours"), FOREIGN_STEPS, ids=lambda x: x)
@pytest.mark.parametrize("arguments", ["", "(0.1)", "(30)", "(size=28, padding=2)", "(p=0.3)"])
def test_what_is_written_for_an_augmentation_can_be_pasted(other: str, ours: str, arguments: str) -> None:
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", other).casefold()
    for name in {other, snake} - set(augmentations()):
        (said,) = helps(in_augment(name + arguments), "N340")
        assert ours in line_of(said)
        assert errors(in_augment(line_of(said))) == []


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("translate(0.1)", "shift(0.1)"),
        ("random_flip", "flip(horizontal)"),
        ("RandomVerticalFlip(0.3)", "flip(vertical, p=0.3)"),
        ("horizontal_flip", "flip"),
        ("transforms.RandomHorizontalFlip(p=0.3)", "flip(p=0.3)"),
        ("RandomRotation(0.2)", "rotate(0.2)"),
        ("RandomRotation(15)", "rotate(degrees=15)"),
        ("random_crop(28, padding=2)", "pad(2) -> crop(32x32)"),
        ("color_jitter", "brightness(0.2) -> contrast(0.2) -> saturation(0.2) -> hue(0.05)"),
        ("ColorJitter(brightness=0.4, hue=0.1)", "brightness(0.4) -> hue(0.1)"),
        ("RandomZoom(0.3)", "zoom(0.3)"),
        ("GaussianBlur(3)", "blur"),
        ("RandomErasing(0.25)", "erase(p=0.25)"),
    ],
)
def test_steps_as_they_were_meant(written: str, line: str) -> None:
    (said,) = helps(in_augment(written), "N340")
    assert line_of(said) == line


@pytest.mark.parametrize(("other", "ours"), FOREIGN_STEPS, ids=lambda x: x)
def test_an_augmentation_among_the_layers_says_what_to_write(other: str, ours: str) -> None:
    said = helps(in_net(other, "3x32x32"), "N341")
    if not said:
        return  # a layer of that name is meant there
    region = line_of(said[0])
    assert errors(in_net(region, "3x32x32")) == []


ENDS = {"classes": "flatten -> linear(10)", "two": "flatten -> linear(1)", "map": "conv(4, 1)"}


def in_train(line: str, end: str) -> str:
    return f"net A {{\nimage: input(3x32x32)\n{end}\n}}\ntrain {{\n{line}\n}}\n"


TABLES = {"loss": "LOSSES", "metrics": "METRICS", "optimizer": "OPTIMIZERS", "schedule": "SCHEDULES"}
FOREIGN_CHOICES = sorted(
    (key, other, ours) for key, table in TABLES.items() for other, ours in _ELSEWHERE.items() if ours in getattr(sections, table)
)


@pytest.mark.parametrize(("key", "other", "ours"), FOREIGN_CHOICES, ids=lambda x: x)
@pytest.mark.parametrize("arguments", ["", "()", "(3)", "(gamma=0.5)"])
def test_what_is_written_for_a_choice_can_be_pasted(key: str, other: str, ours: str, arguments: str) -> None:
    if other in getattr(sections, TABLES[key]):
        return
    (said,) = helps(in_train(f"{key} = {other}{arguments}", ENDS["classes"]), "N303" if arguments else "N401")
    line = line_of(said)
    assert line.split("(")[0] == ours
    said_before = ("", "loss = mse\n") if key == "metrics" else ("",)
    assert not all(errors(in_train(f"{before}{key} = {line}", end)) for end in ENDS.values() for before in said_before), line


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("schedule = CosineAnnealingLR(T_max=10)", "write cosine"),
        ("schedule = ReduceLROnPlateau(factor=0.5, patience=3)", "write plateau(factor=0.5, patience=3)"),
        ("schedule = StepLR(step_size=10, gamma=0.5)", "write step(every=10, factor=0.5)"),
        ("schedule = MultiStepLR", "write multistep(at=[30, 60, 80])"),
        ("schedule = multistep", "write multistep(at=[30, 60, 80])"),
        ("optimizer = SGD(learning_rate=0.1, momentum=0.9)", "write sgd(lr=0.1, momentum=0.9)"),
        ("optimizer = optim.AdamW(lr=1e-3)", "write adamw(lr=0.001)"),
        ("loss = CrossEntropyLoss(label_smoothing=0.1)", "write cross_entropy(label_smoothing=0.1)"),
        ("keep = val.loss", "write best(val.loss)"),
        ("keep = accuracy", None),
    ],
)
def test_choices_as_they_were_meant(line: str, said: str | None) -> None:
    (found,) = (d for d in diagnose(Source("a.net", in_train(line, ENDS["classes"]))) if d.is_error)
    assert found.problem.help() == said
