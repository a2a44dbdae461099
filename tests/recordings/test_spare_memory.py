"""Memory that comes back, and is never given to two."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

from freq2clean.recordings.spare_memory import SpareMemory

SHAPE = (5, 512, 512)


def place(array) -> int:
    return array.ctypes.data


@pytest.mark.parametrize(
    "keep",
    [
        lambda array: array,
        lambda array: array[2, ::2],
        lambda array: memoryview(array)[1:],
        lambda array: np.asarray(array).reshape(-1).view("uint8")[7:],
        lambda array: np.frombuffer(array, "uint16", 10),
    ],
)
def test_memory_that_someone_looks_at_is_not_given_away(keep):
    memory = SpareMemory()
    array = memory.empty(SHAPE, "uint16")
    array[:] = 7
    kept = keep(array)
    before = bytes(kept)
    del array
    gc.collect()
    others = [memory.empty(SHAPE, "uint16") for _ in range(5)]
    for other in others:
        other[:] = 9
    assert bytes(kept) == before


def test_memory_comes_back_for_another_shape_and_dtype():
    memory = SpareMemory()
    array = memory.empty(SHAPE, "uint16")
    first = place(array)
    view = array[0]
    del array
    assert place(memory.empty(SHAPE, "uint16")) != first
    del view
    assert place(memory.empty((2, 600, 500), "float32")) == first


def test_much_larger_memory_is_not_taken_for_little():
    memory = SpareMemory()
    large = memory.empty((50, 512, 512), "uint16")
    first = place(large)
    del large
    assert place(memory.empty((5, 512, 512), "uint16")) != first


def test_threads_never_share():
    memory = SpareMemory()
    wrong = []

    def work(number):
        for _ in range(30):
            array = memory.empty((1100, 1000), "uint8")
            array[:] = number
            if (array != number).any():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
