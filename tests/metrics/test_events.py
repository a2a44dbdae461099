from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from freq2clean.errors import InputError
from freq2clean.metrics import match_events, score_events

frames = st.lists(st.integers(0, 30), max_size=12)


def by_graph(found, true, tolerance):
    if not len(found) or not len(true):
        return 0
    close = np.abs(np.subtract.outer(found, true)) <= tolerance
    return int((maximum_bipartite_matching(csr_array(close)) >= 0).sum())


@given(frames, frames, st.integers(0, 6))
def test_as_many_hits_as_any_assignment_has(found, true, tolerance):
    assert match_events(found, true, tolerance_s=tolerance) == by_graph(found, true, tolerance)


@given(frames, frames, st.integers(0, 6), st.randoms(use_true_random=False))
def test_neither_order_nor_side_matters(found, true, tolerance, random):
    hits = match_events(found, true, tolerance_s=tolerance)
    shuffled = random.sample(found, len(found))
    assert match_events(true, shuffled, tolerance_s=tolerance) == hits


@given(st.lists(frames, min_size=1, max_size=4))
def test_the_truth_itself_is_perfect(cells):
    score = score_events(cells, cells, tolerance_s=0)
    n = sum(map(len, cells))
    assert (score.events, score.true_events, score.hits) == (n, n, n)
    assert (score.precision, score.recall, score.f1) == pytest.approx(
        (1, 1, 1) if n else (math.nan,) * 3, nan_ok=True
    )


def test_cells_are_pooled_and_not_mixed():
    score = score_events([[1.0, 2.0, 9.0], [4.0]], [[1.1], [2.0, 4.05]], tolerance_s=0.2)
    assert (score.hits, score.precision, score.recall) == (2, 0.5, pytest.approx(2 / 3))
    assert score.f1 == pytest.approx(4 / 7)


def test_an_event_counts_once():
    assert match_events([1.0], [0.95, 1.0, 1.05], tolerance_s=0.1) == 1
    assert match_events([9, 10], [10, 11], tolerance_s=1) == 2


def test_nothing_on_one_side():
    blind = score_events([[]], [[1]], tolerance_s=1)
    invented = score_events([[1]], [[]], tolerance_s=1)
    assert (blind.recall, blind.f1, invented.precision, invented.f1) == (0, 0, 0, 0)
    assert math.isnan(blind.precision)
    assert math.isnan(invented.recall)


def test_refused():
    with pytest.raises(InputError, match="tolerance_s = -1"):
        match_events([1], [1], tolerance_s=-1)
    with pytest.raises(InputError, match="tolerance_s = nan"):
        match_events([1], [1], tolerance_s=math.nan)
    with pytest.raises(InputError, match="not finite"):
        match_events([1, math.nan], [1], tolerance_s=1)
    with pytest.raises(InputError, match="events of 1 cells, true ones of 2"):
        score_events([[1]], [[1], [2]], tolerance_s=1)
