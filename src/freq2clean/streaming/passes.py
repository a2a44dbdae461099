"""Passes over recordings in blocks of frames, with reading ahead and writing behind.

Reading, computing and writing overlap: one thread reads the next blocks, one writes the last.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TypeVar

__all__ = ["IN_FLIGHT", "blocks", "read_ahead", "two_passes", "write_behind"]

Item = TypeVar("Item")
Early = TypeVar("Early")
Late = TypeVar("Late")
Range = tuple[int, int]

_DEPTH = 1

IN_FLIGHT = _DEPTH + 2
"""Items that `write_behind` may hold, with the one that is being made: as many buffers suffice."""


def blocks(start: int, stop: int, size: int) -> list[Range]:
    """Ranges of ``size`` frames, the last one shorter, that cover ``start`` to ``stop``.

    Examples
    --------
    >>> blocks(0, 7, 3)
    [(0, 3), (3, 6), (6, 7)]
    """
    return [(first, min(first + size, stop)) for first in range(start, stop, size)]


def read_ahead(
    read: Callable[[int, int], Item], ranges: Iterable[Range]
) -> Generator[tuple[Range, Item]]:
    """Each range and what ``read`` gives for it, in order, while the next is being read.

    Nothing that was given is held on to, so that its memory may be used again. Closing the
    generator early stops the reading.

    Examples
    --------
    >>> list(read_ahead(range, [(0, 2), (2, 3)]))
    [((0, 2), range(0, 2)), ((2, 3), range(2, 3))]
    """
    reader = ThreadPoolExecutor(1, thread_name_prefix="reader")
    pending: deque[tuple[Range, Future[Item]]] = deque()
    try:
        for range_ in ranges:
            pending.append((range_, reader.submit(read, *range_)))
            if len(pending) > _DEPTH:
                yield _first_of(pending)
        while pending:
            yield _first_of(pending)
    finally:
        reader.shutdown(wait=True, cancel_futures=True)


def _first_of(pending: deque[tuple[Range, Future[Item]]]) -> tuple[Range, Item]:
    range_, future = pending.popleft()
    return range_, future.result()


@contextmanager
def write_behind(write: Callable[[Item], None]) -> Iterator[Callable[[Item], None]]:
    """A function that hands items to ``write`` on another thread, in order.

    An error of ``write`` is raised by the next call or on leaving; after it, nothing is written.
    Nor is it after any other exception, an interrupt while the last items are written included:
    when the ``with`` block is left, the thread has ended.
    """
    items: queue.Queue[Item | None] = queue.Queue(_DEPTH)
    failed: list[BaseException] = []
    stopped = threading.Event()

    def work() -> None:
        while (item := items.get()) is not None:
            if failed or stopped.is_set():
                continue
            try:
                write(item)
            except BaseException as error:
                failed.append(error)

    def hand_over(item: Item) -> None:
        if failed:
            raise failed[0]
        items.put(item)

    writer = threading.Thread(target=work, name="writer", daemon=True)
    writer.start()
    try:
        yield hand_over
        items.put(None)
        writer.join()
    except BaseException:
        stopped.set()
        raise
    finally:
        items.put(None)
        writer.join()
    if failed:
        raise failed[0]


def two_passes(
    n_frames: int,
    block_frames: int,
    *,
    read_first: Callable[[int, int], Early],
    first: Callable[[int, Early], int],
    read_second: Callable[[int, int], Late],
    second: Callable[[int, Late], None],
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """A first pass over all frames, and a second that follows as soon as frames are settled.

    Parameters
    ----------
    read_first, read_second : callable
        ``(start, stop) -> item``, what each pass needs of a range of frames.
    first : callable
        ``(start, item) -> settled``: takes the next frames, and says up to which frame the second
        pass may go.
    second : callable
        ``(start, item)``: takes frames that are settled, each once and in order.
    progress : callable, optional
        ``(done, total)`` in frames of both passes.
    """
    done = 0
    with closing(read_ahead(read_first, blocks(0, n_frames, block_frames))) as early:
        for (start, stop), item in early:
            settled = first(start, item)
            del item
            with closing(read_ahead(read_second, blocks(done, settled, block_frames))) as late:
                for (begin, end), frames in late:
                    second(begin, frames)
                    del frames
                    done = end
                    if progress:
                        progress(stop + done, 2 * n_frames)
            if progress:
                progress(stop + done, 2 * n_frames)
