"""Memory for batches is used again, and never while somebody holds it."""

from __future__ import annotations

import numpy as np
import torch

from netspec.data.rooms import Rooms


def test_what_somebody_holds_is_never_given_again() -> None:
    rooms, held = Rooms(), []
    draws = np.random.default_rng(0)
    for number in range(300):
        room = rooms.take((int(draws.integers(1, 9)), 5))
        room[:] = number % 256
        held.append((torch.from_numpy(room)[:, 1:], number % 256))
        del room
        if draws.random() < 0.6:
            held.pop(int(draws.integers(len(held))))
        for tensor, value in held:
            assert bool((tensor == value).all())


def test_what_nobody_holds_is_given_again() -> None:
    rooms = Rooms()
    first = rooms.take((4, 5))
    place = first.ctypes.data
    kept = torch.from_numpy(first)
    del first
    assert rooms.take((4, 5)).ctypes.data != place
    del kept
    assert place in {room.ctypes.data for room in (rooms.take((3, 5)), rooms.take((4, 5)))}
