"""Temporal weights of a short run of frames: many smooth rows are mixtures of a few."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.parallel import one_blas_thread, scratch

__all__ = ["RUN_FRAMES", "Rows"]

RUN_FRAMES = 128


@dataclass(frozen=True, eq=False)
class Rows:
    """Weights (K, n) for n frames, as ``mixing @ few`` where that costs less.

    The slow rows of a basis are nearly polynomials within a short run of frames. So they span few
    dimensions: to float32 precision, the first 24 rows of the DCT-II of 3000 frames span 8 within
    128 frames, the first 200 span 20.

    Parameters
    ----------
    few : ndarray, (r, n), float32
    mixing : ndarray, (K, r), float32, or None
        None where ``few`` are the weights themselves.
    """

    few: NDArray[np.float32]
    mixing: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, weights: NDArray[Any]) -> Rows:
        """From the weights (K, n); n of about `RUN_FRAMES` or less serves best."""
        with one_blas_thread():
            left, strengths, right = np.linalg.svd(weights, full_matrices=False)
        rank = np.count_nonzero(strengths > np.finfo(np.float32).eps * strengths[0])
        if rank * sum(weights.shape) >= weights.size:
            return cls(np.ascontiguousarray(weights, np.float32))
        few, mixing = right[:rank], left[:, :rank] * strengths[:rank]
        return cls(few.astype(np.float32), mixing.astype(np.float32))

    @cached_property
    def is_plain(self) -> bool:
        """Whether there is one row and it weights every frame alike."""
        return len(self.few) == 1 and self.mixing is None and bool(np.ptp(self.few) == 0)

    def project(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """``weights @ values`` of frames (n, pixels), in this thread's scratch."""
        projected = np.matmul(self.few, values, out=_scratch("few", self.few, values))
        if self.mixing is None:
            return projected
        return np.matmul(self.mixing, projected, out=_scratch("many", self.mixing, values))

    def expand(self, images: NDArray[np.float32], *, out: NDArray[np.float32]) -> None:
        """``weights.T @ images`` of (K, pixels), into frames ``out`` (n, pixels)."""
        if self.mixing is not None:
            mixing = self.mixing.T
            images = np.matmul(mixing, images, out=_scratch("few", mixing, images))
        np.matmul(self.few.T, images, out=out)

    def __getitem__(self, frames: slice) -> Rows:
        return Rows(self.few[:, frames], self.mixing)


def _scratch(name: str, left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.float32]:
    """Room for the product of two matrices."""
    return scratch(name, (left.shape[0], right.shape[1]))
