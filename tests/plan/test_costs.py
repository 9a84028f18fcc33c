"""When keeping pays. The rates are the model's own; what is held is what follows from them, and the order of the answers."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.training.features.costs import Costs, decide, may_pay

WORTH = Costs(samples=2000, epochs=10, views=1, seconds=0.02, bytes=5000, memory=10**9, disk=10**10)


def test_a_slow_part_of_small_values_is_kept_in_memory() -> None:
    decision = decide(WORTH)
    assert decision.where == "memory"
    assert decision.reason == "it takes 10.0 MB, and saves about 6.0 min of 6.7 min in 10 epochs"


def test_one_epoch_is_not_worth_it() -> None:
    assert decide(replace(WORTH, epochs=1)).where == "no"
    assert decide(replace(WORTH, epochs=1)).reason == "one epoch computes everything once anyway"


def test_two_views_need_more_than_two_epochs() -> None:
    assert decide(replace(WORTH, views=2, epochs=2)).where == "no"
    kept = decide(replace(WORTH, views=2, epochs=3))
    assert kept.where == "memory"
    assert ", as two views, and saves" in kept.reason


def test_what_a_run_before_has_left_pays_from_the_first_epoch() -> None:
    decision = decide(replace(WORTH, epochs=1, kept=True))
    assert decision.where == "disk"
    assert decision.reason.startswith("a run before has left it, and saves about")


def test_where_memory_is_too_small_the_disk_is_taken() -> None:
    assert decide(replace(WORTH, memory=10**7)).where == "disk"
    assert decide(replace(WORTH, memory=None)).where == "disk"
    nowhere = decide(replace(WORTH, memory=10**7, disk=10**7 - 1))
    assert nowhere.where == "no"
    assert nowhere.reason == "all of it takes 10.0 MB, more than half of the free memory, and more than a file of the cache may take"


def test_measuring_is_for_what_could_pay() -> None:
    assert may_pay(replace(WORTH, seconds=0))
    assert not may_pay(replace(WORTH, epochs=1))
    assert not may_pay(replace(WORTH, memory=0, disk=0))


def test_a_quick_part_of_large_values_is_computed_anew() -> None:
    decision = decide(replace(WORTH, seconds=1e-4, bytes=10**6, memory=10**12))
    assert decision.where == "no"
    assert decision.reason.startswith("computing it anew takes 2.0 s in the stage, and keeping it in memory ")


@settings(derandomize=True, database=None, max_examples=400)
@given(
    st.builds(
        Costs,
        samples=st.integers(1, 10**6),
        epochs=st.integers(1, 300),
        views=st.integers(1, 2),
        seconds=st.floats(0, 1),
        bytes=st.integers(1, 10**7),
        memory=st.none() | st.integers(0, 10**12),
        disk=st.integers(0, 10**13),
        kept=st.booleans(),
    )
)
def test_keeping_is_chosen_only_where_it_is_quicker_and_fits(costs: Costs) -> None:
    decision = decide(costs)
    assert decision.reason
    if decision.where != "no":
        assert costs.keeping(decision.where) <= 0.9 * costs.anew
        assert costs.kept or costs.epochs > costs.views
        room = costs.disk if decision.where == "disk" else (costs.memory or 0) / 2
        assert costs.kept or costs.size <= room
