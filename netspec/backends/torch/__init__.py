"""PyTorch: a graph becomes an ``nn.Module``, and weights are read from and written to files.

Initialisation is PyTorch's own, layer by layer in the order of the text, so a net starts as the same net written by hand does:

- convolutions and linear layers: weights and bias uniform in ``(-1/sqrt(n), 1/sqrt(n))``, n the numbers that flow into one output
  (``kaiming_uniform_`` with ``a = sqrt(5)``; He et al., "Delving Deep into Rectifiers", 2015);
- normalisations: weight 1, bias 0, running mean 0, running variance 1;
- attention: as ``nn.MultiheadAttention`` does it; what is learned beside it (tokens, positions, biases of windows), as torchvision does.

``torch.manual_seed`` before :func:`build` makes it repeatable.
"""

from netspec.backends.torch.build import build
from netspec.backends.torch.net import CompiledNet, Region
from netspec.backends.torch.weights import check_weights, read_metadata, read_weights, write_weights

__all__ = ["CompiledNet", "Region", "build", "check_weights", "read_metadata", "read_weights", "write_weights"]
