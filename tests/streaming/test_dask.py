"""Sums as trees, ranges that follow chunks, and schedulers that are not there."""

from __future__ import annotations

import sys

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freq2clean import InputError, MissingExtraError
from freq2clean.streaming.dask import connected, grouped, is_lazy, tree


@given(st.lists(st.integers(0, 40), max_size=12), st.integers(1, 60))
def test_ranges_cover_all_frames_and_are_no_longer_than_said(chunks, size):
    ranges = grouped(chunks, size)
    frames = [frame for start, stop in ranges for frame in range(start, stop)]
    assert frames == list(range(sum(chunks)))
    assert all(0 < stop - start <= size for start, stop in ranges)


@given(st.lists(st.integers(1, 10), min_size=1, max_size=12), st.integers(10, 60))
def test_ranges_end_where_chunks_do(chunks, size):
    assert {stop for _, stop in grouped(chunks, size)} <= set(np.cumsum(chunks).tolist())


@pytest.mark.parametrize("n", [1, 8, 9, 70])
@pytest.mark.parametrize("most", [1, 8])
def test_a_tree_keeps_the_order_and_holds_few_at_a_time(n, most):
    taken = []

    def joined(parts):
        taken.append(len(parts))
        return "".join(parts)

    letters = [chr(ord("A") + i) for i in range(n)]
    left = tree(joined, letters, most=most)
    assert len(left) <= most
    values = [item if isinstance(item, str) else item.compute() for item in left]
    assert "".join(values) == "".join(letters)
    assert max(taken, default=0) <= 8


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [("local:0", "one worker at least"), ("host", r"such as tcp://host:8786, or local:4")],
)
def test_a_scheduler_that_makes_no_sense_is_refused(scheduler, message):
    with pytest.raises(InputError, match=message), connected(scheduler):
        pass


def test_a_scheduler_that_does_not_answer_is_said(monkeypatch):
    monkeypatch.setattr("freq2clean.streaming.dask._PATIENCE_S", 0.3)
    with (
        pytest.raises(InputError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9"),
        connected("tcp://127.0.0.1:9"),
    ):
        pass


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"freq2clean\[dask\]"), connected("local:1"):
        pass


def test_only_dask_arrays_are_lazy():
    assert is_lazy(da.zeros(3))
    assert not is_lazy(np.zeros(3))
