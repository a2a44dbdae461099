"""Where the content of a recording lies in each frame, and whether it moves at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, idct

from freq2clean.fusion.bases import temporal_bands
from freq2clean.fusion.wiener import shrinkage

__all__ = ["Motion", "is_motion", "shrink_course"]

LEAST_MOTION_PX = 0.1
LEAST_ERRORS = 4.0


@dataclass(frozen=True, eq=False)
class Motion:
    """Rigid motion of a raw recording and of its denoised version.

    Parameters
    ----------
    raw_px, denoised_px : (T, 2) float64
        How far the content of each frame lies from its place in the common frame: rows and
        columns. All zero where a recording is not seen to move.
    error_px : float or None
        Standard error per axis of a shift as measured, before its course was smoothed; None where
        none could be measured.
    group_frames : int
        Frames that were averaged for one shift.
    why_not : str
        Why there is nothing to register; empty where there is.
    """

    raw_px: NDArray[np.float64]
    denoised_px: NDArray[np.float64]
    error_px: float | None = None
    group_frames: int = 1
    why_not: str = ""

    @classmethod
    def none(cls, n_frames: int, why: str, **found: Any) -> Motion:
        """Of a recording that is not to be registered."""
        still = np.zeros((n_frames, 2))
        return cls(still, still, why_not=why, **found)

    @property
    def is_still(self) -> bool:
        return bool(self.why_not)

    @property
    def lag_px(self) -> NDArray[np.float64]:
        """How far the denoised recording has to move to be where the raw one is: (T, 2)."""
        return self.raw_px - self.denoised_px

    def summary(self) -> dict[str, Any]:
        """What was found, JSON-serialisable."""
        return {
            "registered": not self.is_still,
            "why_not": self.why_not,
            "max_shift_px": float(np.hypot(*self.raw_px.T).max()),
            "rms_shift_px": rms(self.raw_px),
            "rms_lag_of_denoised_px": rms(self.lag_px),
            "error_px": self.error_px,
            "frames_per_shift": self.group_frames,
        }


def rms(course: NDArray[np.float64]) -> float:
    """Root mean square distance (n, 2) from the mean position."""
    return float(np.sqrt(np.mean(np.sum((course - course.mean(axis=0)) ** 2, axis=1))))


def is_motion(course: NDArray[np.float64], error_px: float) -> bool:
    """Whether a shrunk course (n, 2) is more than its errors make of none, and worth a move."""
    return bool(rms(course) >= max(LEAST_MOTION_PX, LEAST_ERRORS * error_px / len(course) ** 0.5))


def shrink_course(
    measured: NDArray[np.float64], error_px: float, /, *, n_errors: int
) -> NDArray[np.float64]:
    """A course of shifts with less of its measurement error, band by band of its frequencies.

    Weights are those of `freq2clean.fusion.wiener.shrinkage`: a drift is smoothed, a shake that
    stands out of the error is kept, and what does not stand out is not believed.

    Parameters
    ----------
    measured : (n, 2) float64
    error_px : float
        Standard error per axis of each shift, independent of each other.
    n_errors : int
        Values that the error was estimated from.

    Examples
    --------
    >>> import numpy as np
    >>> course = np.linspace(-3, 3, 400)[:, None] * np.ones(2)
    >>> measured = course + np.random.default_rng(0).normal(0, 0.5, course.shape)
    >>> shrunk = shrink_course(measured, 0.5, n_errors=500)
    >>> bool(np.sqrt(np.mean((shrunk - course) ** 2)) < 0.1)
    True
    """
    spectrum = dct(measured, axis=0, norm="ortho")
    bands = temporal_bands(len(measured))
    width = np.diff([*bands, len(measured)])
    power = np.add.reduceat(spectrum**2, bands, axis=0) / width[:, None]
    weights = shrinkage(
        power, np.array(error_px**2), width[:, None], noise_error=float(np.sqrt(2 / n_errors))
    )
    weights[0] = 1
    course: NDArray[np.float64] = idct(
        spectrum * np.repeat(weights, width, axis=0), axis=0, norm="ortho"
    )
    return course
