"""Will fusion help this recording? Asked before any fusion, without ground truth."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from freq2clean.inspection import Inspection, inspect_recordings
from freq2clean.pipeline.opening import open_one

__all__ = ["inspect"]


def inspect(
    raw: Any,
    denoised: Any = None,
    /,
    *,
    window: int | None = None,
    channel: int | None = None,
    plane: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Inspection:
    """Measure noise, stillness and defects, and say whether fusion will help.

    Parameters
    ----------
    raw, denoised : array-like (T, Y, X), path or Recording
        The denoised recording may be left out.
    window : int, optional
        Frames that the fusion is to average; the whole recording if left out.
    channel, plane : int, optional
        Of recordings with more than three axes.
    progress : callable, optional
        Called with the number of frames read and the number to read.

    Returns
    -------
    Inspection
        ``advice`` holds plain sentences, problems first; ``as_dict()`` all numbers.

    Examples
    --------
    >>> import numpy as np
    >>> raw = np.random.default_rng(0).poisson(3.0, (64, 32, 32)).astype(np.uint16)
    >>> inspect(raw, raw).advice[0].code
    'identical'
    """
    with ExitStack() as stack:
        x = open_one(stack, raw, channel=channel, plane=plane)
        y = None if denoised is None else open_one(stack, denoised, channel=channel, plane=plane)
        return inspect_recordings(x, y, window=window, progress=progress)
