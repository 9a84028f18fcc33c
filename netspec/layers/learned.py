"""Layers that are one learned tensor, whose key is the layer's own path: in PyTorch, a parameter of the module around it."""

from netspec.diagnostics import problems
from netspec.graph import Facts, Weight
from netspec.kinds import AnyAxis, Count, Number
from netspec.layer import Reject, layer
from netspec.layers._axes import axis_of
from netspec.layers._measured import sizes, whole
from netspec.layers._sequences import sequence_of
from netspec.lowering import W, X, nn, op
from netspec.shape import Shape

_OWN = W("")


@layer("ClassToken", "cls_token", "cls", "AppendToken", "ClassificationToken")
def class_token(x: Shape, tokens: Count = 1) -> Facts:
    """Learned tokens before a sequence: `T x N` becomes `(tokens + T) x N` (Dosovitskiy et al., "An image is worth 16x16 words", 2020,
    equation 1). They begin as zeros. What the last layer makes of the first is what such a net classifies by.

    - `tokens`: how many; more than one where there is a distillation token or there are registers

    Weights: the layer itself (1, tokens, N): `"class_token": class_token` has the key `class_token`.
    """
    length, features = sequence_of(x, "class_token")
    batch = op.Concat(sizes(X, 0, 1), whole((1, 1)), axis=0)
    return Facts(
        output=(tokens + length, features),
        weights={"": Weight((1, tokens, features))},
        torch=nn.ClassToken(tokens, features),
        onnx=op.Concat(op.Expand(_OWN, batch), X, axis=1),
    )


@layer("PositionEmbedding", "PositionalEmbedding", "pos_embedding", "pos_embed", "positional_encoding", "AddPositionEmbs")
def position_embedding(x: Shape) -> Facts:
    """Adds something learned for each place (Dosovitskiy et al., 2020, equation 1): `y = x + P`, P as large as what flows in, a sequence
    `T x N` or a map. It begins as random numbers of a normal distribution, mean 0 and standard deviation 0.02.

    The sizes are part of the weights: a net with it takes no other sizes.

    Weights: the layer itself (1, T, N), or (1, C, H, W): `pos_embedding: position_embedding` has the key `pos_embedding`.
    """
    if len(x) < 2:
        raise Reject(
            problems.WrongRank("position_embedding", x, "a sequence or a map", "a vector has no places: put it where there are some")
        )
    shape = (1, *x)
    return Facts(output=x, weights={"": Weight(shape)}, torch=nn.PositionEmbedding(shape), onnx=op.Add(X, _OWN))


@layer("LayerScale", "layerscale", "LayerScale2d")
def layer_scale(x: Shape, init: Number = 1e-6, axis: AnyAxis | None = None) -> Facts:
    """A learned factor for each channel: `y = gamma x` (Touvron et al., "Going deeper with image transformers", 2021, section 2; ConvNeXt,
    Liu et al., 2022). At the end of a residual branch it lets that branch come in slowly.

    - `init`: what each factor begins as
    - `axis`: the axis with a factor for each place; left out, the channels of a map `C x H x W` and the features of a sequence `T x N`

    Weights: the layer itself (C, 1, 1), (N) for a sequence: `"layer_scale": layer_scale` has the key `layer_scale`.
    """
    usual = 0 if len(x) > 2 else -1
    place = axis_of(usual if axis is None else axis, x)
    shape = (x[place], *(1,) * (len(x) - 1 - place))
    return Facts(output=x, weights={"": Weight(shape)}, torch=nn.LayerScale(shape, init), onnx=op.Mul(X, _OWN))
