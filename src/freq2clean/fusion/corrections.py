"""Step 3, apply: a few images times a few temporal courses, added to frames of the denoised."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.parallel import scratch
from freq2clean.fusion.regression import Detail
from freq2clean.fusion.rows import Rows
from freq2clean.fusion.windows import Window

__all__ = ["Correction"]

_RUN_FRAMES = 64


@dataclass(frozen=True, eq=False)
class Correction:
    """What one window adds to the denoised recording: ``courses.T @ images``.

    Parameters
    ----------
    window : Window
    courses : ndarray, (K, window.n_frames), float32
        Rows of the temporal basis, times the window's taper.
    images : ndarray, (K, Y, X), float32
        The corrections of the coefficient images.
    detail : Detail, optional
        What the window adds besides, by the denoised recording's own courses.
    """

    window: Window
    courses: NDArray[np.float32]
    images: NDArray[np.float32]
    detail: Detail | None = None

    @classmethod
    def of(
        cls, window: Window, basis: NDArray[np.float64], images: NDArray[np.float32]
    ) -> Correction:
        """From basis rows; those whose image is zero are left out."""
        used = images.any(axis=(1, 2))
        if not used.all():
            basis, images = basis[used], images[used]
        return cls(window, (basis * window.taper).astype(np.float32), images)

    @property
    def is_constant(self) -> bool:
        """Whether it adds the same image to every frame."""
        return len(self.images) == 1 and bool(np.ptp(self.courses) == 0)

    def add_to(
        self,
        start: int,
        level: NDArray[np.float32],
        pixels: slice,
        *,
        out: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """``level`` plus the correction, in ``out``, which may be ``level`` itself.

        Both are frames ``start`` onward of some pixels (n, pixels). Where the window holds none of
        them, ``level`` is given back and ``out`` is left alone.
        """
        first, last = max(start, self.window.start), min(start + len(level), self.window.stop)
        if first >= last or not len(self.images):
            return level
        inside = slice(first - start, last - start)
        if level is not out:
            for outside in (slice(inside.start), slice(inside.stop, None)):
                out[outside] = level[outside]
        images = self.images.reshape(len(self.images), -1)[:, pixels]
        if self.is_constant:
            np.add(level[inside], self.courses[0, 0] * images, out=out[inside])
            return out
        for run, rows in self._runs:
            low, high = max(first, run.start), min(last, run.stop)
            if low < high:
                frames = slice(low - start, high - start)
                added = scratch("added", out[frames].shape)
                rows[low - run.start : high - run.start].expand(images, out=added)
                np.add(level[frames], added, out=out[frames])
        return out

    @cached_property
    def _runs(self) -> list[tuple[slice, Rows]]:
        """The courses in runs of a few frames of the recording."""
        edges = [*range(0, self.window.n_frames, _RUN_FRAMES), self.window.n_frames]
        return [
            (
                slice(self.window.start + first, self.window.start + last),
                Rows.of(self.courses[:, first:last]),
            )
            for first, last in pairwise(edges)
        ]
