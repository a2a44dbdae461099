"""Peak signal-to-noise ratio."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from freq2clean.metrics.normalisation import checked_data_range
from freq2clean.metrics.pairs import FrameStack, blocks_of, checked_shape
from freq2clean.metrics.sums import SquaredSums

__all__ = ["psnr", "psnr_of_sums"]


def psnr_of_sums(
    sums: SquaredSums, *, data_range: float, where: NDArray[np.bool_] | None = None
) -> float:
    """PSNR in dB from the sums of squares, of all pixels or of those in a mask (Y, X)."""
    peak = checked_data_range(data_range)
    chosen = np.ones(sums.error.shape, np.bool_) if where is None else where
    compared = int(sums.compared[chosen].sum())
    if compared == 0:
        return math.nan
    mean_squared_error = float(sums.error[chosen].sum()) / compared
    if mean_squared_error == 0:
        return math.inf
    return 20 * math.log10(peak) - 10 * math.log10(mean_squared_error)


def psnr(truth: FrameStack, recording: FrameStack, /, *, data_range: float) -> float:
    """Peak signal-to-noise ratio, ``10 log10(data_range**2 / mean squared error)``.

    Parameters
    ----------
    truth, recording : array (T, Y, X)
        Integers or floats; sliced lazily along T. Pixels that are not finite are left out.
    data_range : float
        The peak, in the units of the pixels; the original study took the 99.9 % quantile of the
        truth.

    Returns
    -------
    float
        dB; inf if the two are identical, nan if no pixel can be compared.

    Raises
    ------
    InputError
        Shapes that differ, or a data range that is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.zeros((2, 4, 4), np.uint16)
    >>> psnr(truth, truth + 1, data_range=100)
    40.0
    """
    sums = SquaredSums(checked_shape(truth, recording)[1:])
    for block in blocks_of(truth, recording):
        sums.add(*block)
    return psnr_of_sums(sums, data_range=data_range)
