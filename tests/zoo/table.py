"""``python -m tests.zoo.table``: compare every net of the zoo with its peer, print the table, and write it into ``docs/zoo.md``."""

from __future__ import annotations

import sys
from pathlib import Path

from netspec.shape import show
from tests.zoo import comparing, lines
from tests.zoo.peers import PEERS, Peer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "zoo.md"

_INTRODUCTION = """\
# The zoo

The published networks of `specs/`, each beside the same network of others: torchvision's model, or, where torchvision has none, one written
by hand in plain PyTorch from the paper (`tests/zoo/by_hand.py`). `python -m tests.zoo.table` makes this page; the tests hold every row.

- *Parameters* are equal to the number, and *MACs* (one image, convolutions and matrix products) to half of PyTorch's own FLOP count of the
  other model.
- *State dict*: keys, shapes and types are the same and in the same order, and random weights load with `strict=True`.
- *Outputs* are compared in inference, with random weights and statistics, on random images. The figure is the largest difference relative
  to the largest number of the output; *identical* is to the last bit. Of a net that takes any size, and of which a full image would take
  long, at the size that stands beside it.
- *ONNX* is the same for the exported file in onnxruntime.
- *Gradients* are compared in training mode and double precision: all outputs, auxiliary ones too, the loss, the gradient of each parameter,
  and the running statistics after the step, each relative to the largest number of its tensor. Dropout and stochastic depth are off. The
  tests hold those of the Transformer encoder and of a ViT of two layers too.

"""
_LINES = """
## Line counts

`python -m tests.zoo.lines` counts the lines that hold code, on both sides without blank lines, comments and docstrings. *Their network*
leaves out imports, decorators and tables of weights of torchvision's file; ours count whole, with preprocessing and expected figures.

"""
_COLUMNS = ("File", "Net", "Parameters", "MACs", "Beside", "State dict", "Outputs", "ONNX", "Gradients")


def figures(peer: Peer) -> tuple[str, ...]:
    """The first cells of a row: what is known of our net without running it."""
    graph = comparing.ours(peer)
    return f"`{peer.spec}.net`", f"`{peer.net}`", f"{graph.parameters:,}", _macs(graph.macs)


def _macs(count: int) -> str:
    return f"{count / 1e9:.3f} G" if count >= 1e9 else f"{count / 1e6:.1f} M"


def row(peer: Peer) -> tuple[str, ...]:
    """All cells of a row; runs both nets."""
    return (
        *figures(peer),
        peer.of,
        _state(peer),
        _difference(comparing.outputs(peer)) + _size(peer) if peer.run else "not run",
        _difference(comparing.onnx_outputs(peer)) if peer.onnx else "",
        _difference(comparing.gradients(peer)) if peer.gradients else "",
    )


def _state(peer: Peer) -> str:
    mine, theirs = comparing.our_state(peer), comparing.their_state(peer)
    if sorted(mine) != sorted(theirs):
        return "DIFFERS"
    return f"{len(mine)} equal" if mine == theirs else f"{len(mine)} equal, in another order"


def _size(peer: Peer) -> str:
    """The size of the input that is compared, where it is another than the one of the figures."""
    return f" at {show(comparing.compared(peer).inputs[0].output)}" if peer.smaller else ""


def _difference(found: float) -> str:
    return "identical" if found == 0 else f"{found:.1e}"


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Compare, print, write."""
    rows = [_line(_COLUMNS), "|---|---|--:|--:|---|---|---|---|---|"]
    print("\n".join(rows))
    for peer in PEERS:
        rows.append(_line(row(peer)))
        print(rows[-1], flush=True)
    PAGE.write_text(_INTRODUCTION + "\n".join(rows) + "\n" + _LINES + lines.table() + "\n", "utf-8")
    print(f"\nwrote {PAGE}", file=sys.stderr)


if __name__ == "__main__":
    main()
