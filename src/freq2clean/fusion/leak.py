"""How much of the noise a denoiser leaves in its output, seen where the residual lacks it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.rings import fine_rings

__all__ = ["leaked_share"]

_ERRORS = 2.0


def leaked_share(
    power: NDArray[np.float64], number: NDArray[np.float64], noise: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The share of the noise's amplitude that is in the denoised recording, at least.

    With a share l of the noise in the denoised recording, the residual holds 1 - l of it, and
    detail that was lost besides: its power is no less than ``(1 - l)**2`` of the noise's. A
    denoiser passes slow fluctuations at least as well as fast ones, so what a band shows holds
    for all below it; the bands just above the mean show most, as little detail is lost there.
    A recording that shakes seems to have more noise in coarse rings than in fine ones, and no ring
    is believed to.

    Parameters
    ----------
    power : ndarray, (n_bands, n_rings)
        Mean squared coefficients of the residual, slow bands first.
    number : ndarray, (n_bands, n_rings)
        Coefficients in each band and ring.
    noise : ndarray, (n_rings,)
        Mean squared coefficients of the raw recording's noise.

    Returns
    -------
    ndarray, (n_bands, n_rings)
        From 0 to 1, on the safe side by twice the sampling error; 0 in ring 0.

    Examples
    --------
    >>> import numpy as np
    >>> power, number = np.array([[1, 3.0], [1, 0.25], [1, 1.0]]), np.full((3, 2), 1e9)
    >>> leaked_share(power, number, np.ones(2)).round(3)
    array([[0. , 0.5],
           [0. , 0.5],
           [0. , 0. ]])
    """
    fine = fine_rings(len(noise))
    finest = number[0, fine] @ noise[fine] / number[0, fine].sum()
    noise = np.minimum(noise, finest)
    most = power * (1 + _ERRORS * np.sqrt(2 / number))
    kept = np.sqrt(np.divide(most, noise, out=np.ones_like(most), where=noise > 0))
    share: NDArray[np.float64] = 1 - np.minimum(kept, 1)
    share = np.maximum.accumulate(share[::-1])[::-1]
    share[:, 0] = 0
    return share
