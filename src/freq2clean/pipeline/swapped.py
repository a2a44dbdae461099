"""Tell a pair that was given the wrong way round: a denoised recording is the quieter one."""

from __future__ import annotations

from typing import Any

import numpy as np

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
        first = [
            to_host(block[: min(_FRAMES_PER_RUN, block.shape[0]), ...]).astype(np.float32)
            for block in (raw, denoised)
        ]
        with np.errstate(invalid="ignore"):
            changes = np.diff(first, axis=1)
        changes[:, ~np.isfinite(changes).all(axis=0)] = 0
        self._sums += np.square(changes).sum(axis=(1, 2, 3), dtype=np.float64)

    def check(self, gain: float) -> None:
        """Refuse the pair, given the gain that brings the denoised recording to the raw scale."""
        raw, denoised = self._sums[0], gain**2 * self._sums[1]
        if raw > 0 and denoised > _LARGEST_RATIO * raw:
            raise InputError(
                f"the denoised recording changes {np.sqrt(denoised / raw):.3g} times as much from "
                "frame to frame as the raw one; were they swapped? If not, they are on different "
                "scales: bring them to one, or switch rescale off (--no-rescale) to fuse them so"
            )
