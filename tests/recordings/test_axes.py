"""One movie out of more axes."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from freq2clean.errors import InputError
from freq2clean.recordings import ArrayRecording, open_recording
from freq2clean.recordings.axes import select

ALL = slice(None)


@pytest.mark.parametrize(
    ("axes", "shape", "choice", "expected"),
    [
        ("TYX", (9, 4, 5), {}, (ALL,)),
        ("TYX", (1, 4, 5), {}, (ALL,)),
        ("TZCYX", (1, 1, 1, 4, 5), {}, (ALL, 0, 0)),
        ("TZCYX", (9, 3, 2, 4, 5), {"plane": 2, "channel": 1}, (ALL, 2, 1)),
        ("CTYX", (2, 9, 4, 5), {"channel": 1}, (1, ALL)),
        ("ZCYX", (9, 2, 4, 5), {"channel": 0}, (ALL, 0)),
        ("ZYX", (9, 4, 5), {}, (ALL,)),
        ("TZYX", (1, 9, 4, 5), {}, (0, ALL)),
        ("TQYX", (9, 3, 4, 5), {"plane": 1}, (ALL, 1)),
        ("TQYX", (9, 3, 4, 5), {"channel": 1}, (ALL, 1)),
        ("QQYX", (9, 3, 4, 5), {"channel": 1}, (ALL, 1)),
        ("TCQYX", (9, 2, 3, 4, 5), {"channel": 1, "plane": 2}, (ALL, 1, 2)),
    ],
)
def test_choice(axes, shape, choice, expected):
    choice = {"plane": None, "channel": None} | choice
    assert select(axes, shape, name="a", **choice) == expected


@pytest.mark.parametrize(
    ("axes", "shape", "message"),
    [
        ("TZCYX", (100, 5, 2, 64, 64), r"axes TZCYX = \(100, 5, 2, 64, 64\): give --plane 0..4 and "
         "--channel 0..1"),
        ("TQYX", (9, 3, 4, 5), "give --plane 0..2"),
        ("TCYX", (9, 3, 4, 5), "give --channel 0..2"),
        ("YXT", (4, 5, 9), "reorder its axes first"),
        ("TYXS", (9, 4, 5, 3), "convert its colours to grey first"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(axes, shape, message):
    with pytest.raises(InputError, match=message):
        select(axes, shape, plane=None, channel=None, name="a")


def test_array_of_five_axes(movie):
    pixels = movie(shape=(7, 3, 2, 12, 17))
    recording = open_recording(pixels, plane=2, channel=1)
    np.testing.assert_array_equal(recording.read(2, 6), pixels[2:6, 2, 1])


@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_of_four_axes(tmp_path, movie, order):
    pixels = movie(shape=(7, 3, 12, 17))
    np.save(tmp_path / "a.npy", np.asarray(pixels, order=order))
    recording = open_recording(tmp_path / "a.npy", plane=2)
    np.testing.assert_array_equal(recording.read(2, 6), pixels[2:6, 2])
    np.save(tmp_path / "a.npy", np.asarray(pixels[:1], order=order))
    np.testing.assert_array_equal(open_recording(tmp_path / "a.npy")[1:], pixels[0, 1:])


def test_named_axes(tmp_path, movie):
    pixels = movie(shape=(3, 7, 12, 17))
    zarr.create_array(tmp_path / "a.zarr", data=pixels, dimension_names=("c", "t", "y", "x"))
    np.testing.assert_array_equal(open_recording(tmp_path / "a.zarr", channel=2)[:], pixels[2])
    recording = ArrayRecording(pixels, axes="CTYX", channel=1)
    np.testing.assert_array_equal(recording.read(1, 3), pixels[1, 1:3])
