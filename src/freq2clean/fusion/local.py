"""Weights that differ over the image: where a first estimate shows detail, more of it is let in.

A first estimate weights all places alike. In overlapping patches, each coefficient is then weighted
by the power that the first estimate has there: an empirical Wiener filter in two stages, as in
Ghael, Sayeed and Baraniuk (1997), doi:10.1117/12.292799.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.lapped import Lapped
from freq2clean.fusion.rings import ring_index
from freq2clean.fusion.spaces import space_of

__all__ = ["LocalWeights", "NoiseFinder"]

_DETAIL_PATCH = 8
_NOISE_PATCH = 16
_TINY = float(np.finfo(np.float32).tiny)


class LocalWeights:
    """Weights images of a residual by what a first estimate of each shows."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._lapped = Lapped(shape, _DETAIL_PATCH)

    def __call__(
        self,
        image: Any,
        estimate: Any,
        *,
        noise: NDArray[np.float64],
        leak: NDArray[np.float64],
    ) -> tuple[Any, Any]:
        """One image, weighted, and what that is expected to gain.

        The residual holds ``1 - leak`` of the noise's amplitude, and so the weight that leaves
        least error is 1 less ``(1 - leak) * noise / power``. The gain is estimated twice: by the
        power of the first estimate, which is too small, and by the image's own, which fits its
        noise; their geometric mean is close.

        Parameters
        ----------
        image, estimate : array, (..., Y, X)
            Of the residual, and of the detail in it.
        noise : ndarray, (n_rings,)
            Power of the raw recording's noise.
        leak : ndarray, (..., n_rings)
            Share of its amplitude that is in the denoised recording.

        Returns
        -------
        array, (..., Y, X), float32
        array, (..., 2)
            Sums of squared errors that it corrects, before and after.
        """
        space = space_of(image, estimate)
        own, common = (
            space.array(self._lapped.per_coefficient(power)[..., None, :, :, :])
            for power in ((1 - leak) ** 2 * noise, (1 - leak) * noise)
        )
        found: list[tuple[Any, ...]] = []

        def weigh(values: Any, power: Any) -> Any:
            power *= power
            power += own
            weights = space.at_least(1 - common / space.at_least(power, _TINY), 0)
            weighted = weights * values
            power *= weights
            let_in = space.dots(weights, power)
            fitted = 2 * space.dots(weighted, values) - space.dots(weighted, weighted)
            fitted -= 2 * space.sums(weights * common)
            found.append((let_in, fitted, space.sums(power) - let_in, space.dots(values, values)))
            return weighted

        weighted = self._lapped.change(weigh, image, estimate)
        xp = space.xp
        let_in, fitted, left, total = (
            sum(parts[1:], start=parts[0]) for parts in zip(*found, strict=True)
        )
        gained = xp.sqrt(let_in * space.at_least(fitted, 0))
        image = xp.reshape(image, (*image.shape[:-2], 1, image.shape[-2], 1, image.shape[-1]))
        share = space.dots(image, image) / space.at_least(total, _TINY)
        return weighted, xp.stack([share * (gained + left), share * left], axis=-1)


class NoiseFinder:
    """Finds noise of known power in an image, patch by patch and ring by ring."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._lapped = Lapped(shape, _NOISE_PATCH)
        ring = ring_index((_NOISE_PATCH, _NOISE_PATCH)).ravel()
        self._in_ring = np.equal.outer(ring, np.unique(ring)).astype(np.float32)

    def __call__(
        self, image: NDArray[np.float32], noise: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], float]:
        """Most of the noise, and the sum of squares that taking it away is expected to gain.

        Parameters
        ----------
        image : ndarray, (Y, X)
        noise : ndarray, (n_rings,)
            Power of its noise.
        """
        assumed = self._lapped.per_coefficient(noise)
        assumed[0, 0, 0] = 0
        gained = 0.0

        def find(values: NDArray[np.float32]) -> NDArray[np.float32]:
            nonlocal gained
            power = self._ring_means(values * values)
            np.maximum(power, _TINY, out=power)
            excess = np.minimum(assumed / power, 1)
            gained += float(np.vdot(excess * excess, power))
            noisy: NDArray[np.float32] = values * excess
            return noisy

        found: NDArray[np.float32] = self._lapped.change(find, image)
        return found, gained * self._lapped.share

    def _ring_means(self, squares: NDArray[np.float32]) -> NDArray[np.float32]:
        """The mean over the ring that a coefficient lies in, of its patch."""
        n_rows, size, n_columns, _ = squares.shape
        flat = squares.transpose(0, 2, 1, 3).reshape(-1, size * size)
        means = (flat @ self._in_ring) / self._in_ring.sum(axis=0) @ self._in_ring.T
        patches: NDArray[np.float32] = means.reshape(n_rows, n_columns, size, size)
        return patches.transpose(0, 2, 1, 3).copy()
