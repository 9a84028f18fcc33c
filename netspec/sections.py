"""The sections `train` and `data`: which settings they have, of which kinds and with which defaults.

A section is declared as a layer is: a function whose signature is read by :func:`netspec.signature.signature_of` and whose
docstring is the reference page. Optimisers, losses and schedules are declared the same way, under PyTorch's names and with
PyTorch's defaults, so that what is known of PyTorch holds here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from netspec.kinds import Boolean, Count, Kind, Natural, NotNegative, Positive, Real, Share, Shares
from netspec.signature import OneOfChoices, signature_of
from netspec.values import Choice, Percent


@dataclass(frozen=True)
class Betas(Kind):
    """The two rates of Adam's running means, each from 0 up to but not 1."""

    def describe(self) -> str:
        return "a list of two numbers from 0 to below 1, as [0.9, 0.999]"

    def accept(self, value: Any) -> tuple[float, float]:
        if not isinstance(value, tuple) or len(value) != 2:
            raise ValueError
        first, second = (Real(0, 1).accept(v) for v in value)
        if 1 in (first, second):
            raise ValueError
        return first, second


Rates = Annotated[tuple[float, float], Betas()]


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
    lr: Positive = 0.01, alpha: Share = 0.99, eps: NotNegative = 1e-8, momentum: NotNegative = 0.0, weight_decay: NotNegative = 0.0
) -> None:
    """RMSprop (Tieleman and Hinton, 2012; `torch.optim.RMSprop`).

    - `lr`: the learning rate (0.01 as in PyTorch; Keras has 0.001)
    - `alpha`: the rate of the running mean of the squared gradient (0.99 as in PyTorch; Keras, where it is `rho`, has 0.9)
    - `eps`: added to the root of the mean square
    - `momentum`: how much of the last step goes into the next
    - `weight_decay`: the factor of the squared weights in the loss
    """


def cross_entropy(label_smoothing: Share = 0.0) -> None:
    """Cross entropy of one class out of several, on the logits; the net has one output for each class.

    - `label_smoothing`: the share of each label that is spread evenly over all classes (Szegedy et al., 2015)
    """


def binary_cross_entropy() -> None:
    """Cross entropy of two classes, on the logit; the net has one output, which says how much it is the second class by name."""


def constant() -> None:
    """The learning rate of the optimiser, in every step."""


def cosine(warmup: Share = 0.0) -> None:
    """Half a cosine from the learning rate of the optimiser down to 0 over all steps (Loshchilov and Hutter, 2016), set anew in every step.

    - `warmup`: the share of all steps in which the rate first rises in a straight line, as `5%`
    """


OPTIMIZERS: Final[Mapping[str, Callable[..., None]]] = {f.__name__: f for f in (sgd, adam, adamw, rmsprop)}
LOSSES: Final[Mapping[str, Callable[..., None]]] = {f.__name__: f for f in (cross_entropy, binary_cross_entropy)}
SCHEDULES: Final[Mapping[str, Callable[..., None]]] = {f.__name__: f for f in (constant, cosine)}


def choice(declaration: Callable[..., None]) -> Choice:
    """An optimiser, loss or schedule with every setting at its default."""
    return Choice(declaration.__name__, {p.name: p.default for p in signature_of(declaration).parameters})


_ADAM = choice(adam)
_CONSTANT = choice(constant)
_SPLIT = (Percent(0.8), Percent(0.1), Percent(0.1))


def loss_fits(loss: str, outputs: int, ending: str | None) -> bool:
    """Whether a loss goes with a net that gives so many numbers and applies ``ending`` last: one rule for `check` and for training."""
    binary = loss == "binary_cross_entropy"
    return binary == (outputs == 1) and ending != ("softmax" if binary else "sigmoid")


def train(
    *,
    loss: Annotated[Choice, OneOfChoices(LOSSES)] | None = None,
    optimizer: Annotated[Choice, OneOfChoices(OPTIMIZERS)] = _ADAM,
    schedule: Annotated[Choice, OneOfChoices(SCHEDULES)] = _CONSTANT,
    batch: Count = 32,
    epochs: Count = 10,
    seed: Natural = 0,
) -> None:
    """How the net is trained.

    - `loss`: `cross_entropy` or `binary_cross_entropy`; left out, `binary_cross_entropy` for a net that ends in `sigmoid` or in
      one number, `cross_entropy` for any other. It is computed on the logits, and a `softmax` or `sigmoid` at the end is not applied twice
    - `optimizer`: `sgd`, `adam`, `adamw` or `rmsprop`, each with PyTorch's settings and defaults
    - `schedule`: how the learning rate goes over the steps: `constant`, or `cosine`, which falls to 0
    - `batch`: how many images a step takes; a last batch of one image joins the batch before it
    - `epochs`: how many times the training goes through the data
    - `seed`: where the first weights, the order of the images, dropout and the split of the data come from: equal seeds, equal run
    """


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
        "precision": "precision is not built yet: training computes in float32",
        "ema": "averaged weights are not built yet: leave ema out",
        "stop": "early stopping is not built yet: set epochs, and take the weights of the best epoch from best.safetensors",
        "keep": "keep is not built yet: the best epoch by validation accuracy and the last one are kept",
        "freeze": "freezing by stage is not built yet: write frozen before the part in the net",
        "unfreeze": "unfreezing by stage is not built yet: train a second time with the part no longer frozen",
        "augment": "augmentation is not built yet: leave augment out",
    },
    "data": {
        "target": "targets other than the folder's name are not built yet: leave target out",
    },
}
"""Keys of the language that may be written and are not built yet, each with a sentence that says so."""

PLANNED_BLOCKS: Final[Mapping[str, str]] = {
    "loss": "a loss for each output is not built yet: write one loss, as loss = cross_entropy, for a net with one output",
    "": "stages of training are not built yet: train once for each stage",
}
"""The same for settings in braces inside `train`: by name, and under the empty name for any other, which is a stage."""
