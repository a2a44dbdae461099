"""Map a function over items, or ranges of pixels, on a few threads; NumPy releases the lock inside.

BLAS is held to one thread meanwhile: its own threads would fight with these.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from freq2clean.threads import n_threads

__all__ = [
    "Spare",
    "few_frames",
    "frames_per_task",
    "is_at_work",
    "one_blas_thread",
    "over_items",
    "over_pixels",
    "over_rows",
    "plain_scratch",
    "scratch",
]

Item = TypeVar("Item")

_PIXELS_PER_TASK = 16384
_CACHE_LINE = 64 // 4

_local = threading.local()
_lock = threading.Lock()
_limits: list[Any] = []


def over_pixels(
    function: Callable[[slice], None], n_pixels: int, *, one_sweep: bool = False
) -> None:
    """Call ``function`` on slices that cover ``range(n_pixels)``.

    They are small enough for a cache; or, where each value is looked at once, as long as can be.
    """
    size = max(_PIXELS_PER_TASK, -(-n_pixels // n_threads())) if one_sweep else _PIXELS_PER_TASK
    tasks = [slice(first, min(first + size, n_pixels)) for first in range(0, n_pixels, size)]
    if len(tasks) == 1:
        function(tasks[0])
        return
    over_items(function, tasks)


def over_items(function: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Call ``function`` on each item; within an item of another call, one after the other."""
    waiting = iter(list(items))

    def work(_: int) -> None:
        _local.is_at_work = True
        try:
            for item in waiting:
                function(item)
        finally:
            _local.is_at_work = False

    if is_at_work():
        for item in waiting:
            function(item)
        return
    with one_blas_thread():
        for _ in _pool(n_threads()).map(work, range(n_threads())):
            pass


def is_at_work() -> bool:
    """Whether this thread works on an item of `over_items`."""
    return getattr(_local, "is_at_work", False)


def over_rows(function: Callable[[int], None], n_rows: int) -> None:
    """Call ``function`` on ``range(n_rows)``, never on rows less than three apart at once."""
    for first in range(3):
        over_items(function, range(first, n_rows, 3))


def few_frames(n_pixels: int) -> int:
    """How many frames to work on at a time: some 32 MB of them, but enough for a product."""
    return min(256, max(8, (1 << 23) // n_pixels))


def frames_per_task(n_pixels: int) -> int:
    """How many frames to give to a thread at a time: some 4 MB of them."""
    return max(4, (1 << 20) // n_pixels)


def scratch(name: str, shape: tuple[int, int]) -> NDArray[np.float32]:
    """An array that this thread gets again for the same name: fresh memory is slow to touch.

    Its rows are a cache line further apart than they need be: a power of two apart, they would
    push each other out of the cache.
    """
    n_rows, n_columns = shape
    return plain_scratch(name, (n_rows, n_columns + _CACHE_LINE))[:, :n_columns]


def plain_scratch(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The same, contiguous."""
    n_values = math.prod(shape)
    buffer: NDArray[np.float32] | None = getattr(_local, name, None)
    if buffer is None or buffer.size < n_values:
        buffer = np.empty(n_values, np.float32)
        setattr(_local, name, buffer)
    return buffer[:n_values].reshape(shape)


class Spare:
    """Memory for a run of frames that is handed round: one array, or more where it is in use."""

    def __init__(self) -> None:
        self._array: Any = None

    def take(self, space: Any, shape: tuple[int, ...]) -> Any:
        """A float32 array in a space, until it is given back or forgotten."""
        array, self._array = self._array, None
        return space.empty(shape) if array is None or tuple(array.shape) != shape else array

    def give_back(self, array: Any) -> None:
        """For whoever takes it next."""
        self._array = array


@cache
def _pool(n: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """For many small products: BLAS threads that wait for each other cost more than they give.

    Several threads may be inside; the last to leave restores what the first one found.
    """
    with _lock:
        _limits.append(None if _limits else _blas().limit(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _lock:
            if len(_limits) == 1:
                _limits[0].restore_original_limits()
                _limits.clear()
            else:
                _limits.pop()
