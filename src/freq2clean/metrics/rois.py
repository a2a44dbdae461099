"""How well ROIs that were found agree with the true ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components

from freq2clean.errors import InputError
from freq2clean.metrics.masks import Masks, members
from freq2clean.metrics.moments import PairMoments
from freq2clean.metrics.ratios import ratio
from freq2clean.metrics.traces import TraceCorrelation, summary

__all__ = [
    "ROIMatches",
    "ROIScores",
    "average_scores",
    "match_rois",
    "matched_correlation",
    "score_rois",
    "union_iou",
]

IOU = 0.5
"""What a match must have for precision, recall and F1, as in the study."""


@dataclass(frozen=True)
class ROIMatches:
    """Pairs of a found and a true ROI, each ROI in one pair at most, by true ROI.

    Attributes
    ----------
    n_found, n_true : int
        ROIs in all.
    found, true : ndarray (pairs,) of int
        Which ones.
    iou : ndarray (pairs,), float64
        Intersection over union of each pair.
    """

    n_found: int
    n_true: int
    found: NDArray[np.intp] = field(repr=False, compare=False)
    true: NDArray[np.intp] = field(repr=False, compare=False)
    iou: NDArray[np.float64] = field(repr=False, compare=False)

    def average_precision(self) -> float:
        """TP / (TP + FP + FN), as Cellpose and StarDist define it; nan without any ROI."""
        n_pairs = len(self.iou)
        return ratio(n_pairs, self.n_found + self.n_true - n_pairs)


@dataclass(frozen=True)
class ROIScores:
    """What was found, against the truth; a ratio of nothing to nothing is nan.

    Attributes
    ----------
    rois, true_rois : float
        How many there are.
    precision, recall, f1 : float
        Of matches with an IoU of 0.5 or more; F1 = 2 TP / (2 TP + FP + FN).
    ap50, ap75 : float
        TP / (TP + FP + FN) of matches with an IoU of 0.5 or more, and of 0.75 or more.
    mean_iou : float
        Of the matches with 0.5 or more.
    union_iou : float
        IoU of all pixels of any ROI: how the study compares masks.
    """

    rois: float
    true_rois: float
    precision: float
    recall: float
    f1: float
    ap50: float
    ap75: float
    mean_iou: float
    union_iou: float


def match_rois(found: Masks, truth: Masks, /, *, iou: float = IOU) -> ROIMatches:
    """Pair found with true ROIs: as many pairs as can be, and of those the largest sum of IoUs.

    Parameters
    ----------
    found, truth : array (Y, X) of int, array (n, Y, X) of bool, or sparse (n, Y * X)
        See `freq2clean.metrics.masks.members`. An empty ROI is in no pair.
    iou : float
        The least intersection over union of a pair, in (0, 1].

    Returns
    -------
    ROIMatches

    Raises
    ------
    InputError
        Frames of another size, or an IoU outside (0, 1].

    Examples
    --------
    >>> matches = match_rois([[1, 1, 0, 2]], [[5, 5, 5, 0]])
    >>> matches.found, matches.true, matches.iou.round(2)
    (array([0]), array([0]), array([0.67]))
    """
    if not 0 < iou <= 1:
        raise InputError(f"iou = {iou}; give a number above 0, up to 1")
    first, second = _both(found, truth)
    return _match(_overlaps(first, second), iou)


def score_rois(found: Masks, truth: Masks, /) -> ROIScores:
    """Precision, recall, F1, average precision and IoU of found ROIs.

    Parameters
    ----------
    found, truth : array (Y, X) of int, array (n, Y, X) of bool, or sparse (n, Y * X)
        See `freq2clean.metrics.masks.members`.

    Returns
    -------
    ROIScores

    Raises
    ------
    InputError
        Frames of another size.

    References
    ----------
    Average precision as TP / (TP + FP + FN): Stringer et al., Nature Methods 2021
    (doi:10.1038/s41592-020-01018-x); Weigert et al., WACV 2020
    (doi:10.1109/WACV45572.2020.9093435). It is no area under a curve.

    Examples
    --------
    >>> scores = score_rois([[1, 1, 0, 2]], [[5, 5, 5, 0]])
    >>> scores.precision, scores.recall, scores.ap50, scores.ap75, scores.union_iou
    (0.5, 1.0, 0.5, 0.0, 0.5)
    """
    first, second = _both(found, truth)
    overlaps = _overlaps(first, second)
    half, strict = (_match(overlaps, iou) for iou in (IOU, 0.75))
    n_pairs, n_found, n_true = len(half.iou), half.n_found, half.n_true
    return ROIScores(
        rois=n_found,
        true_rois=n_true,
        precision=ratio(n_pairs, n_found),
        recall=ratio(n_pairs, n_true),
        f1=ratio(2 * n_pairs, n_found + n_true),
        ap50=half.average_precision(),
        ap75=strict.average_precision(),
        mean_iou=ratio(float(half.iou.sum()), n_pairs),
        union_iou=_union_iou(first, second),
    )


def union_iou(found: Masks, truth: Masks, /) -> float:
    """Intersection over union of the pixels of any found and of any true ROI.

    So the study compares the masks of a frame. It knows no cells: two that are merged, or one that
    is split, cost nothing. nan where there is no ROI at all; the study says 0 there.

    Parameters
    ----------
    found, truth : array (Y, X) of int, array (n, Y, X) of bool, or sparse (n, Y * X)

    Examples
    --------
    >>> union_iou([[1, 1, 0, 2]], [[1, 2, 2, 0]])
    0.5
    """
    return _union_iou(*_both(found, truth))


def average_scores(scores: Sequence[ROIScores], /) -> ROIScores:
    """The mean of each score, as over frames; those that are nan are left out.

    Raises
    ------
    InputError
        If there are none.

    Examples
    --------
    >>> frames = [score_rois([[1, 0]], [[1, 0]]), score_rois([[0, 0]], [[1, 0]])]
    >>> average_scores(frames).f1, average_scores(frames).precision
    (0.5, 1.0)
    """
    if not scores:
        raise InputError("no scores to average; give one or more")
    names = [one.name for one in fields(ROIScores)]
    return ROIScores(*(_mean([getattr(score, name) for score in scores]) for name in names))


def matched_correlation(
    found: ArrayLike, truth: ArrayLike, matches: ROIMatches, /
) -> TraceCorrelation:
    """Pearson correlation of each matched ROI's trace with the true trace.

    It says nothing of ROIs without a match. Who finds more dim cells has more low values in the
    mean, so compare ROIs that were found either way.

    Parameters
    ----------
    found, truth : array (n, T)
        A trace for each ROI; time points that are not finite are left out.
    matches : ROIMatches

    Returns
    -------
    TraceCorrelation
        With a value for each match.

    Raises
    ------
    InputError
        Where there is not one trace for each ROI, or T differs.

    Examples
    --------
    >>> matches = match_rois([[1, 2]], [[7, 0]])
    >>> matched_correlation([[1, 2, 4], [0, 0, 1]], [[2, 4, 8]], matches).values
    array([1.])
    """
    first, second = np.asarray(found), np.asarray(truth)
    shapes = (matches.n_found, *first.shape[1:]), (matches.n_true, *first.shape[1:])
    if first.ndim != 2 or (first.shape, second.shape) != shapes:
        raise InputError(
            f"traces of shapes {first.shape} and {second.shape} for {matches.n_found} found and "
            f"{matches.n_true} true ROIs; give one for each, (ROIs, frames), of the same frames"
        )
    moments = PairMoments((len(matches.iou),))
    pairs = (first[matches.found].T, second[matches.true].T)
    for one, other in zip(*(np.asarray(traces, np.float64) for traces in pairs), strict=True):
        ok = np.isfinite(one) & np.isfinite(other)
        moments.add(np.where(ok, one, 0), np.where(ok, other, 0), ok)
    return summary(moments.correlation())


def _both(found: Masks, truth: Masks) -> tuple[sparse.csr_array, sparse.csr_array]:
    first, second = members(found), members(truth)
    sizes = {np.shape(masks)[-2:] for masks in (found, truth) if not sparse.issparse(masks)}
    if first.shape[1] != second.shape[1] or len(sizes) > 1:
        raise InputError(
            f"found ROIs lie on frames of {first.shape[1]} pixels, true ones on frames of "
            f"{second.shape[1]} {sorted(sizes)}; give both on the same frame"
        )
    return first, second


def _overlaps(found: sparse.csr_array, truth: sparse.csr_array) -> sparse.coo_array:
    """Intersection over union (found, true) of ROIs that share a pixel."""
    shared = (found @ truth.T).tocoo()
    row, column = shared.coords
    union = found.sum(axis=1)[row] + truth.sum(axis=1)[column] - shared.data
    return sparse.coo_array((shared.data / union, (row, column)), shape=shared.shape)


def _match(overlaps: sparse.coo_array, iou: float) -> ROIMatches:
    """Each group of ROIs that compete for each other is a small assignment of its own."""
    enough = overlaps.data >= iou
    values = overlaps.data[enough]
    found, true = (index[enough] for index in overlaps.coords)
    n_found, n_true = overlaps.shape
    size = n_found + n_true
    rivals = sparse.coo_array((values, (found, n_found + true)), shape=(size, size))
    group_of = connected_components(rivals, directed=False)[1][found]
    order = np.argsort(group_of, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(group_of[order])) + 1) if len(order) else []
    kept = np.array([pair for group in groups for pair in _assign(found, true, values, group)], int)
    kept = kept[np.argsort(true[kept], kind="stable")]
    return ROIMatches(n_found, n_true, found[kept], true[kept], values[kept])


def _assign(
    found: NDArray[Any], true: NDArray[Any], iou: NDArray[np.float64], group: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Those of a group of candidate pairs that are kept."""
    if len(group) == 1:
        return group
    rows, row = np.unique(found[group], return_inverse=True)
    columns, column = np.unique(true[group], return_inverse=True)
    pair = np.full((len(rows), len(columns)), -1, np.intp)
    pair[row, column] = group
    gain = np.zeros(pair.shape)
    gain[row, column] = 1 + iou[group] / (2 * min(pair.shape))
    kept: NDArray[np.intp] = pair[linear_sum_assignment(gain, maximize=True)]
    return kept[kept >= 0]


def _union_iou(found: sparse.csr_array, truth: sparse.csr_array) -> float:
    first, second = (masks.sum(axis=0) > 0 for masks in (found, truth))
    return ratio(int((first & second).sum()), int((first | second).sum()))


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
