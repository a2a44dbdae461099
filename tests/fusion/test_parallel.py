from __future__ import annotations

import numpy as np
import pytest

from freq2clean.fusion.parallel import Spare, over_items, over_pixels, scratch
from freq2clean.fusion.spaces import HOST


@pytest.mark.parametrize("shape", [(0, 5), (1, 1), (64, 16384), (3, 100)])
def test_scratch_is_the_same_memory_and_holds_the_shape(shape):
    room = scratch("a name of this test", shape)
    assert room.shape == shape
    assert room.dtype == np.float32
    assert np.shares_memory(room, scratch("a name of this test", shape)) == (room.size > 0)
    assert not np.shares_memory(room, scratch("another name", shape))


def test_rows_of_scratch_do_not_share_a_place_in_the_cache():
    lines = scratch("rows", (64, 16384)).strides[0] * np.arange(64) // 64
    assert len(np.unique(lines % 64)) == 64


@pytest.mark.parametrize("n_pixels", [1, 16384, 16385, 100_000])
@pytest.mark.parametrize("one_sweep", [False, True])
def test_every_pixel_is_visited_once(n_pixels, one_sweep):
    visits = np.zeros(n_pixels, int)

    def visit(pixels):
        visits[pixels] += 1

    over_pixels(visit, n_pixels, one_sweep=one_sweep)
    assert (visits == 1).all()


def test_a_call_within_a_call_visits_every_item_too():
    visits = np.zeros((7, 5), int)

    def visit_row(row):
        def visit(column):
            visits[row, column] += 1

        over_items(visit, range(5))

    over_items(visit_row, range(7))
    assert (visits == 1).all()


def test_spare_memory_is_one_users_at_a_time():
    spare = Spare()
    first, second = spare.take(HOST, (2, 3)), spare.take(HOST, (2, 3))
    assert not np.shares_memory(first, second)
    spare.give_back(second)
    assert spare.take(HOST, (4, 3)).shape == (4, 3)
    spare.give_back(first)
    assert spare.take(HOST, (2, 3)) is first
