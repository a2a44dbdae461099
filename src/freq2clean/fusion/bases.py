"""Orthonormal temporal bases: a few rows of the real DFT and of the DCT-II."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError

__all__ = ["dct_basis", "rfft_basis", "temporal_bands"]

_BAND_RATIO = 1.35


def dct_basis(n_frames: int, n_bins: int) -> NDArray[np.float64]:
    """The first ``n_bins`` rows of the orthonormal DCT-II of ``n_frames`` frames.

    Row k has the frequency k / (2 n_frames) cycles per frame; row 0 is the mean times
    sqrt(n_frames).

    Returns
    -------
    ndarray, (n_bins, n_frames), float64
    """
    if not 1 <= n_bins <= n_frames:
        raise InputError(f"{n_bins} DCT bins asked for; a window of {n_frames} frames has them all")
    bins = np.arange(n_bins)[:, None]
    phase = np.pi / n_frames * bins * (np.arange(n_frames) + 0.5)
    rows: NDArray[np.float64] = np.sqrt(2 / n_frames) * np.cos(phase)
    rows[0] = np.sqrt(1 / n_frames)
    return rows


def rfft_basis(n_frames: int, bin_: int) -> NDArray[np.float64]:
    """The orthonormal rows that span one bin of the real DFT of ``n_frames`` frames.

    Returns
    -------
    ndarray, (1 or 2, n_frames), float64
        One row for the mean and for the Nyquist bin; cosine and minus sine for the others, the
        real and the imaginary part of ``exp(-2 pi i bin t / n_frames)``.
    """
    if not 0 <= bin_ <= n_frames // 2:
        raise InputError(
            f"DFT bin {bin_} asked for; a window of {n_frames} frames has bins 0 to {n_frames // 2}"
        )
    phase = 2 * np.pi / n_frames * ((bin_ * np.arange(n_frames)) % n_frames)
    parts = [np.cos(phase)] if bin_ in (0, n_frames / 2) else [np.cos(phase), -np.sin(phase)]
    rows: NDArray[np.float64] = np.stack(parts) * np.sqrt(len(parts) / n_frames)
    return rows


def temporal_bands(n_bins: int) -> list[int]:
    """First bins of groups of temporal bins: the mean alone, then growing by a ratio of 1.35."""
    edges = [0]
    edge = 1
    while edge < n_bins:
        edges.append(edge)
        edge = max(edge + 1, int(np.ceil(edge * _BAND_RATIO)))
    return edges
