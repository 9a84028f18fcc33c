"""Memory that a step lets go of is there for the next one: in a process of its own, as it holds for all of it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

_FAULTS = """
import resource, sys, torch
from netspec.training.devices.allocator import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "keep" else None
for _ in range(3):
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    torch.ones(2**24)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str, **variables: str) -> tuple[str, int]:
    """Whether memory is kept, and how many pages five blocks of 64 MB had to be given anew."""
    done = subprocess.run(
        [sys.executable, "-c", _FAULTS, how], cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, check=True
    )
    kept, count = done.stdout.split()
    return kept, int(count)


@pytest.mark.skipif(not (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc"), reason="only glibc gives memory back in this way")
def test_memory_is_used_again() -> None:
    kept, few = faults("keep")
    _, many = faults("leave")
    assert kept == "True"
    assert few < 100 < 2000 < many, "transparent huge pages are of 2 MB: at least 32 of them a block, 16,384 without"


def test_a_choice_of_the_user_stands() -> None:
    kept, _ = faults("keep", MALLOC_TRIM_THRESHOLD_="100000")
    assert kept == "False"
