"""Images in overlapping patches, each of them in spatial frequencies of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from freq2clean.fusion.rings import ring_index
from freq2clean.fusion.spaces import Space, space_of

__all__ = ["Lapped"]


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
        """Values of an image's rings, (..., n_rings), as (..., size, 1, size), for `change`.

        The mean of a patch is a low frequency of the image, as ring 1 is.
        """
        rings = np.maximum(ring_index((self._size, self._size)), 1)
        values: NDArray[np.float32] = per_ring[..., np.minimum(rings, per_ring.shape[-1] - 1)]
        return values.astype(np.float32)[..., None, :]

    def change(self, function: Callable[..., Any], *images: Any) -> Any:
        """The image that has the coefficients which ``function`` makes of those of ``images``.

        It is called on some rows of patches at a time, with an array (..., rows of patches, size,
        columns of patches, size) for each image, or images, (..., Y, X).
        """
        space = space_of(*images)
        strips = [self._strips(space, image) for image in images]
        changed = space.zeros(strips[0].shape, space.xp.float32)
        lead = strips[0].shape[:-3]
        n_values = math.prod(lead) * self._n_patches[1] * self._size**2
        step = max(1, space.values_at_once // n_values)
        for first in range(0, self._n_patches[0], step):
            rows = slice(first, min(first + step, self._n_patches[0]) + 1)
            coefficients = function(*(self._forward(space, x[..., rows, :, :]) for x in strips))
            self._add(space, coefficients, changed[..., rows, :, :])
        flat = space.xp.reshape(changed, (*lead, -1, changed.shape[-1]))
        y, x = (slice(self._half, self._half + n) for n in self._shape)
        return flat[..., y, x]

    def _strips(self, space: Space, image: Any) -> Any:
        """The image with margins, in which it is mirrored, cut into strips half a patch high."""
        xp, half = space.xp, self._half
        padded = space.floats(image)
        for axis, n in zip((-2, -1), self._shape, strict=True):
            places = np.arange(-half, n + half + -n % half) % (2 * n)
            mirrored = np.minimum(places, 2 * n - 1 - places)
            padded = xp.take(padded, space.array(mirrored), axis=axis)
        return xp.reshape(padded, (*image.shape[:-2], -1, half, padded.shape[-1]))

    def _forward(self, space: Space, strips: Any) -> Any:
        xp, matrix = space.xp, self._matrix_in(space)
        pairs = xp.concat([strips[..., :-1, :, :], strips[..., 1:, :, :]], axis=-2)
        rows = matrix @ pairs
        blocks = xp.reshape(rows, (*rows.shape[:-1], -1, self._half))
        pairs = xp.concat([blocks[..., :-1, :], blocks[..., 1:, :]], axis=-1)
        coefficients = xp.reshape(pairs, (-1, self._size)) @ xp.matrix_transpose(matrix)
        return xp.reshape(coefficients, pairs.shape)

    def _add(self, space: Space, coefficients: Any, strips: Any) -> None:
        """Add the patches that have these coefficients."""
        xp, half, matrix = space.xp, self._half, self._matrix_in(space)
        *lead, n_columns, size = coefficients.shape
        blocks = xp.reshape(coefficients, (-1, size)) @ (matrix / 4)
        blocks = xp.reshape(blocks, coefficients.shape)
        rows = space.zeros((*lead, n_columns + 1, half), xp.float32)
        rows[..., :-1, :] = blocks[..., :half]
        rows[..., 1:, :] += blocks[..., half:]
        both = xp.matrix_transpose(matrix) @ xp.reshape(rows, (*lead, -1))
        strips[..., :-1, :, :] += both[..., :half, :]
        strips[..., 1:, :, :] += both[..., half:, :]

    def _matrix_in(self, space: Space) -> Any:
        return space.constant(("lapped", self._size), lambda: self._matrix)
