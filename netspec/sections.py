"""The sections `train` and `data`: which settings they have, of which kinds and with which defaults.

A section is declared as a layer is: a function whose signature is read by :func:`netspec.signature.signature_of` and whose
docstring is the reference page. Optimisers, losses and schedules are declared the same way, under PyTorch's names and with
PyTorch's defaults, so that what is known of PyTorch holds here.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Final

from netspec.kinds import Boolean, Count, Natural, NotNegative, OneOf, Positive, Share, Shares
from netspec.setting_kinds import MeanRate, Monitor, Names, PerClass, Rates, RisingEpochs, Second, ValMonitor
from netspec.signature import OneOfChoices, signature_of
from netspec.values import Choice, Percent, Word

_VAL_LOSS, _VAL_ACCURACY = Word("val.loss"), Word("val.accuracy")
_THIRD = Percent(0.3)


def sgd(lr: Positive = 1e-3, momentum: NotNegative = 0.0, weight_decay: NotNegative = 0.0, nesterov: Boolean = False) -> None:
    """Stochastic gradient descent (`torch.optim.SGD`).

    - `lr`: the learning rate (0.001 as in PyTorch; Keras has 0.01)
    - `momentum`: how much of the last step goes into the next; 0.9 is usual
    - `weight_decay`: the factor of the squared weights in the loss
    - `nesterov`: look ahead along the momentum (Sutskever et al., 2013); needs a momentum above 0
    """


def adam(lr: Positive = 1e-3, betas: Rates = (0.9, 0.999), eps: NotNegative = 1e-8, weight_decay: NotNegative = 0.0) -> None:
    """Adam (Kingma and Ba, 2014; `torch.optim.Adam`).

    - `lr`: the learning rate
    - `betas`: the rates of the running means of the gradient and of its square
    - `eps`: added to the root of the mean square
    - `weight_decay`: the factor of the squared weights in the loss; `adamw` decays the weights themselves
    """


def adamw(lr: Positive = 1e-3, betas: Rates = (0.9, 0.999), eps: NotNegative = 1e-8, weight_decay: NotNegative = 0.01) -> None:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2017; `torch.optim.AdamW`).

    - `lr`: the learning rate
    - `betas`: the rates of the running means of the gradient and of its square
    - `eps`: added to the root of the mean square
    - `weight_decay`: the share, times `lr`, that every weight loses in each step
    """


def rmsprop(
    lr: Positive = 0.01,
    alpha: Share = 0.99,
    eps: NotNegative = 1e-8,
    momentum: NotNegative = 0.0,
    weight_decay: NotNegative = 0.0,
    centered: Boolean = False,
) -> None:
    """RMSprop (Tieleman and Hinton, 2012; `torch.optim.RMSprop`).

    - `lr`: the learning rate (0.01 as in PyTorch; Keras has 0.001)
    - `alpha`: the rate of the running mean of the squared gradient (0.99 as in PyTorch; Keras, where it is `rho`, has 0.9)
    - `eps`: added to the root of the mean square
    - `momentum`: how much of the last step goes into the next
    - `weight_decay`: the factor of the squared weights in the loss
    - `centered`: divide by the deviation of the gradient in the place of its root mean square (Graves, 2013)
    """


def nadam(
    lr: Positive = 2e-3,
    betas: Rates = (0.9, 0.999),
    eps: NotNegative = 1e-8,
    weight_decay: NotNegative = 0.0,
    momentum_decay: NotNegative = 4e-3,
) -> None:
    """Adam with Nesterov's momentum (Dozat, 2016; `torch.optim.NAdam`).

    - `lr`: the learning rate
    - `betas`: the rates of the running means of the gradient and of its square
    - `eps`: added to the root of the mean square
    - `weight_decay`: the factor of the squared weights in the loss
    - `momentum_decay`: how slowly the momentum comes up to its rate
    """


def adagrad(lr: Positive = 0.01, lr_decay: NotNegative = 0.0, weight_decay: NotNegative = 0.0, eps: NotNegative = 1e-10) -> None:
    """Adagrad (Duchi et al., 2011; `torch.optim.Adagrad`).

    - `lr`: the learning rate
    - `lr_decay`: divides the learning rate of step n by `1 + n lr_decay`
    - `weight_decay`: the factor of the squared weights in the loss
    - `eps`: added to the root of the sum of squares
    """


def cross_entropy(label_smoothing: Share = 0.0, weight: PerClass | None = None) -> None:
    """Cross entropy of one class out of several, on the logits; the net has one output for each class.

    - `label_smoothing`: the share of each label that is spread evenly over all classes (Szegedy et al., 2015)
    - `weight`: what an image of each class counts for, in the order of the classes; `balanced` is N / (K n) for a class with n of
      N training images in K classes (King and Zeng, 2001). The mean of a batch is divided by the weights in it, as in PyTorch
    """


def binary_cross_entropy(weight: Second = 1.0) -> None:
    """Cross entropy of two classes, on the logit; the net has one output, which says how much it is the second class by name.

    - `weight`: what an image of the second class counts for beside one of the first (`pos_weight` in PyTorch); `balanced` is how many
      images of the first class there are for each of the second
    """


def focal(gamma: NotNegative = 2.0, weight: PerClass | None = None) -> None:
    """Focal loss, on the logits: `-(1 - p)^gamma log p` for the probability p of the right class (Lin et al., 2017, equation 4).

    It goes with one output for two classes and with one for each.

    - `gamma`: how little an image counts that is recognised well; 0 is the cross entropy
    - `weight`: what an image of each class counts for, as in `cross_entropy` (alpha in the paper)
    """


def constant(warmup: Share = 0.0) -> None:
    """The learning rate of the optimiser, in every step.

    - `warmup`: the share of all steps in which the rate first rises in a straight line, as `5%`
    """


def step(every: Count = 30, factor: Positive = 0.1, warmup: Share = 0.0) -> None:
    """Multiply the learning rate again and again (He et al., 2015; `StepLR` in PyTorch).

    - `every`: after how many epochs
    - `factor`: with what
    - `warmup`: the share of all steps in which the rate first rises in a straight line, as `5%`
    """


def multistep(at: RisingEpochs, factor: Positive = 0.1, warmup: Share = 0.0) -> None:
    """Multiply the learning rate at certain epochs (`MultiStepLR` in PyTorch).

    - `at`: after which epochs, as `[30, 60, 80]`
    - `factor`: with what
    - `warmup`: the share of all steps in which the rate first rises in a straight line, as `5%`
    """


def cosine(warmup: Share = 0.0, floor: Share = 0.0) -> None:
    """Half a cosine from the learning rate of the optimiser down to its floor over all steps (Loshchilov and Hutter, 2016), set anew in
    every step.

    - `warmup`: the share of all steps in which the rate first rises in a straight line, as `5%`
    - `floor`: what it falls to, as a share of the learning rate
    """


def one_cycle(warmup: Share = _THIRD, start: Positive = 25.0, end: Positive = 1e4) -> None:
    """Up to the learning rate of the optimiser and down again, each on half a cosine (Smith and Topin, 2017; `OneCycleLR` in PyTorch,
    with its defaults). The momentum stays as it is.

    - `warmup`: the share of all steps in which the rate rises
    - `start`: it begins at the learning rate divided by this
    - `end`: it ends at where it began, divided by this
    """


def polynomial(power: Positive = 1.0, warmup: Share = 0.0, floor: Share = 0.0) -> None:
    """`(1 - t)^power` of the learning rate, where t goes from 0 to 1 over all steps (Chen et al., 2017; `PolynomialLR` in PyTorch).

    - `power`: 1 is a straight line; 0.9 is usual for segmentation
    - `warmup`: the share of all steps in which the rate first rises in a straight line, as `5%`
    - `floor`: what it falls to, as a share of the learning rate
    """


def plateau(factor: Positive = 0.1, patience: Natural = 10, monitor: Monitor = _VAL_LOSS, warmup: Share = 0.0) -> None:
    """Multiply the learning rate once a figure has not become better for a while (`ReduceLROnPlateau` in PyTorch, with its threshold:
    better is what is so by 1/10,000 of the best).

    - `factor`: with what
    - `patience`: after how many epochs in a row without becoming better; it is multiplied in the one after these
    - `monitor`: which figure: `val.loss`, `val.accuracy`, `train.loss` or `train.accuracy`
    - `warmup`: the share of all steps in which the rate first rises in a straight line, as `5%`
    """


def stop(monitor: Monitor = _VAL_LOSS, patience: Count = 10) -> None:
    """End a stage before its last epoch (Prechelt, 1998).

    - `monitor`: which figure: `val.loss`, `val.accuracy`, `train.loss` or `train.accuracy`
    - `patience`: after how many epochs in a row in which it was not better than ever before in the stage
    """


def best(monitor: ValMonitor = _VAL_ACCURACY) -> None:
    """Keep the weights of the best epoch in `best.safetensors`, beside those of the last.

    - `monitor`: which figure says so: `val.accuracy`, or `val.loss`; of equals the other, and of these the first epoch
    """


def last() -> None:
    """Keep the weights of the last epoch alone."""


OPTIMIZERS: Final[Mapping[str, Callable[..., None]]] = {f.__name__: f for f in (sgd, adam, adamw, rmsprop, nadam, adagrad)}
LOSSES: Final[Mapping[str, Callable[..., None]]] = {f.__name__: f for f in (cross_entropy, binary_cross_entropy, focal)}
SCHEDULES: Final[Mapping[str, Callable[..., None]]] = {
    f.__name__: f for f in (constant, step, multistep, cosine, one_cycle, polynomial, plateau)
}
KEEPS: Final[Mapping[str, Callable[..., None]]] = {f.__name__: f for f in (best, last)}
STOPS: Final[Mapping[str, Callable[..., None]]] = {"stop": stop}
"""What is written in braces, as ``stop { patience = 10 }``: settings of ``train`` of the same name."""


def choice(declaration: Callable[..., None]) -> Choice:
    """An optimiser, loss or schedule with every setting at its default."""
    return Choice(declaration.__name__, {p.name: p.default for p in signature_of(declaration).parameters})


_ADAM = choice(adam)
_CONSTANT = choice(constant)
_BEST = choice(best)
_SPLIT = (Percent(0.8), Percent(0.1), Percent(0.1))


def loss_fits(loss: str, outputs: int, ending: str | None) -> bool:
    """Whether a loss goes with a net that gives so many numbers and applies ``ending`` last: one rule for `check` and for training."""
    if loss == "focal":
        return ending != ("softmax" if outputs == 1 else "sigmoid")
    binary = loss == "binary_cross_entropy"
    return binary == (outputs == 1) and ending != ("softmax" if binary else "sigmoid")


def train(
    *,
    loss: Annotated[Choice, OneOfChoices(LOSSES)] | None = None,
    optimizer: Annotated[Choice, OneOfChoices(OPTIMIZERS)] = _ADAM,
    schedule: Annotated[Choice, OneOfChoices(SCHEDULES)] = _CONSTANT,
    batch: Count = 32,
    accumulate: Count = 1,
    epochs: Count = 10,
    clip: Positive | None = None,
    decay: Annotated[str, OneOf(("all", "weights"))] = Word("all"),
    freeze: Names | None = None,
    unfreeze: Names | None = None,
    stop: Annotated[Choice, OneOfChoices(STOPS)] | None = None,
    keep: Annotated[Choice, OneOfChoices(KEEPS)] = _BEST,
    ema: MeanRate | None = None,
    precision: Annotated[str, OneOf(("auto", "fp32", "bf16"))] = Word("auto"),
    seed: Natural = 0,
) -> None:
    """How the net is trained. Any other name with braces is a stage: `head { epochs = 5, freeze = "base" }`. Stages run in the order of
    the text; each may set again what holds for it, except `keep`, `ema`, `precision` and `seed`, which hold for the whole run.

    - `loss`: `cross_entropy`, `binary_cross_entropy` or `focal`; left out, `binary_cross_entropy` for a net that ends in `sigmoid` or in
      one number, `cross_entropy` for any other. It is computed on the logits, and a `softmax` or `sigmoid` at the end is not applied twice
    - `optimizer`: `sgd`, `adam`, `adamw`, `rmsprop`, `nadam` or `adagrad`, each with PyTorch's settings and defaults
    - `schedule`: how the learning rate goes over the steps of a stage: `constant`, or one of those below
    - `batch`: how many images are computed at a time; a last batch of one image joins the batch before it
    - `accumulate`: how many batches make a step of the optimiser, for a batch that does not fit into the memory
    - `epochs`: how many times the training goes through the data
    - `clip`: the largest norm of all gradients together; larger ones are scaled down to it (Pascanu et al., 2012)
    - `decay`: what `weight_decay` holds for: `all` that learns, as in PyTorch, or `weights`: no biases, no norms, no learned tokens
    - `freeze`: parts that do not learn: `"base"` and all below it, `"base.layer4.*"`, `"base[-4:]"`, or a list of such
    - `unfreeze`: parts that learn again; it goes after `freeze`, and both go on from the stage before
    - `stop`: `stop { monitor = val.loss, patience = 10 }` ends a stage early
    - `keep`: `best(val.accuracy)`, `best(val.loss)` or `last`: the weights that are measured on the test split, predicted with, exported
    - `ema`: how slowly a running mean of the weights moves, as 0.9999, which is validated and kept in their place (Polyak and Juditsky,
      1992); in step t of the run it is at most `(1 + t) / (10 + t)`, so that the first weights do not count for long
    - `precision`: `fp32`, `bf16` (weights and gradients stay in float32; Micikevicius et al., 2017), or `auto`: bf16 on a CUDA device
      that has it, else fp32. Figures of validation and test are always computed in float32
    - `seed`: where the first weights, the order of the images, dropout and the split of the data come from: equal seeds, equal run
    """


RUN_WIDE: Final = ("keep", "ema", "precision", "seed")
"""Settings of ``train`` that hold for all stages alike."""


def data(*, split: Annotated[tuple[float, ...], Shares(3)] = _SPLIT) -> None:
    """Where the images for training, validation and test come from.

    - `split`: the shares of training, validation and test, drawn class by class from the seed. They are used only where the
      data has no split of its own: a folder with `train/` and `val/` or `test/`, or an `.npz` with `x_test` or `x_val`, is taken
      as it is. Nothing is held out of it: without a validation split, every training image is trained on and no epoch counts as best
    """


SECTIONS: Final[Mapping[str, Callable[..., None]]] = {"train": train, "data": data}

PLANNED: Final[Mapping[str, Mapping[str, str]]] = {
    "train": {
        "metrics": "metrics beside the accuracy are not built yet: training reports loss and accuracy",
    },
    "data": {
        "target": "targets other than the folder's name are not built yet: leave target out",
    },
}
"""Keys of the language that may be written and are not built yet, each with a sentence that says so."""

PLANNED_BLOCKS: Final[Mapping[str, str]] = {
    "loss": "a loss for each output is not built yet: write one loss, as loss = cross_entropy, for a net with one output",
}
"""The same for settings in braces inside `train`, by name. Any other name is a stage."""
