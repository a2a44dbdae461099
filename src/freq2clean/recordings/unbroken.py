"""Calls that an interrupt waits for instead of breaking them off in the middle."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["Unbroken"]


class Unbroken:
    """Makes calls in a thread of its own, where Python delivers no signals.

    Broken off, zarr goes on writing behind our back; and an interrupt that arrives while the HDF5
    library calls Python is lost.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self(bool)  # so that the thread runs before there is something to break off

    def __call__(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Call a function and return what it returns, or raise what it raises."""
        try:
            return self._thread.submit(function, *args, **options).result()
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Wait for the call that is under way and let the thread go; another call starts one."""
        self._thread.shutdown()
        self._thread = ThreadPoolExecutor(1)
