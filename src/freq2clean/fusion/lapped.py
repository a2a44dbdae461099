"""Images in overlapping patches, each of them in spatial frequencies of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from freq2clean.fusion.rings import ring_index

__all__ = ["Lapped"]

_VALUES_AT_ONCE = 1 << 18


class Lapped:
    """Square patches that overlap by half, under a sine taper, each as its DCT-II.

    White noise has the same variance in every coefficient as in the pixels, and what is transformed
    forward and back is the same image. There are four times as many coefficients as pixels, and
    some more at the borders, where the image is mirrored.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the image.
    size : int
        Rows and columns of a patch, even.

    Attributes
    ----------
    share : float
        Pixels per coefficient.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).random((20, 31), np.float32)
    >>> halved = Lapped(image.shape, 8).change(lambda values: values / 2, image)
    >>> bool(np.allclose(halved, image / 2, atol=1e-6))
    True
    """

    def __init__(self, shape: tuple[int, int], size: int) -> None:
        self._shape = shape
        self._size, self._half = size, size // 2
        taper = np.sqrt(2) * np.sin(np.pi * (np.arange(size) + 0.5) / size)
        self._matrix = (dct(np.eye(size), axis=0, norm="ortho") * taper).astype(np.float32)
        self._n_patches = [-(-n // self._half) + 1 for n in shape]
        self.share = shape[0] * shape[1] / float(np.prod(self._n_patches) * size**2)

    def per_coefficient(self, per_ring: NDArray[Any]) -> NDArray[np.float32]:
        """Values of an image's rings, (n_rings,), as (size, 1, size), for `change`.

        The mean of a patch is a low frequency of the image, as ring 1 is.
        """
        rings = np.maximum(ring_index((self._size, self._size)), 1)
        values: NDArray[np.float32] = per_ring[np.minimum(rings, len(per_ring) - 1)]
        return values.astype(np.float32)[:, None]

    def change(
        self, function: Callable[..., NDArray[np.float32]], *images: NDArray[Any]
    ) -> NDArray[np.float32]:
        """The image that has the coefficients which ``function`` makes of those of ``images``.

        It is called on some rows of patches at a time, with an array (rows of patches, size,
        columns of patches, size) for each image, (Y, X).
        """
        strips = [self._strips(image) for image in images]
        changed = np.zeros_like(strips[0])
        step = max(1, _VALUES_AT_ONCE // (self._n_patches[1] * self._size**2))
        for first in range(0, self._n_patches[0], step):
            rows = slice(first, min(first + step, self._n_patches[0]) + 1)
            self._add(function(*(self._forward(x[rows]) for x in strips)), changed[rows])
        inside = slice(self._half, self._half + self._shape[1])
        return changed.reshape(-1, changed.shape[2])[self._half :][: self._shape[0], inside]

    def _strips(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """The image with margins, cut into strips half a patch high."""
        half = self._half
        margins = [(half, half + -n % half) for n in self._shape]
        padded = np.pad(image.astype(np.float32, copy=False), margins, mode="symmetric")
        return padded.reshape(-1, half, padded.shape[1])

    def _forward(self, strips: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = self._matrix @ np.concatenate([strips[:-1], strips[1:]], axis=1)
        blocks = rows.reshape(*rows.shape[:2], -1, self._half)
        pairs = np.concatenate([blocks[:, :, :-1], blocks[:, :, 1:]], axis=3)
        coefficients: NDArray[np.float32] = pairs.reshape(-1, self._size) @ self._matrix.T
        return coefficients.reshape(pairs.shape)

    def _add(self, coefficients: NDArray[np.float32], strips: NDArray[np.float32]) -> None:
        """Add the patches that have these coefficients."""
        n_rows, size, n_columns, _ = coefficients.shape
        half = self._half
        matrix = self._matrix / np.float32(4)
        blocks = (coefficients.reshape(-1, size) @ matrix).reshape(coefficients.shape)
        rows = np.zeros((n_rows, size, n_columns + 1, half), np.float32)
        rows[:, :, :-1] = blocks[..., :half]
        rows[:, :, 1:] += blocks[..., half:]
        both = self._matrix.T @ rows.reshape(n_rows, size, -1)
        strips[:-1] += both[:, :half]
        strips[1:] += both[:, half:]
