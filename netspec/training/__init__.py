"""Training: from a graph and data to a run folder, and back from a run folder to a net.

A run folder holds `spec.net`, the text that was trained; `plan.json`, what was to happen; `samples.tsv.gz`, what was learned from;
`run.json`, every setting and figure; `history.csv`, and pictures of it in `report.html`; `last.safetensors` and, where the data has a
validation split, `best.safetensors`; and `state.safetensors`, from which a training goes on. Each file is replaced whole, so a killed
process or a full disk leaves the last checkpoint as it was.
"""

from netspec.training.folders.rebuild import Run, load_run
from netspec.training.run import RunResult, train
from netspec.training.stopping import Interrupted

__all__ = ["Interrupted", "Run", "RunResult", "load_run", "train"]
