"""How well traces follow the true ones: of ROIs, or of the pixels that vary most."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from freq2clean.errors import InputError
from freq2clean.metrics.masks import members
from freq2clean.metrics.moments import PairMoments
from freq2clean.metrics.pairs import (
    Accumulator,
    FramePair,
    FrameStack,
    blocks_of,
    checked_shape,
)

__all__ = [
    "PixelTraces",
    "ROITraces",
    "TraceCorrelation",
    "active_pixels",
    "correlation_of_pixels",
    "correlation_of_rois",
    "summary",
    "trace_correlation",
]


@dataclass(frozen=True)
class TraceCorrelation:
    """Pearson correlation of traces with the true traces.

    Attributes
    ----------
    mean, median : float
        Over the traces for which it is defined; nan if there are none.
    traces : int
        How many traces there are.
    undefined : int
        Those left out, as the true or the recorded one does not vary.
    values : ndarray (traces,), float64
        The correlation of each; nan where undefined.
    """

    mean: float
    median: float
    traces: int
    undefined: int
    values: NDArray[np.float64] = field(repr=False, compare=False)


class PixelTraces(Accumulator):
    """The traces of all pixels.

    Parameters
    ----------
    frame_shape : (int, int)
        Rows and columns.
    """

    def __init__(self, frame_shape: tuple[int, int]) -> None:
        self.moments = PairMoments(frame_shape)

    def add_pair(self, pair: FramePair, /) -> None:
        self.moments.add(pair.truth, pair.recording, pair.ok)


class ROITraces(Accumulator):
    """The mean traces of ROIs; missing pixels are left out of the mean.

    Parameters
    ----------
    frame_shape : (int, int)
        Rows and columns.
    masks : array (Y, X) of int, or (K, Y, X) of bool
        A label image (0: background), or one mask per ROI, which may overlap.
    """

    def __init__(self, frame_shape: tuple[int, int], masks: ArrayLike) -> None:
        self._members = _members(frame_shape, np.asarray(masks))
        self._sizes = np.maximum(self._members.sum(axis=1), 1)
        self.moments = PairMoments(self._sizes.shape)

    def add_pair(self, pair: FramePair, /) -> None:
        sizes, ok = self._sizes, None
        if pair.ok is not None:
            present = self._members @ pair.ok.ravel().astype(np.float64)
            ok = present > 0
            sizes = np.maximum(present, 1)
        truth = self._members @ pair.truth.ravel()
        recording = self._members @ pair.recording.ravel()
        self.moments.add(truth / sizes, recording / sizes, ok)


def _members(frame_shape: tuple[int, int], masks: NDArray[np.generic]) -> csr_array:
    """Matrix (ROIs, pixels) of ones where a pixel belongs to an ROI."""
    if masks.shape[-2:] != frame_shape:
        raise InputError(
            f"masks of shape {masks.shape}; give a label image {frame_shape} of integers, or one "
            f"mask per ROI (ROIs, *{frame_shape})"
        )
    found = members(masks)
    if found.nnz == 0:
        raise InputError("the masks hold no ROI; leave them out to compare the active pixels")
    return found


def active_pixels(traces: PixelTraces, *, fraction: float = 0.05) -> NDArray[np.bool_]:
    """Mask (Y, X) of the pixels whose true trace varies most.

    Parameters
    ----------
    traces : PixelTraces
    fraction : float
        Share of the pixels, in (0, 1]. Pixels that do not vary are never active.
    """
    if not 0 < fraction <= 1:
        raise InputError(f"a fraction of {fraction} active pixels; it lies in (0, 1]")
    variance = traces.moments.variances()[0].ravel()
    count = max(1, round(fraction * variance.size))
    chosen = np.argsort(-variance, kind="stable")[:count]
    active = np.zeros(variance.size, np.bool_)
    active[chosen[variance[chosen] > 0]] = True
    return active.reshape(traces.moments.count.shape)


def correlation_of_pixels(traces: PixelTraces, where: NDArray[np.bool_]) -> TraceCorrelation:
    """The score of the pixels in a mask (Y, X)."""
    return summary(traces.moments.correlation()[where])


def correlation_of_rois(traces: ROITraces) -> TraceCorrelation:
    """The score of the ROIs."""
    return summary(traces.moments.correlation())


def summary(values: NDArray[np.float64]) -> TraceCorrelation:
    """Mean and median of correlations, those that are nan left out."""
    defined = values[~np.isnan(values)]
    mean, median = (
        (float(defined.mean()), float(np.median(defined)))
        if defined.size
        else (float("nan"), float("nan"))
    )
    return TraceCorrelation(mean, median, values.size, values.size - defined.size, values)


def trace_correlation(
    truth: FrameStack,
    recording: FrameStack,
    /,
    *,
    masks: ArrayLike | None = None,
    active_fraction: float | None = None,
) -> TraceCorrelation:
    """Pearson correlation of traces with the true traces.

    Parameters
    ----------
    truth, recording : array (T, Y, X)
        Integers or floats; sliced lazily along T. Pixels that are not finite are left out.
    masks : array (Y, X) of int, or (K, Y, X) of bool, optional
        ROIs, whose mean traces are compared. Without them: single pixels, those that vary most.
    active_fraction : float, optional
        Without masks only: the share of pixels that are compared, 0.05 if not given.

    Returns
    -------
    TraceCorrelation

    Raises
    ------
    InputError
        Shapes that differ, masks that do not fit, or a fraction outside (0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.random.default_rng(0).random((50, 4, 4))
    >>> round(trace_correlation(truth, 3 * truth + 1).mean, 6)
    1.0
    """
    shape = checked_shape(truth, recording)
    if masks is not None:
        if active_fraction is not None:
            raise InputError(f"active_fraction={active_fraction} beside masks; give one of them")
        rois = ROITraces(shape[1:], masks)
        for block in blocks_of(truth, recording):
            rois.add(*block)
        return correlation_of_rois(rois)
    pixels = PixelTraces(shape[1:])
    for block in blocks_of(truth, recording):
        pixels.add(*block)
    fraction = 0.05 if active_fraction is None else active_fraction
    return correlation_of_pixels(pixels, active_pixels(pixels, fraction=fraction))
