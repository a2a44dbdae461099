"""The index of an array, and no frame read that it does not name."""

from __future__ import annotations

import numpy as np
import pytest

from freq2clean.apps.napari.lazy import LazyFrames
from freq2clean.recordings import open_recording

KEYS = [
    0,
    -1,
    np.int64(7),
    slice(3, 9),
    slice(None, None, 7),
    slice(9, 3, -2),
    slice(5, 5),
    Ellipsis,
    (4, slice(None), slice(None)),
    (slice(None), 3, slice(None)),
    (slice(50, None), slice(2, 20), slice(None, None, 3)),
    (slice(10, 12), ..., 5),
    (..., 0),
    (3, 4, 5),
    (np.array([5, 6, 7]), 2),
    ([1, 40, 2], slice(None), 1),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_an_index_gives_what_the_array_gives(make_pair, key):
    array = make_pair((150, 8, 9))[0]
    given = LazyFrames(open_recording(array), {})[key]
    np.testing.assert_array_equal(given, array[key])
    assert given.dtype == array.dtype


def test_it_looks_like_the_array(make_pair):
    array = make_pair((5, 8, 9))[1]
    frames = LazyFrames(open_recording(array), {})
    for name in ("shape", "dtype", "ndim", "size", "nbytes"):
        assert getattr(frames, name) == getattr(array, name)
    assert len(frames) == 5
    np.testing.assert_array_equal(np.asarray(frames), array)


def test_a_frame_reads_that_frame_alone(counted):
    LazyFrames(counted, {})[17, 3:5]
    assert counted.seen == [(17, 18)]


def test_frames_apart_are_read_apart(counted):
    LazyFrames(counted, {})[0:60:20]
    assert counted.seen == [(0, 1), (20, 21), (40, 41)]
