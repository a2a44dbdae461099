"""Tell a pair that was given the wrong way round: a denoised recording is the quieter one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.fusion.spaces import to_host

__all__ = ["FrameChanges"]

_FRAMES_PER_RUN = 8
_LARGEST_RATIO = 9.0


class FrameChanges:
    """How much two recordings change from frame to frame.

    Takes runs of frames of both, then refuses a denoised recording that changes much more than
    the raw one: the two were swapped, or are on scales that could not be matched.
    """

    def __init__(self) -> None:
        self._sums = np.zeros(2)

    def look(self, raw: Any, denoised: Any) -> None:
        """Add a run of consecutive frames: two blocks (n, Y, X). Its first ones are looked at."""
        for changes in zip(_changes(raw), _changes(denoised), strict=True):
            sums = [float(np.vdot(change, change)) for change in changes]
            if not np.isfinite(sums).all():
                known = np.isfinite(changes).all(axis=0)
                sums = [float(np.square(change[known], dtype=float).sum()) for change in changes]
            self._sums += sums

    def check(self, gain: float) -> None:
        """Refuse the pair, given the gain that brings the denoised recording to the raw scale."""
        raw, denoised = self._sums[0], gain**2 * self._sums[1]
        if raw > 0 and denoised > _LARGEST_RATIO * raw:
            raise InputError(
                f"the denoised recording changes {np.sqrt(denoised / raw):.3g} times as much from "
                "frame to frame as the raw one; were they swapped? If not, they are on different "
                "scales: bring them to one, or switch rescale off (--no-rescale) to fuse them so"
            )


def _changes(block: Any) -> Iterator[NDArray[np.float32]]:
    """From each of the first frames to the next: few values at a time, which stay in the cache."""
    frames = to_host(block[: min(_FRAMES_PER_RUN, block.shape[0]), ...])
    for before, after in pairwise(frames):
        with np.errstate(invalid="ignore"):
            change = np.subtract(after, before, dtype=np.float32)
        yield change
