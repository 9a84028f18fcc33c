"""Attention: places of a sequence gather from one another, or from another sequence."""

from netspec.diagnostics import problems
from netspec.graph import Facts, Weight
from netspec.kinds import Boolean, Count, Share
from netspec.layer import Reject, layer
from netspec.layers._measured import whole
from netspec.layers._sequences import hint, mapped, sequence_of
from netspec.lowering import OnnxCall, OnnxExpression, OnnxInput, W, X, const, nn, op
from netspec.shape import Shape, elements, same


@layer("MultiheadAttention", "MultiHeadAttention", "SelfAttention", "self_attention", "MSA", "Attention", "selfAttentionLayer")
def attention(x: Shape, heads: Count, dropout: Share = 0.0, bias: Boolean = True) -> Facts:
    """Multi-head self-attention over a sequence `T x N` (Vaswani et al., "Attention is all you need", 2017, section 3.2).

    Queries, keys and values are `Q = W_q x + b_q`, `K` and `V` likewise, each divided among the heads, `d = N / heads` features for each; a
    head gives `softmax(Q K^T / sqrt(d)) V`; their outputs side by side go through one more linear layer. There is no mask.
    A map cut by `window_partition`, `R x C x T x N`, is gone through window by window.

    - `heads`: how many; they divide the features
    - `dropout`: the share of the attention that is set to zero while training
    - `bias`: whether biases are added

    Weights, as of `torch.nn.MultiheadAttention`: `in_proj_weight` (3 N, N), `in_proj_bias` (3 N), `out_proj.weight` (N, N),
    `out_proj.bias` (N). MACs, as PyTorch's counter has them: `4 T N^2` for the linear layers and `2 T^2 N` for the products.
    """
    if len(x) not in (2, 4):
        raise Reject(problems.WrongRank("attention", x, "a sequence TxN, or windows of them", hint(x)))
    length, features = x[-2:]
    _divide(features, heads)
    return Facts(
        output=x,
        weights=_packed(features, bias) | _out(features, bias),
        macs=elements(x) * (4 * features + 2 * length),
        torch=nn.SelfAttention(features, heads, dropout, bias),
        onnx=_attended(_sources(X, features, bias), (features, heads), len(x) + 1, bias),
    )


@layer("CrossAttention", "EncoderDecoderAttention")
def cross_attention(x: Shape, memory: Shape, heads: Count, dropout: Share = 0.0, bias: Boolean = True) -> Facts:
    """Multi-head attention to another sequence (Vaswani et al., 2017, section 3.2.3): `conv(…) -> … -> cross_attention(memory, 8)`.

    Queries come from what flows in, `T x N`, keys and values from `memory`, `S x M`; the rest is as in `attention`.

    - `heads`: how many; they divide the features N
    - `dropout`: the share of the attention that is set to zero while training
    - `bias`: whether biases are added

    Weights, as of `torch.nn.MultiheadAttention`: `in_proj_weight` (3 N, N) where M is N, and otherwise `q_proj_weight` (N, N),
    `k_proj_weight` (N, M), `v_proj_weight` (N, M); then `in_proj_bias` (3 N), `out_proj.weight` (N, N), `out_proj.bias` (N).
    MACs: `2 T N^2 + 2 S M N` for the linear layers and `2 T S N` for the products.
    """
    (length, features), (there, wide) = sequence_of(x, "cross_attention"), sequence_of(memory, "cross_attention")
    _divide(features, heads)
    packed = same(features, wide)
    return Facts(
        output=x,
        weights=(_packed(features, bias) if packed else _apart(features, wide, bias)) | _out(features, bias),
        macs=2 * length * features**2 + 2 * there * wide * features + 2 * length * there * features,
        torch=nn.CrossAttention(features, wide, heads, dropout, bias),
        onnx=_attended(_sources(OnnxInput(1), features, bias, packed), (features, heads), 3, bias),
    )


def _divide(features: int, heads: int) -> None:
    if not same(features % heads, 0):
        raise Reject(problems.HeadsDoNotDivide(heads, features), at="heads")


def _packed(features: int, bias: bool) -> dict[str, Weight]:
    weights = {"in_proj_weight": Weight((3 * features, features))}
    return weights | ({"in_proj_bias": Weight((3 * features,))} if bias else {})


def _apart(features: int, wide: int, bias: bool) -> dict[str, Weight]:
    weights = {f"{part}_proj_weight": Weight((features, n)) for part, n in zip("qkv", (features, wide, wide), strict=True)}
    return weights | ({"in_proj_bias": Weight((3 * features,))} if bias else {})


def _out(features: int, bias: bool) -> dict[str, Weight]:
    weights = {"out_proj.weight": Weight((features, features))}
    return weights | ({"out_proj.bias": Weight((features,))} if bias else {})


Parts = tuple[OnnxCall, OnnxCall, OnnxCall]


def _sources(memory: OnnxExpression, features: int, bias: bool, packed: bool = True) -> Parts:
    """Queries, keys and values before they are divided among the heads."""
    found = []
    for i, (part, source) in enumerate(zip("qkv", (X, memory, memory), strict=True)):
        rows = whole((i * features,)), whole(((i + 1) * features,))
        weight = op.Slice(W("in_proj_weight"), *rows) if packed else W(f"{part}_proj_weight")
        product = op.MatMul(source, op.Transpose(weight, perm=(1, 0)))
        found.append(op.Add(product, op.Slice(W("in_proj_bias"), *rows)) if bias else product)
    query, key, value = found
    return query, key, value


def _attended(parts: Parts, widths: tuple[int, int], rank: int, bias: bool) -> OnnxCall:
    """The heads' outputs, side by side and through the last linear layer; ``rank`` counts the batch."""
    features, heads = widths
    split = [op.Reshape(part, whole((0,) * (rank - 1) + (heads, -1))) for part in parts]
    places, head, feature = rank - 2, rank - 1, rank
    before = tuple(range(places))
    apart = (*before, head, places, feature)  # and, applied again, side by side
    query, value = (op.Transpose(split[i], perm=apart) for i in (0, 2))
    key = op.Transpose(split[1], perm=(*before, head, feature, places))
    scores = op.MatMul(op.Mul(query, const((features // heads) ** -0.5)), key)
    gathered = op.Transpose(op.MatMul(op.Softmax(scores, axis=-1), value), perm=apart)
    return mapped(op.Reshape(gathered, whole((0,) * (rank - 1) + (-1,))), bias, "out_proj")
