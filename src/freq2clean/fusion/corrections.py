"""Step 3, apply: a few images times a few temporal courses, added to frames of the denoised."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.regression import Detail
from freq2clean.fusion.rows import Rows
from freq2clean.fusion.spaces import space_of
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
    images : array, (K, Y, X), float32
        The corrections of the coefficient images.
    detail : Detail, optional
        What the window adds besides, by the denoised recording's own courses.
    """

    window: Window
    courses: NDArray[np.float32]
    images: Any
    detail: Detail | None = None

    @classmethod
    def of(cls, window: Window, basis: NDArray[np.float64], images: Any) -> Correction:
        """From basis rows; those whose image is zero are left out."""
        space = space_of(images)
        used = space.host(space.xp.any(images != 0, axis=(1, 2)))
        if not used.all():
            basis = basis[used]
            images = space.xp.take(images, space.array(np.flatnonzero(used)), axis=0)
        return cls(window, (basis * window.taper).astype(np.float32), images)

    @cached_property
    def is_constant(self) -> bool:
        """Whether it adds the same image to every frame."""
        return len(self.courses) == 1 and bool(np.ptp(self.courses) == 0)

    def add_to(self, start: int, level: Any, pixels: slice, *, out: Any) -> Any:
        """``level`` plus the correction, in ``out``, which may be ``level`` itself.

        Both are frames ``start`` onward of some pixels (n, pixels). Where the window holds none of
        them, ``level`` is given back and ``out`` is left alone.
        """
        first, last = max(start, self.window.start), min(start + level.shape[0], self.window.stop)
        if first >= last or not len(self.courses):
            return level
        inside = slice(first - start, last - start)
        if level is not out:
            for outside in (slice(inside.start), slice(inside.stop, None)):
                out[outside, :] = level[outside, :]
        images = self._flat[:, pixels]
        if self.is_constant:
            image = float(self.courses[0, 0]) * images
            space_of(images).add(level[inside, :], image, out=out[inside, :])
            return out
        for run, rows in self._runs:
            low, high = max(first, run.start), min(last, run.stop)
            if low < high:
                frames = slice(low - start, high - start)
                part = rows[low - run.start : high - run.start]
                part.expand(images, level=level[frames, :], out=out[frames, :])
        return out

    @cached_property
    def _flat(self) -> Any:
        """The images, (K, pixels)."""
        n_pixels = self.images.shape[1] * self.images.shape[2]
        return space_of(self.images).xp.reshape(self.images, (len(self.courses), n_pixels))

    @cached_property
    def _runs(self) -> list[tuple[slice, Rows]]:
        """The courses in runs of a few frames of the recording."""
        space = space_of(self.images)
        edges = [*range(0, self.window.n_frames, _RUN_FRAMES), self.window.n_frames]
        return [
            (
                slice(self.window.start + first, self.window.start + last),
                Rows.of(self.courses[:, first:last], space),
            )
            for first, last in pairwise(edges)
        ]
