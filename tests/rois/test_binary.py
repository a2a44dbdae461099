"""Frames as Suite2p stores them: against its own reader, and nothing wraps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from freq2clean.errors import OutputError
from freq2clean.recordings import ArrayRecording
from freq2clean.rois.binary import scale_of, write_binary

SHAPE = (70, 5, 6)


def written(array, path):
    """Stored frames, the scale, and the mean image of a recording of this array."""
    recording = ArrayRecording(array)
    scale = scale_of(recording)
    mean = write_binary(recording, path, scale)
    return np.fromfile(path, np.int16).reshape(array.shape), scale, mean


@pytest.mark.parametrize("dtype", [np.uint16, np.uint8, np.int8, np.int16])
def test_integers_are_stored_as_suite2p_does(tmp_path, dtype):
    limits = np.iinfo(dtype)
    array = np.random.default_rng(0).integers(limits.min, limits.max, SHAPE, dtype, endpoint=True)
    array[0, 0, :2] = limits.min, limits.max
    stored, scale, mean = written(array, tmp_path / "data.bin")
    np.testing.assert_array_equal(stored, array // 2 if dtype == np.uint16 else array)
    np.testing.assert_allclose(mean, stored.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(scale.of_recording(stored), array, atol=1)


@given(arrays(np.float32, (3, 2, 2), elements=st.floats(width=32)))
def test_other_numbers_fit_whatever_they_are(tmp_path_factory, array):
    stored, scale, _ = written(array, tmp_path_factory.mktemp("binary") / "data.bin")
    assert stored.min() >= 0
    known = array[np.isfinite(array)].astype(np.float64)
    if known.size and known.min() < known.max():
        assert (stored.min(), stored.max()) == (0, 32766)
        back = (stored / scale.factor + scale.offset)[np.isfinite(array)]
        assert np.abs(back - known).max() <= 0.501 * np.ptp(known) / 32766


@pytest.mark.parametrize("dtype", [np.uint32, np.int64, np.float16, np.float64])
def test_other_dtypes_keep_their_order(tmp_path, dtype):
    array = np.random.default_rng(0).integers(0, 60_000, SHAPE).astype(dtype)
    stored, scale, _ = written(array, tmp_path / "data.bin")
    np.testing.assert_allclose(scale.of_recording(stored), array, atol=1.01)


def test_what_was_not_measured_is_the_mean_of_its_pixel(tmp_path):
    array = np.random.default_rng(0).normal(100, 20, SHAPE).astype(np.float32)
    array[3:9, 2] = np.nan
    array[10, 0, 0] = np.inf
    array[:, 4, 4] = np.nan
    stored, scale, _ = written(array, tmp_path / "data.bin")
    back = scale.of_recording(stored)
    np.testing.assert_allclose(
        back[3:9, 2], np.tile(np.nanmean(array[:, 2], axis=0), (6, 1)), atol=0.01
    )
    assert np.ptp(back[:, 4, 4]) == 0


def test_a_recording_without_a_single_number(tmp_path):
    stored, _, _ = written(np.full((12, 3, 3), np.nan, np.float32), tmp_path / "data.bin")
    assert not stored.any()


def test_no_room_is_a_fault_of_the_target(tmp_path):
    recording = ArrayRecording(np.zeros(SHAPE, np.uint16))
    with pytest.raises(OutputError, match="could not be written"):
        write_binary(recording, tmp_path / "missing" / "data.bin", scale_of(recording))
