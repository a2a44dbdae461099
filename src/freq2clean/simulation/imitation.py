"""An imitated denoiser with known faults, to judge fusion by."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter, uniform_filter1d

from freq2clean.errors import InputError

__all__ = ["imitate_denoiser"]

LEAK_FRAMES = 7
LEAK_SIGMA_PX = 1.0


def imitate_denoiser(
    truth: ArrayLike,
    raw: ArrayLike,
    /,
    *,
    blur_px: float = 1.5,
    blur_frames: float = 1.0,
    leak: float = 0.5,
) -> NDArray[np.float32]:
    """What a trained denoiser would leave: a blurred truth, and some of the noise.

    Parameters
    ----------
    truth, raw : array_like (T, Y, X)
        The noise-free and the noisy recording, in the same units.
    blur_px, blur_frames : float
        Standard deviations of the Gaussian blur of the truth, in space and in time.
    leak : float
        Share of the low-pass filtered noise (mean of 7 frames, Gaussian of 1 pixel) that
        stays in.

    Returns
    -------
    (T, Y, X) float32

    Raises
    ------
    InputError
        Where the shapes differ or are not (T, Y, X), or an option is negative.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.full((16, 8, 8), 100.0, np.float32)
    >>> raw = np.random.default_rng(0).poisson(truth)
    >>> quiet = imitate_denoiser(truth, raw)
    >>> bool((quiet - truth).std() < 0.2 * (raw - truth).std())
    True
    """
    truth, raw = np.asarray(truth, np.float32), np.asarray(raw)
    if truth.shape != raw.shape or truth.ndim != 3:
        raise InputError(
            f"truth {truth.shape} and raw {raw.shape}: both must have the same shape (T, Y, X)"
        )
    for name, value in (("blur_px", blur_px), ("blur_frames", blur_frames), ("leak", leak)):
        if not value >= 0:
            raise InputError(f"{name}={value}: must be zero or more")
    blurred = gaussian_filter(truth, (blur_frames, blur_px, blur_px))
    noise = uniform_filter1d(raw - truth, LEAK_FRAMES, axis=0)
    leaked = gaussian_filter(noise, (0, LEAK_SIGMA_PX, LEAK_SIGMA_PX))
    return np.asarray(blurred + np.float32(leak) * leaked, np.float32)
