"""Blocks, reading ahead, writing behind, and two passes over one recording."""

from __future__ import annotations

import threading
import time
import weakref
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freq2clean.streaming import blocks, passes, read_ahead, two_passes, write_behind


def running(name: str) -> bool:
    return any(name in thread.name for thread in threading.enumerate())


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 20))
def test_blocks_cover_the_range_once_in_order(start, length, size):
    ranges = blocks(start, start + length, size)
    assert [frame for block in ranges for frame in range(*block)] == [*range(start, start + length)]
    assert all(0 < stop - first <= size for first, stop in ranges)
    assert all(stop - first == size for first, stop in ranges[:-1])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12))
def test_read_ahead_gives_what_reading_gives_in_order(ranges):
    assert list(read_ahead(lambda a, b: (a, b), ranges)) == [(r, r) for r in ranges]


def test_read_ahead_reads_while_the_caller_works_but_not_the_whole_recording():
    read = []
    with closing(read_ahead(lambda a, b: read.append(a), blocks(0, 20, 1))) as frames:
        next(frames)
        deadline = time.monotonic() + 5
        while len(read) < 2 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.05)
        assert read == [0, 1]


def test_read_ahead_holds_nothing_that_it_gave():
    with closing(read_ahead(lambda a, b: np.zeros(3), blocks(0, 3, 1))) as frames:
        for _, given_ in frames:
            seen = weakref.ref(given_)
            del given_
            assert seen() is None


def test_an_error_of_the_reader_surfaces_at_its_block():
    def read(start: int, stop: int) -> int:
        if start == 3:
            raise OSError("no such frame")
        return start

    frames = read_ahead(read, blocks(0, 9, 1))
    assert [next(frames)[1] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="no such frame"):
        next(frames)
    assert not running("reader")


def test_closing_read_ahead_stops_the_reading():
    read = []
    frames = read_ahead(lambda a, b: read.append(a), blocks(0, 1000, 1))
    next(frames)
    frames.close()
    n_read = len(read)
    assert n_read <= 4
    assert not running("reader")
    time.sleep(0.02)
    assert len(read) == n_read


def test_write_behind_writes_in_order_and_all_before_it_ends():
    written = []

    def write(item: int) -> None:
        time.sleep(0.001)
        written.append(item)

    with write_behind(write) as append:
        for item in range(20):
            append(item)
    assert written == list(range(20))
    assert not running("writer")


def test_an_error_of_the_writer_surfaces_at_once_and_ends_the_writing():
    written, handed = [], []

    def write(item: int) -> None:
        if item == 2:
            raise OSError("disk full")
        written.append(item)

    def hand_over_all() -> None:
        with write_behind(write) as append:
            for item in range(100):
                append(item)
                handed.append(item)
                time.sleep(0.001)

    with pytest.raises(OSError, match="disk full"):
        hand_over_all()
    assert written == [0, 1]
    assert len(handed) < 20
    assert not running("writer")


def test_an_error_while_writing_the_last_item_surfaces():
    def write(item: int) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), write_behind(write) as append:
        append(1)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_is_written_after_an_exception_of_the_caller(error):
    begun, written, go_on = threading.Event(), [], threading.Event()

    def write(item: int) -> None:
        begun.set()
        go_on.wait(5)
        written.append(item)

    def fail_meanwhile() -> None:
        with write_behind(write) as append:
            append(0)
            append(1)
            assert begun.wait(5)
            threading.Timer(0.05, go_on.set).start()
            raise error

    with pytest.raises(error):
        fail_meanwhile()
    assert written == [0]
    assert not running("writer")


def test_an_interrupt_while_the_last_items_are_written_stops_the_writing(monkeypatch):
    monkeypatch.setattr(passes, "_DEPTH", 2)  # leaving waits for the thread alone
    written, go_on = [], threading.Event()
    join = threading.Thread.join

    def interrupted_once(thread: threading.Thread, timeout: float | None = None) -> None:
        monkeypatch.setattr(threading.Thread, "join", join)
        threading.Timer(0.05, go_on.set).start()
        raise KeyboardInterrupt

    def write(item: int) -> None:
        go_on.wait(5)
        written.append(item)

    def leave_and_be_interrupted() -> None:
        with write_behind(write) as append:
            append(0)
            append(1)
            monkeypatch.setattr(threading.Thread, "join", interrupted_once)

    with pytest.raises(KeyboardInterrupt):
        leave_and_be_interrupted()
    assert written == [0]
    assert not running("writer")


@given(
    st.integers(1, 60),
    st.integers(1, 13),
    st.lists(st.integers(0, 60), min_size=60, max_size=60),
)
def test_two_passes_follow_what_is_settled(n_frames, block_frames, lags):
    added, applied, reported = [], [], []
    settled = 0

    def first(start: int, item: range) -> int:
        nonlocal settled
        assert start == item.start
        added.extend(item)
        settled = n_frames if item.stop == n_frames else max(settled, item.stop - lags[start])
        return settled

    def second(start: int, item: range) -> None:
        assert start == item.start == len(applied)
        assert item.stop <= settled
        applied.extend(item)

    two_passes(
        n_frames,
        block_frames,
        read_first=range,
        first=first,
        read_second=range,
        second=second,
        progress=lambda done, total: reported.append((done, total)),
    )
    assert added == applied == list(range(n_frames))
    assert [total for _, total in reported] == [2 * n_frames] * len(reported)
    done = [done for done, _ in reported]
    assert done == sorted(done)
    assert done[-1] == 2 * n_frames


@pytest.mark.parametrize("which", ["read_first", "first", "read_second", "second"])
def test_an_error_in_any_step_surfaces_and_stops_the_readers(which):
    def fail(*_: object) -> int:
        raise OSError("gone")

    steps = {
        "read_first": range,
        "first": lambda start, item: item.stop,
        "read_second": range,
        "second": lambda start, item: None,
    }
    with pytest.raises(OSError, match="gone"):
        two_passes(50, 5, **{**steps, which: fail})
    assert not running("reader")
