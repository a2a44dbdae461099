"""Work on Dask: a scheduler to give it to, sums as trees, frames of Dask arrays."""

from __future__ import annotations

import logging
import os
import pickle
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from freq2clean.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from distributed import Client

__all__ = [
    "TOGETHER",
    "connected",
    "grouped",
    "is_lazy",
    "needs_dask",
    "results_of",
    "sent_bytes",
    "tree",
]

TOGETHER = 8
_PATIENCE_S = 10
_LOCAL = re.compile(r"local(?::(\d+))?")


def sent_bytes(value: Any) -> int:
    """How large an object is when it is sent to another process.

    Examples
    --------
    >>> import numpy as np
    >>> 8000 < sent_bytes([np.zeros(1000)]) < 9000
    True
    """
    apart: list[int] = []

    def measure(buffer: pickle.PickleBuffer) -> None:
        apart.append(buffer.raw().nbytes)

    return len(pickle.dumps(value, protocol=5, buffer_callback=measure)) + sum(apart)


def is_lazy(array: Any) -> bool:
    """Whether an array is one of Dask's."""
    return hasattr(array, "__dask_graph__")


@contextmanager
def needs_dask() -> Iterator[None]:
    """Say what to install where Dask is not."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("dask", "distributed"):
            raise
        raise MissingExtraError(
            'clusters and lazy arrays need Dask: pip install "freq2clean[dask]"'
        ) from error


@contextmanager
def connected(scheduler: str) -> Iterator[Client]:
    """A client of a Dask scheduler.

    Parameters
    ----------
    scheduler : str
        The address of one that runs, such as ``tcp://host:8786``, or ``local:4`` for four worker
        processes on this machine, which end with the ``with`` block; ``local`` for one per core.

    Raises
    ------
    InputError
        Where it is neither, or no scheduler answers.
    """
    with needs_dask():
        from distributed import Client, LocalCluster
    if local := _LOCAL.fullmatch(scheduler):
        n_workers = int(local[1] or len(_cores()))
        if not n_workers:
            raise InputError(f"scheduler {scheduler!r}: give one worker at least, as in local:1")
        with (
            LocalCluster(
                n_workers=n_workers,
                threads_per_worker=1,
                dashboard_address=":0",
                memory_limit=None,
                silence_logs=logging.CRITICAL,
            ) as cluster,
            Client(cluster) as client,
        ):
            client.run(_take_cores, n_workers)
            yield client
        return
    if "://" not in scheduler:
        raise InputError(
            f"scheduler {scheduler!r}; give an address such as tcp://host:8786, or local:4"
        )
    try:
        client = Client(scheduler, timeout=_PATIENCE_S)
    except (OSError, ValueError) as error:
        raise InputError(
            f"no scheduler answers at {scheduler}: {' '.join(str(error).split())}. Start one with "
            "dask scheduler, or give local:4 for worker processes on this machine"
        ) from error
    with client:
        yield client


def _cores() -> list[int]:
    affinity = getattr(os, "sched_getaffinity", None)
    return sorted(affinity(0)) if affinity else list(range(os.cpu_count() or 1))


def _take_cores(n_workers: int, dask_worker: Any) -> None:
    """Share the cores of the machine among its workers, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        cores = _cores()
        first = int(dask_worker.name) % len(cores)
        os.sched_setaffinity(0, cores[first::n_workers])


def results_of(
    client: Client, tasks: Sequence[Any], *, progress: Callable[[int, int], None] | None = None
) -> list[Any]:
    """What tasks give, all computed as one graph; on any exception, what is left is cancelled.

    A worker that dies is made up for by others, up to three times for one task.

    Raises
    ------
    InputError
        Where workers keep dying, or the scheduler is gone.
    """
    from concurrent.futures import CancelledError

    from distributed import KilledWorker, as_completed

    futures = client.compute(list(tasks))
    try:
        for done, future in enumerate(as_completed(futures), start=1):
            future.result()
            if progress:
                progress(done, len(futures))
        return [future.result() for future in futures]
    except KilledWorker as error:
        raise InputError(
            f"workers died again and again ({error.last_worker.address} last): they may have too "
            "little memory; give them more, or a smaller --memory"
        ) from error
    except CancelledError as error:
        raise InputError("the scheduler has gone, or cancelled the work: start again") from error
    except BaseException:
        client.cancel(futures, force=True)
        _wait_for_workers(client, {future.key for future in futures})
        raise


def _wait_for_workers(client: Client, keys: set[Any]) -> None:
    """Until none is at work on these any more: they do not notice that they were cancelled."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        at_work = client.run(_works_on, keys, on_error="ignore")
        if not any(at_work.values()):
            return
        time.sleep(0.05)


def _works_on(keys: set[Any], dask_worker: Any) -> bool:
    return any(task.key in keys for task in list(dask_worker.state.executing))


def tree(
    function: Callable[[Sequence[Any]], Any], items: Sequence[Any], *, most: int = TOGETHER
) -> list[Any]:
    """At most so many items, after neighbours were put together by ``function``, as tasks."""
    import dask

    items = list(items)
    while len(items) > most:
        items = [
            dask.delayed(function, pure=False)(items[first : first + TOGETHER])
            for first in range(0, len(items), TOGETHER)
        ]
    return items


def grouped(chunks: Sequence[int], size: int) -> list[tuple[int, int]]:
    """Ranges of about ``size`` frames that end where chunks do, unless these are longer.

    Examples
    --------
    >>> grouped([3, 3, 3, 10], 6)
    [(0, 6), (6, 9), (9, 14), (14, 19)]
    """
    ranges, start, before = [], 0, 0
    for stop in accumulate(chunks):
        if before > start and stop - start > size:
            ranges.append((start, before))
            start = before
        if stop - start > size:
            n_pieces = -(-(stop - start) // size)
            edges = [start + (stop - start) * i // n_pieces for i in range(n_pieces + 1)]
            ranges += pairwise(edges)
            start = stop
        before = stop
    if before > start:
        ranges.append((start, before))
    return ranges
