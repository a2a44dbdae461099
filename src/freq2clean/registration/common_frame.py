"""The frame in which a recording that moves is still: somewhat larger than the field of view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freq2clean.registration.interpolation import inside, sample

__all__ = ["CommonFrame"]

COVERED = 0.995

Frame = NDArray[np.float32]
Shift = NDArray[np.float64]


@dataclass(frozen=True)
class CommonFrame:
    """A canvas that holds what the field of view sees in nearly every frame.

    Parameters
    ----------
    field : (int, int)
        Rows and columns of a frame.
    shape : (int, int)
        Of the canvas.
    origin : (int, int)
        Where the field's first pixel lies on the canvas while nothing is shifted.
    """

    field: tuple[int, int]
    shape: tuple[int, int]
    origin: tuple[int, int]

    @classmethod
    def around(cls, field: tuple[int, int], shifts_px: NDArray[np.float64]) -> CommonFrame:
        """Such that at most 0.5 % of the frames reach beyond it on each side.

        Examples
        --------
        >>> import numpy as np
        >>> CommonFrame.around((64, 64), np.array([[-2.5, 0.0], [0.0, 0.0], [4.0, 0.0]]))
        CommonFrame(field=(64, 64), shape=(71, 64), origin=(4, 0))
        """
        low, high = np.quantile(shifts_px, (1 - COVERED, COVERED), axis=0, method="inverted_cdf")
        before, after = (np.ceil(np.maximum(x, 0)).astype(int).tolist() for x in (high, -low))
        return cls(
            field,
            (field[0] + before[0] + after[0], field[1] + before[1] + after[1]),
            (before[0], before[1]),
        )

    def bring(self, frame: Frame, shift: Shift) -> Frame:
        """A frame (field) on the canvas (shape), beyond its edges as at them."""
        return sample(frame, shift - self.origin, self.shape)

    def sees(self, shift: Shift) -> NDArray[np.bool_]:
        """Which pixels of the canvas lie in the field."""
        return self._both(self.field, shift - self.origin, self.shape)

    def bring_back(self, image: Frame, shift: Shift) -> Frame:
        """A canvas (shape) in the field, beyond its edges as at them."""
        return sample(image, np.asarray(self.origin) - shift, self.field)

    def reaches(self, shift: Shift) -> NDArray[np.bool_]:
        """Which pixels of the field lie on the canvas."""
        return self._both(self.shape, np.asarray(self.origin) - shift, self.field)

    @staticmethod
    def _both(size: tuple[int, int], start: Shift, shape: tuple[int, int]) -> NDArray[np.bool_]:
        rows, columns = (
            inside(n, float(first), points)
            for n, first, points in zip(size, start, shape, strict=True)
        )
        both: NDArray[np.bool_] = np.logical_and.outer(rows, columns)
        return both
