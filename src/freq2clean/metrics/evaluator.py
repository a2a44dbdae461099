"""All metrics of a recording against its truth, in one pass and at most one before it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from numpy.typing import ArrayLike, NDArray

from freq2clean.errors import InputError
from freq2clean.metrics.normalisation import checked_data_range
from freq2clean.metrics.pairs import Accumulator, FramePair, real_block
from freq2clean.metrics.psnr import psnr_of_sums
from freq2clean.metrics.quantiles import QuantileSketch, quantile_of_text
from freq2clean.metrics.snr import SNRScore, stsnr_of_sums
from freq2clean.metrics.ssim import FrameSSIM
from freq2clean.metrics.ssim3d import (
    SSIM3D,
    SSIM3DOptions,
    SSIM3DScore,
    SSIM3DSurvey,
    taken_frames,
)
from freq2clean.metrics.sums import SquaredSums
from freq2clean.metrics.traces import (
    PixelTraces,
    ROITraces,
    TraceCorrelation,
    active_pixels,
    correlation_of_pixels,
    correlation_of_rois,
)
from freq2clean.metrics.window import checked_padding
from freq2clean.threads import n_threads

__all__ = ["Evaluator", "Scores"]


@dataclass(frozen=True)
class Scores:
    """How close a recording is to its truth.

    Attributes
    ----------
    psnr_db, psnr_active_db : float
        Of all pixels, and of the active ones: those that vary most in the truth.
    data_range : float
        In the units of the pixels, for PSNR and SSIM of frames.
    ssim3d : SSIM3DScore
        With the convention it was computed under.
    ssim_frames : float
        Mean SSIM of single frames.
    snr : SNRScore
    active_correlation : TraceCorrelation
        Of the active pixels.
    roi_correlation : TraceCorrelation or None
        Of the ROIs, if masks were given.
    active_fraction : float
        The share of pixels called active.
    frames, missing_pixels : int
        Frames compared, and pixels of these that were not finite and are left out.
    """

    psnr_db: float
    psnr_active_db: float
    data_range: float
    ssim3d: SSIM3DScore
    ssim_frames: float
    snr: SNRScore
    active_correlation: TraceCorrelation
    roi_correlation: TraceCorrelation | None
    active_fraction: float
    frames: int
    missing_pixels: int

    def as_dict(self) -> dict[str, Any]:
        """The scores for JSON; values that are not finite are the texts "inf" and "nan"."""
        tree: dict[str, Any] = _plain(asdict(self))
        return tree


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key != "values"}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


class Evaluator:
    """Takes a truth and a recording in blocks of frames and scores the recording.

    Parameters
    ----------
    shape : (int, int, int)
        Frames, rows, columns; at least 11 rows and columns, which SSIM of frames needs.
    data_range : float or str
        In the units of the pixels, or a percentile of the truth such as ``"q99.9"``.
    ssim3d : SSIM3DOptions, optional
        The convention of SSIM3D; the study's if not given.
    masks : array (Y, X) of int, or (K, Y, X) of bool, optional
        ROIs whose traces are compared too.
    active_fraction : float
        Share of pixels called active.

    Raises
    ------
    InputError
        An option that cannot be used, or frames that do not come in order.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.random.default_rng(0).poisson(50, (20, 16, 16)).astype(np.uint16)
    >>> evaluator = Evaluator(truth.shape, data_range="q99.9")
    >>> if evaluator.needs_survey:
    ...     evaluator.survey(0, truth, truth)
    >>> for start in (0, 10):
    ...     block = truth[start : start + 10]
    ...     evaluator.add(start, block, block)
    >>> evaluator.result().psnr_db
    inf
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        *,
        data_range: float | str,
        ssim3d: SSIM3DOptions | None = None,
        masks: ArrayLike | None = None,
        active_fraction: float = 0.05,
    ) -> None:
        self._shape = shape
        self._options = SSIM3DOptions() if ssim3d is None else ssim3d
        self._quantile = quantile_of_text(data_range) if isinstance(data_range, str) else None
        self._data_range = (
            math.nan if isinstance(data_range, str) else checked_data_range(data_range)
        )
        self._active_fraction = active_fraction
        taken_frames(shape[0], self._options)
        for length, axis in zip(shape[1:], ("rows", "columns"), strict=True):
            checked_padding("valid", length, axis)
        self._truth_sketch = QuantileSketch()
        self._ssim3d_survey = SSIM3DSurvey(self._options)
        self._surveyed = 0
        self._added = 0
        self._sums = SquaredSums(shape[1:])
        self._pixels = PixelTraces(shape[1:])
        self._rois = None if masks is None else ROITraces(shape[1:], masks)
        self._by_pixel = _Several([self._sums, self._pixels, *([self._rois] if self._rois else [])])

    @property
    def needs_survey(self) -> bool:
        """Whether all frames have to go through `survey` before the first `add`."""
        return self._quantile is not None or self._options.normalisation is not None

    def survey(self, start: int, truth: ArrayLike, recording: ArrayLike, /) -> None:
        """Look at the frames from `start` on, for percentiles; blocks (n, Y, X) in order."""
        blocks = self._checked(start, self._surveyed, truth, recording)
        self._surveyed += len(blocks[0])
        if self._quantile is not None:
            self._truth_sketch.add(blocks[0])
        self._ssim3d_survey.add(*blocks)

    def add(self, start: int, truth: ArrayLike, recording: ArrayLike, /) -> None:
        """Take the frames from `start` on; blocks (n, Y, X) in order."""
        blocks = self._checked(start, self._added, truth, recording)
        if self._added == 0:
            self._begin()
        self._added += len(blocks[0])
        tasks = [self._by_pixel, self._frame_ssim, self._ssim3d]
        with ThreadPoolExecutor(min(len(tasks), n_threads())) as threads:
            for done in [threads.submit(partial(task.add, *blocks)) for task in tasks]:
                done.result()

    def result(self) -> Scores:
        """The scores, once all frames have been added."""
        if self._added != self._shape[0]:
            raise InputError(f"{self._added} of {self._shape[0]} frames added; add them all first")
        active = active_pixels(self._pixels, fraction=self._active_fraction)
        return Scores(
            psnr_db=psnr_of_sums(self._sums, data_range=self._data_range),
            psnr_active_db=psnr_of_sums(self._sums, data_range=self._data_range, where=active),
            data_range=self._data_range,
            ssim3d=self._ssim3d.result(),
            ssim_frames=self._frame_ssim.result(),
            snr=stsnr_of_sums(self._sums),
            active_correlation=correlation_of_pixels(self._pixels, active),
            roi_correlation=None if self._rois is None else correlation_of_rois(self._rois),
            active_fraction=self._active_fraction,
            frames=self._added,
            missing_pixels=self._sums.missing,
        )

    def _begin(self) -> None:
        if self.needs_survey and self._surveyed != self._shape[0]:
            raise InputError(
                f"{self._surveyed} of {self._shape[0]} frames surveyed; "
                "survey them all before the first is added"
            )
        if self._quantile is not None:
            self._data_range = self._truth_sketch.quantiles([self._quantile])[0]
        self._frame_ssim = FrameSSIM(self._shape[1:], data_range=self._data_range)
        self._ssim3d = SSIM3D(self._shape, self._options, self._ssim3d_survey.scalings())

    def _checked(
        self, start: int, expected: int, truth: ArrayLike, recording: ArrayLike
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        blocks = real_block(truth), real_block(recording)
        for block in blocks:
            if block.shape != (len(blocks[0]), *self._shape[1:]):
                raise InputError(
                    f"a block of shape {block.shape}; the recording is {self._shape} "
                    "and both blocks have the same frames"
                )
        if start != expected or start + len(blocks[0]) > self._shape[0]:
            raise InputError(
                f"frames {start}:{start + len(blocks[0])} given; the next of "
                f"{self._shape[0]} frames is {expected}"
            )
        return blocks


class _Several(Accumulator):
    """Several accumulators fed with the same pairs."""

    def __init__(self, parts: Sequence[Accumulator]) -> None:
        self._parts = parts

    def add_pair(self, pair: FramePair, /) -> None:
        for part in self._parts:
            part.add_pair(pair)
