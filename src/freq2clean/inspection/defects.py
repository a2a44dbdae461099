"""What is wrong with a recording apart from its noise and motion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.inspection.survey import Survey

__all__ = ["Defects", "find_defects"]

TELLING_LIT_VALUES = 30
FEWEST_AT_TOP = 20
LEAST_SHARE = 1e-5
FINE_LEVELS = 50
FEWEST_LINES = 32
CLEAR_STRIPES = 3.0
LEAST_STRIPES_SHARE = 0.03
HELD_SHARE = 0.9
MOST_ZEROS_BESIDE = 0.1


@dataclass(frozen=True)
class Defects:
    """Counts and sizes of defects; 0, empty or None where there are none.

    Attributes
    ----------
    dropped_lines : int
        Rows of zeros in single frames, empty frames and masked rows left out.
    frames_with_dropped_lines : int
    masked_rows : int
        Rows that hold nothing but zeros in more than half of the frames.
    masked_columns : int
        Columns of which each pixel holds zero in more than half of the frames, where the others
        hardly do.
    empty_frames : tuple of int
        Frames of zeros.
    repeated_frames : tuple of int
        Frames equal to the frame before.
    not_finite : int
        Values that are NaN or infinite.
    wrapped : int
        Negative values that an unsigned dtype turned into its largest ones.
    saturation_level : float or None
        The value at which the recording is cut off.
    saturated_share : float
        Share of the values that lie there.
    floor_level : float or None
        The value at which the noise is cut off from below. Masked columns do not count, nor
        pixels that hold one value nearly throughout.
    floored_share : float
        Share of the other pixels' values that lie there.
    column_stripes, row_stripes : float or None
        Standard deviation of a static pattern of columns or rows, in counts.
    flicker : float or None
        Standard deviation of the common brightness from frame to frame as a share of the mean
        signal of the raw recording: beyond photon noise in the raw recording, beyond the raw one's
        in a denoised recording.
    is_constant : bool
        All values are the same, or there are none.
    is_frozen : bool
        All frames are the same, though the image is not constant.
    """

    dropped_lines: int
    frames_with_dropped_lines: int
    masked_rows: int
    masked_columns: int
    empty_frames: tuple[int, ...]
    repeated_frames: tuple[int, ...]
    not_finite: int
    wrapped: int
    saturation_level: float | None
    saturated_share: float
    floor_level: float | None
    floored_share: float
    column_stripes: float | None
    row_stripes: float | None
    flicker: float | None
    is_constant: bool
    is_frozen: bool


def find_defects(survey: Survey, *, flicker: float | None) -> Defects:
    """Look for defects in what one pass over a recording left; the flicker is told."""
    masked = survey.missing.mean(axis=0) > 0.5
    empty = np.asarray(survey.missing.all(axis=1))
    lines = survey.missing & ~masked & ~empty[:, None]
    columns = _masked_columns(survey, masked)
    held = (survey.lowest_share > HELD_SHARE) | columns
    levels = np.unique(survey.values, return_counts=True)
    held_values = survey.values[held.reshape(-1)[survey.value_pixels]]
    top, top_share = _saturation(*levels)
    bottom, bottom_share = _floor(*_without(*levels, held_values))
    mean = np.where(survey.unusable, np.nan, survey.mean)
    repeated = np.flatnonzero(survey.repeated)
    return Defects(
        dropped_lines=int(lines.sum()),
        frames_with_dropped_lines=int(lines.any(axis=1).sum()),
        masked_rows=0 if survey.is_constant else int(masked.sum()),
        masked_columns=0 if survey.is_constant else int(columns.sum()),
        empty_frames=tuple(np.flatnonzero(empty).tolist()) if _lit_enough(survey) else (),
        repeated_frames=tuple(repeated.tolist()),
        not_finite=survey.not_finite,
        wrapped=survey.wrapped if _has_gap(survey.values) else 0,
        saturation_level=top,
        saturated_share=top_share,
        floor_level=bottom,
        floored_share=bottom_share,
        column_stripes=_stripes(mean),
        row_stripes=_stripes(mean.T),
        flicker=flicker,
        is_constant=survey.is_constant,
        is_frozen=not survey.is_constant and 1 < survey.shape[0] == repeated.size + 1,
    )


def _lit_enough(survey: Survey) -> bool:
    """Whether frames hold so many values that a frame of zeros cannot be chance."""
    if survey.values.size == 0:
        return False
    lit = np.count_nonzero(survey.values) / survey.values.size
    return bool(lit * survey.shape[1] * survey.shape[2] > TELLING_LIT_VALUES)


def _has_gap(values: NDArray[Any]) -> bool:
    """Whether hardly any value lies in the middle of the dtype's range."""
    if values.dtype.kind != "u" or values.size == 0:
        return False
    top = np.iinfo(values.dtype).max
    middle = np.count_nonzero((values > 0.4 * top) & (values < 0.8 * top))
    high = np.count_nonzero(values >= 0.8 * top)
    return bool(middle <= max(high / 10, 1e-6 * values.size))


def _masked_columns(survey: Survey, masked_rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """None where the other columns hold many zeros too, as they do where photons are few."""
    holds_zero = survey.lowest == np.float32(-survey.pedestal)
    zeros = np.where(holds_zero, survey.lowest_share, 0)[~masked_rows]
    columns = np.asarray((zeros > 0.5).all(axis=0))
    others = zeros[:, ~columns]
    clear = others.size > 0 and others.mean() < MOST_ZEROS_BESIDE
    return columns if clear else np.zeros_like(columns)


def _without(
    levels: NDArray[Any], counts: NDArray[np.intp], left_out: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Levels and how often they occur, less some of the values that were counted."""
    found, times = np.unique(left_out, return_counts=True)
    counts = counts.copy()
    counts[np.searchsorted(levels, found)] -= times
    return levels[counts > 0], counts[counts > 0]


def _saturation(levels: NDArray[Any], counts: NDArray[np.intp]) -> tuple[float | None, float]:
    """A largest value that occurs more often than the values just below it."""
    if levels.size < 3:
        return None, 0.0
    share = float(counts[-1] / counts.sum())
    piled_up = counts[-1] > 1.5 * counts[-6:-1].max()
    if piled_up and counts[-1] >= FEWEST_AT_TOP and share > LEAST_SHARE:
        return float(levels[-1]), share
    return None, 0.0


def _floor(levels: NDArray[Any], counts: NDArray[np.intp]) -> tuple[float | None, float]:
    """A smallest value that occurs more often than those above it, where levels are fine."""
    if counts.size == 0 or np.searchsorted(np.cumsum(counts), counts.sum() / 2) < FINE_LEVELS:
        return None, 0.0
    share = float(counts[0] / counts.sum())
    if counts[0] > 3 * counts[1:6].max() and share > 1e-3:
        return float(levels[0]), share
    return None, 0.0


def _stripes(mean: NDArray[np.float64]) -> float | None:
    """Standard deviation of a pattern that all rows of the image share, column by column.

    Each pixel is compared with its neighbours to the left and right; the median over the rows
    leaves what runs through most of the field. It counts where it exceeds what rows that vary on
    their own would leave, if four neighbouring rows are alike.
    """
    rows, columns = mean.shape
    if min(rows, columns) < FEWEST_LINES:
        return None
    bend = mean[:, 1:-1] - (mean[:, :-2] + mean[:, 2:]) / 2
    bend = bend[np.isfinite(bend).all(axis=1)]
    if len(bend) < FEWEST_LINES:
        return None
    common = np.median(bend, axis=0)
    spread = 1.4826 * np.median(np.abs(bend - common), axis=0)
    chance = np.mean((1.25 * spread) ** 2) / (len(bend) / 4)
    power = np.mean(common**2)
    if power <= CLEAR_STRIPES * chance:
        return None
    sd = float(np.sqrt((power - chance) / 1.5))
    return sd if sd > LEAST_STRIPES_SHARE * np.nanstd(mean) else None
