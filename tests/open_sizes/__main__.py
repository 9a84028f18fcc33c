"""Hold random nets with open sizes: ``python -m tests.open_sizes --count 2000 --seed 0``; ``--only SEED`` shows one."""

from __future__ import annotations

import argparse
import sys
import time
from random import Random

from tests.open_sizes.growing import random_net
from tests.open_sizes.holding import Tally, Wrong, hold


def main() -> int:
    """Run them, print what was held, and say how many were wrong by the exit code."""
    options = argparse.ArgumentParser(prog="python -m tests.open_sizes", description=__doc__)
    options.add_argument("--count", type=int, default=2000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--only", type=int)
    chosen = options.parse_args()
    if chosen.only is not None:
        print(random_net(Random(chosen.only)).text)
    tally, wrong, start = Tally(), 0, time.process_time()
    for seed in [chosen.only] if chosen.only is not None else range(chosen.seed, chosen.seed + chosen.count):
        try:
            hold(seed, tally)
        except Wrong as found:
            wrong += 1
            print(found, file=sys.stderr)
    print(f"{tally}; {wrong:,} wrong; {time.process_time() - start:.0f} s")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
