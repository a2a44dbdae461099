"""Map a function over ranges of pixels on a few threads; NumPy releases the lock inside."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

__all__ = ["over_pixels"]

_PIXELS_PER_TASK = 8192


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )


def over_pixels(function: Callable[[slice], None], n_pixels: int) -> None:
    """Call ``function`` on slices that cover ``range(n_pixels)``, each small enough for a cache."""
    tasks = [
        slice(first, min(first + _PIXELS_PER_TASK, n_pixels))
        for first in range(0, n_pixels, _PIXELS_PER_TASK)
    ]
    if len(tasks) == 1:
        function(tasks[0])
    else:
        for _ in _pool().map(function, tasks):
            pass
