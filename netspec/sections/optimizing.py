"""How weights move: optimisers and schedules, under PyTorch's names and with its defaults; when to stop, and which weights to keep."""

from typing import Final

from netspec.kinds import Boolean, Count, Natural, NotNegative, Positive, Share
from netspec.setting_kinds import Monitor, Rates, RisingEpochs, ValMonitor
from netspec.values import Percent, Word

_VAL_LOSS: Final = Word("val.loss")
_THIRD: Final = Percent(0.3)


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
    - `monitor`: which figure, as `stop` has it
    - `warmup`: the share of all steps in which the rate first rises in a straight line, as `5%`
    """


def stop(monitor: Monitor = _VAL_LOSS, patience: Count = 10) -> None:
    """End a stage before its last epoch (Prechelt, 1998).

    - `monitor`: which figure of an epoch: `val.loss`, or `val.` and the name of a metric, `val.accuracy`; of several outputs
      `val.age.mae`. Less is better for losses, `mae`, `mse` and `rmse`. `train.loss` and `train.accuracy` are of the training itself
    - `patience`: after how many epochs in a row in which it was not better than ever before in the stage
    """


def best(monitor: ValMonitor | None = None) -> None:
    """Keep the weights of the best epoch in `best.safetensors`, beside those of the last.

    - `monitor`: which figure of validation says so, as `val.miou`; of equals the lowest loss, and of these the first epoch. Left out, it is
      the first metric of a net with one output, and `val.loss` for any other
    """


def last() -> None:
    """Keep the weights of the last epoch alone."""
