from __future__ import annotations

import math
from dataclasses import astuple
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse
from scipy.optimize import linear_sum_assignment

from freq2clean.errors import InputError
from freq2clean.metrics import (
    average_scores,
    match_rois,
    matched_correlation,
    score_rois,
    union_iou,
)
from freq2clean.metrics.masks import members

FRAME = (5, 6)
masks_of = st.integers(0, 4).flatmap(lambda n: arrays(bool, (n, *FRAME)))
labels_of = arrays(np.int32, FRAME, elements=st.integers(0, 4))


def iou_of(a, b):
    union = (a | b).sum()
    return (a & b).sum() / union if union else 0.0


def best_pairs(found, truth, threshold):
    """Every way to pair them, tried."""
    table = np.array([[iou_of(a, b) for b in truth] for a in found]).reshape(len(found), len(truth))
    table = np.where(table >= threshold, table, 0)
    if len(found) > len(truth):
        table = table.T
    ways = [
        [value for row, column in enumerate(way) if (value := table[row, column]) > 0]
        for way in permutations(range(table.shape[1]), table.shape[0])
    ]
    return max((len(way), sum(way)) for way in ways)


def by_definition(found, truth):
    n_found, n_true = len(found), len(truth)

    def ratio(part, whole):
        return part / whole if whole else math.nan

    half, total = best_pairs(found, truth, 0.5)
    strict, _ = best_pairs(found, truth, 0.75)
    either = found.any(axis=0), truth.any(axis=0)
    return (
        n_found,
        n_true,
        ratio(half, n_found),
        ratio(half, n_true),
        ratio(2 * half, n_found + n_true),
        ratio(half, n_found + n_true - half),
        ratio(strict, n_found + n_true - strict),
        ratio(total, half),
        ratio((either[0] & either[1]).sum(), (either[0] | either[1]).sum()),
    )


def discs(n, *, side, seed, radius=3.0):
    """Masks (n, side, side) of discs that may overlap."""
    rng = np.random.default_rng(seed)
    rows, columns = np.ogrid[:side, :side]
    centres = rng.uniform(0, side, (n, 2))
    return np.array([(rows - y) ** 2 + (columns - x) ** 2 < radius**2 for y, x in centres])


@given(masks_of, masks_of)
def test_scores_equal_the_definition(found, truth):
    assert astuple(score_rois(found, truth)) == pytest.approx(
        by_definition(found, truth), nan_ok=True
    )


@given(masks_of, masks_of, st.sampled_from([0.1, 0.3, 0.5, 1.0]))
def test_no_other_pairing_is_better(found, truth, threshold):
    matches = match_rois(found, truth, iou=threshold)
    number, total = best_pairs(found, truth, threshold)
    assert len(matches.iou) == number
    assert matches.iou.sum() == pytest.approx(total)
    assert len(set(matches.found)) == len(set(matches.true)) == number
    for one, other, iou in zip(matches.found, matches.true, matches.iou, strict=True):
        assert iou == pytest.approx(iou_of(found[one], truth[other]))
        assert iou >= threshold


@given(masks_of, masks_of, st.randoms(use_true_random=False))
def test_their_order_does_not_matter(found, truth, random):
    shuffled = [masks[random.sample(range(len(masks)), len(masks))] for masks in (found, truth)]
    assert astuple(score_rois(*shuffled)) == pytest.approx(
        astuple(score_rois(found, truth)), nan_ok=True
    )


@given(masks_of.filter(lambda masks: len(masks) and masks.any(axis=(1, 2)).all()))
def test_the_truth_itself_is_perfect(truth):
    n = len(truth)
    assert astuple(score_rois(truth, truth)) == pytest.approx((n, n, *[1] * 7))


@given(labels_of, labels_of)
def test_labels_masks_and_sparse_are_the_same(found, truth):
    expected = astuple(score_rois(found, truth))
    as_masks = [image == np.unique(image[image > 0])[:, None, None] for image in (found, truth)]
    as_sparse = [sparse.coo_array(3.5 * masks.reshape(len(masks), 30)) for masks in as_masks]
    for one, other in (as_masks, as_sparse, (found, as_sparse[1]), (as_masks[0], truth)):
        assert astuple(score_rois(one, other)) == pytest.approx(expected, nan_ok=True)


def test_nothing_on_one_side_or_both():
    none, one = np.zeros(FRAME, int), np.ones(FRAME, int)
    blind, invented, neither = (
        score_rois(*both) for both in ((none, one), (one, none), (none, none))
    )
    assert (blind.recall, blind.f1, blind.ap50, blind.union_iou) == (0, 0, 0, 0)
    assert (invented.precision, invented.f1, invented.ap50, invented.union_iou) == (0, 0, 0, 0)
    assert all(map(math.isnan, (blind.precision, blind.mean_iou, invented.recall)))
    assert astuple(neither)[:2] == (0, 0)
    assert all(map(math.isnan, astuple(neither)[2:]))


def test_more_pairs_are_better_than_a_larger_overlap():
    """Taking the best pair first would leave the other two without a partner."""
    line = np.arange(24).reshape(1, 1, 24)
    found = np.concatenate([(line < 12), (line >= 4) & (line < 12)])
    truth = np.concatenate([(line >= 3) & (line < 12), (line < 23)])
    matches = match_rois(found, truth, iou=0.5)
    assert list(zip(matches.found, matches.true, strict=True)) == [(1, 0), (0, 1)]


def test_thousands_are_matched_as_by_one_assignment():
    truth, found = (discs(2000, side=300, seed=seed) for seed in (0, 1))
    flat = [masks.reshape(2000, -1).astype(np.float32) for masks in (found, truth)]
    shared = flat[0] @ flat[1].T
    table = shared / (flat[0].sum(1)[:, None] + flat[1].sum(1) - shared)
    gain = np.where(table >= 0.3, 1 + table / 4000, 0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    kept = gain[rows, columns] > 0
    matches = match_rois(found, truth, iou=0.3)
    assert len(matches.iou) == kept.sum()
    assert matches.iou.sum() == pytest.approx(table[rows, columns][kept].sum(), rel=1e-3)


def test_merged_cells_cost_nothing_in_the_union_of_the_study():
    truth = np.array([[1, 1, 2, 2, 0, 3]])
    merged = np.array([[1, 1, 1, 1, 0, 1]])
    assert union_iou(merged, truth) == 1
    assert score_rois(merged, truth).f1 == 0


def test_footprints_with_zeros_and_duplicates():
    footprints = sparse.coo_array(
        ([2.0, -2.0, 0.0, 1.0, 1.0], ([0, 0, 0, 1, 1], [0, 0, 1, 2, 2])), shape=(2, 4)
    )
    assert members(footprints).toarray().tolist() == [[0, 0, 0, 0], [0, 0, 1, 0]]


def test_average_leaves_out_what_is_not_defined():
    good, none = np.ones(FRAME, int), np.zeros(FRAME, int)
    mean = average_scores([score_rois(good, good), score_rois(none, good), score_rois(none, none)])
    assert (mean.rois, mean.true_rois) == pytest.approx((1 / 3, 2 / 3))
    assert (mean.precision, mean.recall, mean.f1, mean.union_iou) == (1, 0.5, 0.5, 0.5)
    with pytest.raises(InputError, match="one or more"):
        average_scores([])


def test_traces_of_matched_rois():
    rng = np.random.default_rng(0)
    truth = discs(6, side=40, seed=3)
    found = truth[[4, 1, 2]]
    true_traces, traces = rng.random((6, 50)), rng.random((3, 50)).astype(np.float32)
    traces[1, 7] = np.nan
    score = matched_correlation(traces, true_traces, match_rois(found, truth))
    there = np.arange(50) != 7
    expected = [
        np.corrcoef(traces[1, there], true_traces[1, there])[0, 1],
        np.corrcoef(traces[2], true_traces[2])[0, 1],
        np.corrcoef(traces[0], true_traces[4])[0, 1],
    ]
    np.testing.assert_allclose(score.values, expected, atol=1e-7)
    nothing = matched_correlation(np.zeros((0, 50)), true_traces, match_rois(found[:0], truth))
    assert nothing.traces == 0
    assert math.isnan(nothing.mean)


def test_refused():
    labels = np.ones((4, 4), int)
    for masks, message in {
        "float": (labels.astype(float), "label image"),
        "line": (labels[0], "label image"),
        "larger": (np.ones((4, 5), int), "on the same frame"),
        "turned": (np.ones((2, 8), int), "on the same frame"),
        "sparse": (sparse.eye_array(15), "on the same frame"),
    }.values():
        with pytest.raises(InputError, match=message):
            score_rois(masks, labels)
    for threshold in (0, 1.5):
        with pytest.raises(InputError, match=f"iou = {threshold}"):
            match_rois(labels, labels, iou=threshold)
    matches = match_rois(labels, labels)
    for traces in (np.ones((2, 9)), np.ones(9), np.ones((1, 8))):
        with pytest.raises(InputError, match="1 found and 1 true"):
            matched_correlation(traces, np.ones((1, 9)), matches)
