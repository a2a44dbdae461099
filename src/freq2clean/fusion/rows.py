"""Temporal weights of a short run of frames: many smooth rows are mixtures of a few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.parallel import one_blas_thread
from freq2clean.fusion.spaces import HOST, Space

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
    few : array, (r, n), float32
    mixing : array, (K, r), float32, or None
        None where ``few`` are the weights themselves.
    space : Space
        Where they are.
    constant : float, optional
        The weight of every frame alike, where there is one row that has one.
    """

    few: Any
    mixing: Any = None
    space: Space = HOST
    constant: float | None = None

    @classmethod
    def of(cls, weights: NDArray[Any], space: Space = HOST) -> Rows:
        """From the weights (K, n); n of about `RUN_FRAMES` or less serves best.

        Products are cheap on a device, and the few rows are not looked for there.
        """
        few = np.ascontiguousarray(weights, np.float32)
        if len(few) == 1 and np.ptp(few) == 0:
            return cls(space.array(few), space=space, constant=float(few[0, 0]))
        if not space.is_host:
            return cls(space.array(few), space=space)
        with one_blas_thread():
            left, strengths, right = np.linalg.svd(weights, full_matrices=False)
        rank = np.count_nonzero(strengths > np.finfo(np.float32).eps * strengths[0])
        if rank * sum(weights.shape) >= weights.size:
            return cls(few)
        mixing = left[:, :rank] * strengths[:rank]
        return cls(right[:rank].astype(np.float32), mixing.astype(np.float32))

    @property
    def is_plain(self) -> bool:
        """Whether there is one row and it weights every frame alike."""
        return self.constant is not None

    def project(self, values: Any) -> Any:
        """``weights @ values`` of frames (n, pixels), in this thread's scratch on the host."""
        projected = self.space.product("few", self.few, values)
        if self.mixing is None:
            return projected
        return self.space.product("many", self.mixing, projected)

    def expand(self, images: Any, *, level: Any, out: Any) -> None:
        """``level + weights.T @ images`` of (K, pixels), into frames ``out`` (n, pixels)."""
        if self.mixing is not None:
            images = self.space.product("few", self.mixing.T, images)
        self.space.add_product(level, self.few.T, images, out=out)

    def __getitem__(self, frames: slice) -> Rows:
        return Rows(self.few[:, frames], self.mixing, self.space, self.constant)
