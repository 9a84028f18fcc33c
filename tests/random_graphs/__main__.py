"""Run random files in bulk: ``python -m tests.random_graphs --count 20000 --seed 0 [--spoiled] [--jobs 2]``."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

import torch

from netspec.layer import layers
from tests.random_graphs.compare import Difference, compare
from tests.random_graphs.generate import program
from tests.random_graphs.reference import outdated, references
from tests.random_graphs.spoil import judge, spoiled

CHUNK = 50
ALL_LAYERS = 2000
"""In so many files every layer has to appear."""


@dataclass
class Summary:
    """What came of some seeds."""

    layers: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, other: Summary) -> None:
        self.layers += other.layers
        self.kinds += other.kinds
        self.reasons += other.reasons
        self.failures |= other.failures
        self.seconds += other.seconds


def run(seeds: Sequence[int], spoil: bool) -> Summary:
    """Run the files of these seeds, valid or spoiled."""
    torch.set_num_threads(1)
    summary, start = Summary(), time.process_time()
    for seed in seeds:
        try:
            _one(seed, spoil, summary)
        except Difference as difference:
            summary.failures[seed] = str(difference)
        except Exception:  # whatever else is raised is a fault of netspec: the program would end with 70
            summary.failures[seed] = traceback.format_exc(limit=-3)
    for layer in layers().values():
        layer._memo.clear()
    summary.seconds = time.process_time() - start
    return summary


def _one(seed: int, spoil: bool, summary: Summary) -> None:
    if not spoil:
        outcome = compare(seed)
        summary.layers.update(outcome.layers)
        summary.reasons.update(outcome.skipped)
        summary.kinds["not compared to the end" if outcome.skipped else "equal"] += 1
        return
    verdict = judge(seed)
    summary.kinds[verdict.kind] += 1
    if verdict.reason:
        summary.reasons[verdict.reason] += 1
    if verdict.outcome:
        summary.layers.update(verdict.outcome.layers)


def every(count: int, first: int, spoil: bool, jobs: int) -> Iterator[Summary]:
    """Run many, in several processes where wanted."""
    chunks = [range(i, min(i + CHUNK, first + count)) for i in range(first, first + count, CHUNK)]
    if jobs == 1:
        yield from (run(chunk, spoil) for chunk in chunks)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(run, chunks, [spoil] * len(chunks))


def main() -> int:
    """The program; gives its exit code: 1 after any failure."""
    parser = argparse.ArgumentParser(prog="python -m tests.random_graphs", description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0, help="the first of the seeds")
    parser.add_argument("--spoiled", action="store_true", help="spoil one thing in each, and compare verdicts")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", type=int, metavar="SEED", help="show the file of one seed, and run it")
    options = parser.parse_args()
    if options.only is not None:
        print((spoiled if options.spoiled else program)(options.only).text())
        options.count, options.seed = 1, options.only
    total = Summary()
    for summary in every(options.count, options.seed, options.spoiled, options.jobs):
        total.add(summary)
        for seed, message in summary.failures.items():
            print(f"seed {seed}: {message}", flush=True)
    return _report(total, options.count, options.spoiled)


def _report(total: Summary, count: int, spoil: bool) -> int:
    for seed in list(total.failures)[:5] if count > 1 else ():
        print(f"\n# seed {seed}: {total.failures[seed].strip().splitlines()[-1]}\n{(spoiled if spoil else program)(seed).text()}")
    for title, counted in (("layers", total.layers), ("verdicts", total.kinds), ("because of", total.reasons)):
        print(f"\n{title}:")
        print("\n".join(f"{n:8,} {name}" for name, n in counted.most_common()))
    wrong = [f"the reference of {name} is out of date: {why}" for name, why in outdated().items()]
    if not spoil and count >= ALL_LAYERS:
        wrong += [f"{name} never appeared" for name in sorted(layers().keys() - total.layers.keys())]
    print("\nwithout a reference of their own: " + (", ".join(sorted(layers().keys() - references().keys())) or "none"))
    print("\n".join(wrong))
    print(f"{count:,} files, {len(total.failures)} failures, {total.seconds / count * 1000:.1f} ms of processor time a file")
    return 1 if total.failures or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
