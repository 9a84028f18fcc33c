"""``python -m tests.plan.table``: predicted and measured memory of a training step for nets of the library, as the table of docs/plan.md.

Batches are of a size at which activations matter; the largest needs about 3 GB.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from netspec.training.planning.memory import Simulation
from tests.plan.real import measured, step_of
from tests.plan.zoo import zoo

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "plan.md"
BATCHES = {
    "mnist_convnet": 64,
    "lenet5": 64,
    "alexnet": 32,
    "vgg16": 4,
    "googlenet": 16,
    "resnet18": 16,
    "resnet50": 8,
    "densenet121": 8,
    "squeezenet": 16,
    "mobilenet_v2": 16,
    "shufflenet_v2": 16,
    "efficientnet_b0": 8,
    "convnext": 4,
    "unet": 1,
    "vit": 4,
    "swin": 4,
}
_HEADING = "## Measured\n"


def rows() -> list[str]:
    """A line for each net: batch, and predicted over measured peak in float32 and bfloat16."""
    found = [
        "| net | batch | predicted, fp32 | measured | ratio | predicted, bf16 | measured | ratio |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, batch in BATCHES.items():
        cells = [name, str(batch)]
        for precision in ("fp32", "bf16"):
            step = step_of(zoo(name), "adamw", precision=precision)
            predicted, real = Simulation(step).memory(batch).peak, measured(step, batch)
            cells += [f"{predicted / 1e6:,.1f} MB", f"{real / 1e6:,.1f} MB", f"{predicted / real:.3f}"]
        found.append(f"| {' | '.join(cells)} |")
        print(found[-1], file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Measure, and put the table in its place."""
    text = DOCUMENT.read_text("utf-8")
    before = text.partition(_HEADING)[0].rstrip("\n")
    note = "AdamW, one thread, PyTorch's profiler on the CPU; `python -m tests.plan.table` makes it."
    table = "\n".join(rows())
    DOCUMENT.write_text(re.sub(r"\n{3,}", "\n\n", f"{before}\n\n{_HEADING}\n{note}\n\n{table}\n"), "utf-8")


if __name__ == "__main__":
    main()
