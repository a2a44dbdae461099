"""What a detector adds to every frame and no tissue does: offsets of whole lines, hot pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from freq2clean.fusion.bases import dct_basis
from freq2clean.fusion.spaces import space_of

__all__ = ["LineOffsets", "bad_pixels", "fill_in", "find_line_offsets"]

_WIDTH = 15
_NEIGHBOURS = 4
_LEAST_RATIO = 2.5
_MOST_TIMES_TYPICAL = 6.0
_LEAST_ERRORS = 6.0
_LEAST_CONTRAST = 8.0
_AROUND = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]


@dataclass(frozen=True, eq=False)
class LineOffsets:
    """Offsets of the rows or columns of an image.

    Parameters
    ----------
    values : ndarray, (n_lines,)
    n_lines : int
        How many are clearly larger than structure and noise explain.
    """

    values: NDArray[np.float64]
    n_lines: int

    @property
    def sd(self) -> float:
        """Standard deviation over lines."""
        return float(self.values.std())

    def per_frame(self, n_frames: int) -> LineOffsets:
        """Those of a frame, from those of the first bin of as many."""
        return LineOffsets(self.values / np.sqrt(n_frames), self.n_lines)


def find_line_offsets(image: Any) -> LineOffsets:
    """What the rows of an image have from edge to edge, beyond what its structure explains.

    Offsets show in the mean of each row, against the rows beside it. So does structure, but no
    more than in the coefficients of the DCT along the rows that vary slowly. Where the means have
    2.5 times their power or more, in the median over rows, there are offsets (more, where few rows
    are independent): the excess against the median of the 15 rows around is taken for them. A row
    that stands out from the others is left: it may hold a process.

    Transpose the image for columns.

    Parameters
    ----------
    image : array, (Y, X)

    Returns
    -------
    LineOffsets
        All 0 where there is no such excess.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> offsets = rng.normal(0, 1, 128)
    >>> found = find_line_offsets(rng.normal(0, 1, (128, 128)) + offsets[:, None])
    >>> bool(np.corrcoef(found.values, offsets)[0, 1] > 0.9)
    True
    """
    n_rows, n_columns = image.shape
    if n_columns <= _NEIGHBOURS or n_rows < 3 * _WIDTH:
        return LineOffsets(np.zeros(n_rows), 0)
    space = space_of(image)
    slow = space.constant(
        ("slow", n_columns, str(space.real)), lambda: dct_basis(n_columns, _NEIGHBOURS + 1).T
    )
    there = space.xp.astype(image, space.real) @ space.xp.astype(slow, space.real)
    profiles = space.host(there).astype(np.float64)
    if not _has_excess(np.diff(profiles, n=2, axis=0)):
        return LineOffsets(np.zeros(n_rows), 0)
    profiles -= median_filter(profiles, (_WIDTH, 1), mode="nearest")
    own, beside = _typical(profiles)
    if own <= beside:
        return LineOffsets(np.zeros(n_rows), 0)
    values = (1 - (beside / own) ** 2) * profiles[:, 0]
    values[np.abs(profiles[:, 0]) > _MOST_TIMES_TYPICAL * own] = 0
    n_lines = int(np.sum(np.abs(values) > 3 * beside))
    return LineOffsets(values / np.sqrt(n_columns), n_lines)


def _has_excess(profiles: NDArray[np.float64]) -> bool:
    """Whether the means of the rows have clearly more power than what varies along them."""
    own, beside = _typical(profiles)
    n_independent = _n_independent(np.clip(profiles[:, 0], -3 * own, 3 * own))
    least = max(_LEAST_RATIO, 1 + 16 * np.sqrt(2 / n_independent))
    return bool(own**2 > least * beside**2)


def _typical(profiles: NDArray[np.float64]) -> tuple[float, float]:
    """Median size of the first column, and of the others."""
    sizes = np.abs(profiles)
    return float(np.median(sizes[:, 0])), float(np.median(sizes[:, 1:]))


def _n_independent(profile: NDArray[np.float64]) -> float:
    """How many independent values give as sure a mean square as these do."""
    lags = range(min(_WIDTH, profile.size))
    covariances = np.array([profile[k:] @ profile[: profile.size - k] for k in lags])
    power = covariances[0]
    if power == 0:
        return float(profile.size)
    return float(profile.size / (1 + 2 * np.sum((covariances[1:] / power) ** 2)))


def bad_pixels(mean: Any, error: float) -> NDArray[np.bool_]:
    """Single pixels of a raw mean image that stand out as no point source does.

    The image of a point reaches the pixels around it. A pixel is bad where it differs from the
    median of the eight around it by more than six standard errors and by more than eight times
    what any of these do.

    Parameters
    ----------
    mean : array, (Y, X)
    error : float
        Standard error of a pixel.

    Returns
    -------
    ndarray, (Y, X), bool

    Examples
    --------
    >>> import numpy as np
    >>> mean = np.random.default_rng(0).normal(100, 1, (32, 32))
    >>> mean[4, 7] += 50
    >>> np.argwhere(bad_pixels(mean, 1.0)).tolist()
    [[4, 7]]
    """
    space = space_of(mean)
    xp, views = space.xp, _around(mean)
    highest, lowest = reduce(xp.maximum, views), reduce(xp.minimum, views)
    # The median is between these, and half of what is between them away from one at least.
    beyond = xp.maximum(mean - highest, lowest - mean)
    possible = space.host(beyond > (_LEAST_CONTRAST / 2 - 1) * (highest - lowest))
    places = np.flatnonzero(possible)
    around = _values_at(views, places)
    level = np.median(around, axis=0)
    contrast = np.abs(around - level).max(axis=0)
    stands_out = np.abs(_values_at([mean], places)[0] - level)
    bad = np.zeros(possible.shape, np.bool_)
    bad.flat[places] = stands_out > np.maximum(_LEAST_ERRORS * error, _LEAST_CONTRAST * contrast)
    return bad


def fill_in(images: Any, bad: NDArray[np.bool_]) -> Any:
    """Images (K, Y, X) with the median of the pixels around in place of bad ones."""
    if not bad.any():
        return images
    space, places = space_of(images), np.flatnonzero(bad)
    values = space.array(np.median(_values_at(_around(images), places), axis=0))
    filled = space.xp.astype(images, images.dtype, copy=True)
    flat = space.xp.reshape(filled, (images.shape[0], bad.size))
    for n, place in enumerate(places.tolist()):
        flat[:, place] = values[:, n]
    return filled


def _around(images: Any) -> list[Any]:
    """The eight pixels around each, as eight times (..., Y, X); images are mirrored at edges."""
    space, (height, width) = space_of(images), images.shape[-2:]
    for axis, n in ((-2, height), (-1, width)):
        places = np.clip(np.arange(-1, n + 1), 0, n - 1)
        images = space.xp.take(images, space.array(places), axis=axis)
    return [images[..., 1 + y : 1 + y + height, 1 + x : 1 + x + width] for y, x in _AROUND]


def _values_at(images: Sequence[Any], places: NDArray[np.intp]) -> NDArray[Any]:
    """What each of some images (..., Y, X) has at a few pixels, (n_images, ..., n)."""
    space = space_of(*images)
    there = space.array(places)
    lead, n_pixels = images[0].shape[:-2], images[0].shape[-2] * images[0].shape[-1]
    flat = (space.xp.reshape(image, (*lead, n_pixels)) for image in images)
    return space.host(space.xp.stack([space.xp.take(x, there, axis=-1) for x in flat]))
