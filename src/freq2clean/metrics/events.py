"""How well events in time, such as inferred spikes, agree with the true ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freq2clean.errors import InputError
from freq2clean.metrics.ratios import ratio

__all__ = ["EventScores", "match_events", "score_events"]


@dataclass(frozen=True)
class EventScores:
    """What was detected, against the truth; a ratio of nothing to nothing is nan.

    Attributes
    ----------
    events, true_events, hits : int
        Detected, true, and pairs of both.
    precision, recall, f1 : float
        F1 = 2 hits / (events + true events).
    """

    events: int
    true_events: int
    hits: int
    precision: float
    recall: float
    f1: float


def match_events(found_s: ArrayLike, true_s: ArrayLike, /, *, tolerance_s: float) -> int:
    """The largest number of pairs of a found and a true event that lie close to each other.

    Each event is in one pair at most. On a line, pairing the earliest events that can be paired
    is best.

    Parameters
    ----------
    found_s, true_s : array (n,)
        Times in seconds, in any order.
    tolerance_s : float
        How far the two events of a pair may be apart, in seconds; 0 or more.

    Raises
    ------
    InputError
        Times that are not finite, or a tolerance below 0.

    Examples
    --------
    >>> match_events([0.1, 0.2, 3.0], [0.15, 2.0], tolerance_s=0.1)
    1
    """
    if not tolerance_s >= 0:
        raise InputError(f"tolerance_s = {tolerance_s}; give seconds, 0 or more")
    found, true = _times(found_s), _times(true_s)
    first = second = hits = 0
    while first < len(found) and second < len(true):
        apart = float(found[first] - true[second])
        is_pair = abs(apart) <= tolerance_s
        hits += is_pair
        first += is_pair or apart < 0
        second += is_pair or apart > 0
    return hits


def score_events(
    found_s: Sequence[ArrayLike], true_s: Sequence[ArrayLike], /, *, tolerance_s: float
) -> EventScores:
    """Precision, recall and F1 of detected events, of all cells together.

    Parameters
    ----------
    found_s, true_s : sequence of array (n,)
        For each cell the times of its events in seconds; the same cells in both.
    tolerance_s : float
        See `match_events`.

    Returns
    -------
    EventScores

    Raises
    ------
    InputError
        Where the cells are not as many in both, or a time or the tolerance cannot be used.

    Examples
    --------
    >>> score_events([[1.0, 2.0], [5.0]], [[1.02], []], tolerance_s=0.1).precision
    0.3333333333333333
    """
    if len(found_s) != len(true_s):
        raise InputError(
            f"events of {len(found_s)} cells, true ones of {len(true_s)}; give the same cells"
        )
    hits = sum(
        match_events(found, true, tolerance_s=tolerance_s)
        for found, true in zip(found_s, true_s, strict=True)
    )
    events, true_events = (sum(np.size(times) for times in cells) for cells in (found_s, true_s))
    return EventScores(
        events,
        true_events,
        hits,
        precision=ratio(hits, events),
        recall=ratio(hits, true_events),
        f1=ratio(2 * hits, events + true_events),
    )


def _times(seconds: ArrayLike) -> NDArray[np.float64]:
    times = np.sort(np.asarray(seconds, np.float64), axis=None)
    if not np.isfinite(times).all():
        raise InputError("a time of an event is not finite; give seconds")
    return times
