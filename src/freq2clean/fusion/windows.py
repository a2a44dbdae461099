"""Windows in time: where they lie, and how their corrections are faded into each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError

__all__ = ["Window", "check_windows", "even_window", "n_default_windows", "plan_windows"]

_DEFAULT_FRAMES = 3000


@dataclass(frozen=True)
class Window:
    """Frames ``start`` to ``stop``, and the share of each frame's correction that it gives.

    The tapers of all windows that hold a frame add up to 1.
    """

    start: int
    stop: int
    taper: NDArray[np.float64]

    @property
    def n_frames(self) -> int:
        return self.stop - self.start


def check_windows(window: int, overlap: float) -> None:
    """Refuse options that `plan_windows` cannot use."""
    if not window >= 1 or window % 1:
        raise InputError(f"window = {window} frames; give a whole number, 1 or more")
    if not 0 <= overlap <= 0.9:
        raise InputError(f"overlap = {overlap}; give a share of the window from 0 to 0.9")


def plan_windows(n_frames: int, *, window: int, overlap: float = 0.0) -> list[Window]:
    """Windows of equal length that cover every frame, evenly spread.

    Where ``window`` does not divide ``n_frames``, neighbours overlap by what is left over, so
    that no window is shorter than the others and no frame is left out.

    Parameters
    ----------
    n_frames : int
        Length of the recording.
    window : int
        Frames per window; a recording shorter than that is one window.
    overlap : float
        Least share of a window, 0 to 0.9, that it has in common with the next one.

    Examples
    --------
    >>> [(w.start, w.stop) for w in plan_windows(10, window=4)]
    [(0, 4), (3, 7), (6, 10)]
    """
    check_windows(window, overlap)
    window = min(window, n_frames)
    hop = max(1, round(window * (1 - overlap)))
    gaps = math.ceil((n_frames - window) / hop)
    starts = [round(i * (n_frames - window) / gaps) for i in range(gaps)] + [n_frames - window]
    bump = np.sin(np.pi * (np.arange(window) + 0.5) / window) ** 2
    total = np.zeros(n_frames)
    for start in starts:
        total[start : start + window] += bump
    return [Window(s, s + window, bump / total[s : s + window]) for s in starts]


def n_default_windows(n_frames: int) -> int:
    """How many windows of about 3000 frames a recording has."""
    return max(1, round(n_frames / _DEFAULT_FRAMES))


def even_window(n_frames: int, n_windows: int | None = None, *, overlap: float) -> int:
    """Frames per window, such that so many cover the recording evenly; as many as by default.

    Examples
    --------
    >>> even_window(6000, overlap=0.1), even_window(6000, 4, overlap=0.1)
    (3159, 1625)
    """
    n_windows = n_windows or n_default_windows(n_frames)
    if n_windows == 1:
        return n_frames
    return int(n_frames / (n_windows - (n_windows - 1) * overlap)) + n_windows
