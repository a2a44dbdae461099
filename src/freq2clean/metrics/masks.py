"""ROIs in any of their forms as one sparse matrix."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from freq2clean.errors import InputError

__all__ = ["Masks", "members"]

Masks: TypeAlias = ArrayLike | sparse.sparray
"""Label image (Y, X), masks (n, Y, X) of bool, or a sparse matrix (n, Y * X); ROIs of the last two
may overlap."""


def members(masks: Masks, /) -> sparse.csr_array:
    """Which pixels belong to which ROI.

    Parameters
    ----------
    masks : array (Y, X) of int, array (n, Y, X) of bool, or sparse (n, Y * X)
        A label image (0: background; ROIs in the order of their labels), one mask for each ROI, or
        footprints: a pixel belongs to an ROI where its value is not 0.

    Returns
    -------
    csr_array (n, Y * X), float64
        Ones.

    Raises
    ------
    InputError
        Other shapes or types.

    Examples
    --------
    >>> members([[0, 7], [2, 7]]).toarray().tolist()
    [[0.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]]
    """
    if sparse.issparse(masks):
        matrix = sparse.csr_array(masks, copy=True)
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        return _ones(matrix.indptr, matrix.indices, matrix.shape)
    array: NDArray[Any] = np.asarray(masks)
    if array.ndim not in (2, 3) or array.dtype.kind not in "biu":
        raise InputError(
            f"masks of shape {array.shape} and type {array.dtype}; give a label image (rows, "
            "columns) of integers, one mask for each ROI (ROIs, rows, columns), or a sparse matrix "
            "(ROIs, pixels)"
        )
    n_pixels = array.shape[-2] * array.shape[-1]
    if array.ndim == 3:
        n_rois, (roi, pixel) = len(array), np.nonzero(array.reshape(len(array), n_pixels))
    else:
        pixel = np.flatnonzero(array)
        labels, roi = np.unique(array.ravel()[pixel], return_inverse=True)
        n_rois, order = len(labels), np.argsort(roi, kind="stable")
        roi, pixel = roi[order], pixel[order]
    starts = np.searchsorted(roi, np.arange(n_rois + 1))
    return _ones(starts, pixel, (n_rois, n_pixels))


def _ones(starts: Any, pixels: Any, shape: tuple[int, int]) -> sparse.csr_array:
    return sparse.csr_array((np.ones(len(pixels)), pixels, starts), shape=shape)
