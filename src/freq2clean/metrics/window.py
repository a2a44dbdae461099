"""The 11-wide Gaussian window of SSIM, applied one axis at a time."""

from __future__ import annotations

from typing import Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError

__all__ = ["RADIUS", "FrameWindow", "Padding", "checked_padding", "mass_along", "windowed"]

WIDTH = 11
SIGMA = 1.5
RADIUS = WIDTH // 2

Padding = Literal["zero", "valid"]
Pixel = TypeVar("Pixel", np.float32, np.float64)


def checked_padding(padding: str, length: int, axis: str) -> None:
    """Raise an InputError for an unknown padding, or an axis too short for it."""
    if padding not in get_args(Padding):
        raise InputError(f"padding={padding!r}; it is 'zero' or 'valid'")
    if padding == "valid" and length < WIDTH:
        raise InputError(
            f"{length} {axis} are fewer than the {WIDTH} of the SSIM window; give more {axis}, "
            "or padding='zero' where it is an option"
        )


def _taps() -> NDArray[np.float64]:
    weights = np.exp(-0.5 * ((np.arange(WIDTH) - RADIUS) / SIGMA) ** 2)
    normalised: NDArray[np.float64] = weights / weights.sum()
    return normalised


_TAPS = [float(tap) for tap in _taps()]


def windowed(images: NDArray[Pixel], axis: int, /) -> NDArray[Pixel]:
    """Weighted means along one axis, where the window fits: the axis gets shorter by 10."""
    source = np.moveaxis(images, axis, 0)
    count = len(source) - 2 * RADIUS
    means = source[RADIUS : RADIUS + count] * _TAPS[RADIUS]
    both = np.empty_like(means)
    for lag in range(1, RADIUS + 1):
        before, after = RADIUS - lag, RADIUS + lag
        np.add(source[before : before + count], source[after : after + count], out=both)
        both *= _TAPS[after]
        means += both
    return np.moveaxis(means, 0, axis)


def mass_along(length: int, padding: Padding) -> NDArray[np.float64]:
    """The share of each window that lies within an axis."""
    return windowed(np.pad(np.ones(length), RADIUS if padding == "zero" else 0), 0)


class FrameWindow:
    """The window over the rows and columns of images.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the images.
    padding : "zero" or "valid"
        Zeros beyond the border, or only windows that lie within the image.

    Attributes
    ----------
    mass : ndarray (rows, columns), float64
        The share of each window that lies within the image.
    """

    def __init__(self, shape: tuple[int, int], *, padding: Padding) -> None:
        for length, axis in zip(shape, ("rows", "columns"), strict=True):
            checked_padding(padding, length, axis)
        self._border = RADIUS if padding == "zero" else 0
        self.mass = np.outer(*(mass_along(length, padding) for length in shape))

    def smooth(self, images: NDArray[np.float32], /) -> NDArray[np.float32]:
        """Weighted means (n, rows, columns) of images (n, Y, X)."""
        means = np.empty((len(images), *self.mass.shape), np.float32)
        for image, mean in zip(images, means, strict=True):
            mean[:] = windowed(windowed(np.pad(image, self._border), 0), 1)
        return means
