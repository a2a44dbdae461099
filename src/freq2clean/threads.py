"""How many threads a job may use: every core that this process may, or as many as it is given."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

from freq2clean.errors import InputError

__all__ = ["at_most", "n_threads"]

_given: list[int] = []


def n_threads() -> int:
    """Threads to compute with, or to decode with: the least that any job now running was given."""
    return min(_given, default=_n_cores())


@contextmanager
def at_most(workers: int | None) -> Iterator[None]:
    """Bound the threads that compute, and those that decode, meanwhile; None for all cores.

    Raises
    ------
    InputError
        Where ``workers`` is no whole number above 0.

    Examples
    --------
    >>> with at_most(1):
    ...     n_threads()
    1
    """
    if workers is None:
        yield
        return
    if type(workers) is not int or workers < 1:
        raise InputError(f"workers = {workers!r}; give 1 or more, or leave it away for all cores")
    _given.append(workers)
    try:
        with ThreadpoolController().limit(limits=workers, user_api="blas"):
            yield
    finally:
        _given.remove(workers)


@cache
def _n_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
