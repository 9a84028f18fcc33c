"""The sections `train` and `data`: which settings they have, of which kinds and with which defaults.

A section is declared as a layer is: a function whose signature is read by :func:`netspec.signature.signature_of` and whose
docstring is the reference page. Optimisers, losses, metrics and schedules are declared the same way, under PyTorch's names and with
PyTorch's defaults, so that what is known of PyTorch holds here.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Final

from netspec.kinds import Boolean, Count, Natural, OneOf, Positive, Shares
from netspec.sections import losses, metrics, optimizing, sources
from netspec.setting_kinds import MeanRate, Names, PartFactors, PerOutput, Precision, SourceByName
from netspec.signature import ListOfChoices, OneOfChoices, signature_of
from netspec.values import Choice, Percent, Word

Table = Mapping[str, Callable[..., None]]
"""Declarations by the names that they are written with."""


def _table(*declared: Callable[..., None]) -> Table:
    return {f.__name__.rstrip("_"): f for f in declared}


OPTIMIZERS: Final = _table(
    optimizing.sgd, optimizing.adam, optimizing.adamw, optimizing.rmsprop, optimizing.nadam, optimizing.adagrad
)  # fmt: skip
LOSSES: Final = _table(
    losses.cross_entropy, losses.binary_cross_entropy, losses.focal, losses.dice, losses.mae, losses.mse, losses.huber, losses.contrastive
)  # fmt: skip
METRICS: Final = _table(
    metrics.accuracy, metrics.top_k, metrics.precision, metrics.recall, metrics.f1, metrics.auc, metrics.mae, metrics.mse, metrics.rmse,
    metrics.miou, metrics.dice,
)  # fmt: skip
SCHEDULES: Final = _table(
    optimizing.constant, optimizing.step, optimizing.multistep, optimizing.cosine, optimizing.one_cycle, optimizing.polynomial,
    optimizing.plateau,
)  # fmt: skip
KEEPS: Final = _table(optimizing.best, optimizing.last)
STOPS: Final = _table(optimizing.stop)
"""What is written in braces, as ``stop { patience = 10 }``: settings of ``train`` of the same name."""
TARGETS: Final = _table(sources.class_, sources.column, sources.mask, sources.pairs)
"""Where the values of a target come from: ``target age = column(age)``."""
INPUTS: Final = _table(sources.column)
"""Where the values of an input come from: ``input left = column(left_file)``."""


def choice(declaration: Callable[..., None]) -> Choice:
    """An optimiser, loss, metric or schedule with every setting at its default."""
    return Choice(declaration.__name__.rstrip("_"), {p.name: p.default for p in signature_of(declaration).parameters})


_ADAM = choice(optimizing.adam)
_CONSTANT = choice(optimizing.constant)
_BEST = choice(optimizing.best)
_SPLIT = (Percent(0.8), Percent(0.1), Percent(0.1))
_AUTO = Word("auto")


def train(
    *,
    loss: Annotated[Choice, OneOfChoices(LOSSES)] | None = None,
    loss_weights: PerOutput | None = None,
    metrics: Annotated[tuple[Choice, ...], ListOfChoices(METRICS)] | None = None,
    optimizer: Annotated[Choice, OneOfChoices(OPTIMIZERS)] = _ADAM,
    rates: PartFactors | None = None,
    schedule: Annotated[Choice, OneOfChoices(SCHEDULES)] = _CONSTANT,
    batch: Count = 32,
    accumulate: Count = 1,
    epochs: Count = 10,
    clip: Positive | None = None,
    decay: Annotated[str, OneOf(("all", "weights"))] = Word("all"),
    freeze: Names | None = None,
    unfreeze: Names | None = None,
    batch_norm: Annotated[str, OneOf(("learn", "fixed"))] = Word("learn"),
    stop: Annotated[Choice, OneOfChoices(STOPS)] | None = None,
    keep: Annotated[Choice, OneOfChoices(KEEPS)] = _BEST,
    ema: MeanRate | None = None,
    precision: Annotated[str, Precision()] = _AUTO,
    layout: Annotated[str, OneOf(("auto", "channels_last", "contiguous"))] = _AUTO,
    compile: Boolean = False,  # noqa: A002
    seed: Natural = 0,
) -> None:
    """How the net is trained. Any other name with braces is a stage: `head { epochs = 5, freeze = "base" }`. Stages run in the order of
    the text; each may set again what holds for it, except `keep`, `ema`, `precision`, `layout`, `compile` and `seed`, which hold for the
    whole run.

    - `loss`: for every output, as `loss = mae`, or by output, as `loss { age = mae, gender = binary_cross_entropy }`. Left out, it is
      `binary_cross_entropy` for an output that ends in `sigmoid` or has one number, or one channel, `contrastive` for one that ends in
      `distance` and has one number, and `cross_entropy` for any other.
      Losses of classes are computed on the logits, and a `softmax` or `sigmoid` at the end is not applied twice
    - `loss_weights`: what the loss of each output counts for in their sum, as `loss_weights { age = 0.1, gender = 1 }`; 1 where nothing
      is written
    - `metrics`: what is measured beside the loss, for every output, as `metrics = [accuracy, f1]`, or by output, as
      `metrics { age = mae, gender = [accuracy, auc] }`. Left out, it is `accuracy` for a class, `f1` for labels, `mae` for numbers and
      `miou` for a map
    - `optimizer`: `sgd`, `adam`, `adamw`, `rmsprop`, `nadam` or `adagrad`, each with PyTorch's settings and defaults
    - `rates`: what the learning rate is multiplied with for parts of the net and all below them, named as in `freeze`:
      `rates { base = 0.1, "base.layer4.*" = 0.5 }`. Of several lines that name one layer, the last holds for it
    - `schedule`: how the learning rate goes over the steps of a stage: `constant`, or one of those below
    - `batch`: how many images are computed at a time; a last batch of one image joins the batch before it
    - `accumulate`: how many batches make a step of the optimiser, for a batch that does not fit into the memory
    - `epochs`: how many times the training goes through the data
    - `clip`: the largest norm of all gradients together; larger ones are scaled down to it (Pascanu et al., 2012)
    - `decay`: what `weight_decay` holds for: `all` that learns, as in PyTorch, or `weights`: no biases, no norms, no learned tokens
    - `freeze`: parts that do not learn: `"base"` and all below it, `"base.layer4.*"`, `"base[-4:]"`, or a list of such
    - `unfreeze`: parts that learn again. Both go on from the stage before; where one of them names a part of what the other names, that
      part is the exception
    - `batch_norm`: what becomes of batch norms that were frozen when `unfreeze` names the part around them: they `learn`, by the statistics
      of the batch, or stay `fixed`, with the statistics and weights they came with. Small batches give poor statistics
    - `stop`: `stop { monitor = val.loss, patience = 10 }` ends a stage early
    - `keep`: `best`, `best(val.loss)` or `last`: the weights that are measured on the test split, predicted with, exported
    - `ema`: how slowly a running mean of the weights moves, as 0.9999, which is validated and kept in their place (Polyak and Juditsky,
      1992); in step t of the run it is at most `(1 + t) / (10 + t)`, so that the first weights do not count for long
    - `precision`: `fp32`, `bf16` (weights and gradients stay in float32; Micikevicius et al., 2017), or `auto`: bf16 on a CUDA device
      that has it, else fp32. Figures of validation and test are always computed in float32
    - `layout`: how tensors lie in memory: `channels_last`, `contiguous`, or `auto`, the one that is faster on the device
    - `compile`: whether `torch.compile` makes the step; the first ones take long, and later ones are faster on a GPU
    - `seed`: where the first weights, the order of the images, dropout and the split of the data come from: equal seeds, equal run
    """


RUN_WIDE: Final = ("keep", "ema", "precision", "layout", "compile", "seed")
"""Settings of ``train`` that hold for all stages alike."""

BY_OUTPUT: Final = ("loss", "loss_weights", "metrics")
"""Settings of ``train`` that may be written in braces, with a line for each output."""


def data(
    *,
    target: Annotated[Choice, SourceByName("target", tuple(TARGETS))] | None = None,
    input: Annotated[Choice, SourceByName("input", tuple(INPUTS))] | None = None,  # noqa: A002
    split: Annotated[tuple[float, ...], Shares(3)] = _SPLIT,
    cache: Annotated[str, OneOf(("auto", "off"))] = _AUTO,
) -> None:
    """Where the values of inputs and targets come from, and which samples are for training, validation and test.

    - `target`: where the values of a target come from, by its name: `target age = column(age)`. A target of the name of an output is what
      that output learns; where there is one output and one target, they go together whatever they are called. Left out, there is a target
      for each output: the class of the image, or with several outputs the column of its name
    - `input`: where the values of an input come from, by its name: `input left = column(left_file)`. Left out, a net with one input takes
      the images, and one with several takes the columns of their names
    - `split`: the shares of training, validation and test, drawn class by class from the seed. They are used only where the
      data has no split of its own: a folder with `train/` and `val/` or `test/`, or an `.npz` with `x_test` or `x_val`, is taken
      as it is. Nothing is held out of it: without a validation split, every training image is trained on and no epoch counts as best
    - `cache`: `auto` keeps images as they were decoded, in a file that later runs read, where that saves time or the memory is too
      small for them, and what a frozen part computes of them, where that pays; `off` keeps neither
    """


SECTIONS: Final[Table] = {"train": train, "data": data}
