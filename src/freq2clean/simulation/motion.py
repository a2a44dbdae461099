"""Rigid motion of the tissue under the objective, to fractions of a pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_shifts", "margin_for", "view"]

LOBES = 3
MARGIN_STEP = 32


def draw_shifts(
    rng: np.random.Generator, n_frames: int, *, drift_px: float, jitter_px: float
) -> NDArray[np.float64]:
    """Displacement (n_frames, 2) of the tissue in rows and columns, in pixels.

    The drift is linear, centred on the middle of the recording, along a direction drawn from
    the seed; the jitter is drawn per frame and axis, with standard deviation ``jitter_px``.
    """
    angle = rng.uniform(0, 2 * np.pi)
    progress = np.linspace(-0.5, 0.5, n_frames) if n_frames > 1 else np.zeros(1)
    drift = drift_px * progress[:, None] * np.array([np.sin(angle), np.cos(angle)])
    return np.asarray(drift + jitter_px * rng.standard_normal((n_frames, 2)))


def margin_for(shifts_px: NDArray[np.float64]) -> int:
    """Pixels of tissue needed around the field of view, in coarse steps.

    Coarse, so that a seed gives the same tissue whether it stays still or moves a little.
    """
    reach = np.abs(shifts_px).max(initial=0.0) + LOBES + 1
    return MARGIN_STEP * int(np.ceil(reach / MARGIN_STEP))


def view(
    tissue: NDArray[np.float32], shift_px: NDArray[np.float64], margin: int
) -> NDArray[np.float32]:
    """The field of view: ``tissue`` without its margin, displaced by ``shift_px`` (2,).

    Lanczos interpolation over six pixels per axis; whole pixels are copied as they are.
    """
    for axis, shift in enumerate(shift_px):
        tissue = _shift_axis(tissue, axis, margin - float(shift), margin)
    return np.maximum(tissue, 0)


def _shift_axis(
    image: NDArray[np.float32], axis: int, start: float, margin: int
) -> NDArray[np.float32]:
    size = image.shape[axis] - 2 * margin
    whole = int(np.floor(start))
    taps = np.arange(1 - LOBES, LOBES + 1)
    distance = start - whole - taps
    weights = np.sinc(distance) * np.sinc(distance / LOBES)
    weights = (weights / weights.sum()).astype(np.float32)
    image = np.moveaxis(image, axis, 0)
    out = np.zeros((size, *image.shape[1:]), np.float32)
    for tap, weight in zip(taps, weights, strict=True):
        if abs(weight) > 1e-7:
            out += weight * image[whole + tap : whole + tap + size]
    return np.moveaxis(out, 0, axis)
