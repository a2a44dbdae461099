"""Alignment of averages that come in two halves, whose noise is not the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from freq2clean.registration.correlation import Spectrum, register, shifted

__all__ = ["align_halves", "standard_error"]


def align_halves(spectra: Spectrum, /) -> tuple[NDArray[np.float64], Spectrum]:
    """Register averages (C, 2, y, x), each in two halves, to a template made of them.

    Each half is registered to the aligned average of the *other* half of all of them, whose noise
    is not its own.

    Returns
    -------
    shifts : (C, 2, 2) float64
        Of each average, each half: rows and columns.
    template : (2, y, x)
        Spectra of the two halves' aligned averages.
    """
    middle = spectra[len(spectra) // 2]
    shifts = np.stack([register(spectra[:, h], middle[1 - h]) for h in (0, 1)], axis=1)
    common = np.median(shifts, axis=1)
    for _ in range(2):
        template = np.stack([shifted(spectra[:, h], -common).mean(axis=0) for h in (0, 1)])
        shifts = np.stack([register(spectra[:, h], template[1 - h]) for h in (0, 1)], axis=1)
        common = shifts.mean(axis=1)
    return shifts, template


def standard_error(one: NDArray[np.float64], two: NDArray[np.float64], /) -> float:
    """Standard error per axis of the mean of two independent estimates (n, 2), n at least 2."""
    difference = one - two
    difference = difference - difference.mean(axis=0)
    return float(np.sqrt(np.mean(difference**2) * len(one) / (len(one) - 1)) / 2)
