import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freq2clean.errors import InputError
from freq2clean.metrics import SSIM3DOptions, ssim3d
from freq2clean.metrics.ssim3d import SSIM3D, SSIM3DSurvey


@pytest.mark.parametrize("normalisation", ["own", "truth", None])
@pytest.mark.parametrize(("stride", "padding"), [(1, "zero"), (4, "zero"), (3, "valid")])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_equals_the_dense_definition(movie, naive, normalisation, stride, padding, dtype):
    truth, recording = movie(shape=(46, 19, 23), dtype=dtype)
    options = {"normalisation": normalisation, "stride": stride, "padding": padding}
    if normalisation is None:
        options["data_range"] = 150
    score = ssim3d(truth, recording, **options)
    sketched = dtype == "f4" and normalisation is not None
    expected = naive.ssim3d(truth, recording, **options)
    assert score.value == pytest.approx(expected, abs=5e-5 if sketched else 1e-5)
    assert score.frames == len(truth[::stride])
    assert score.left_out == 0


def test_the_defaults_are_the_convention_of_the_study(movie, naive):
    truth, recording = movie(dtype="u2")
    score = ssim3d(truth, 3 * recording + 50)
    assert float(score) == pytest.approx(naive.ssim3d(truth, recording), abs=1e-5)
    assert score.options == SSIM3DOptions("own", (0.25, 99.9), None, 4, "zero")
    assert score.truth_range == pytest.approx(np.percentile(truth[::4], (0.25, 99.9)))
    assert score.as_dict()["options"]["padding"] == "zero"


@given(
    shape=st.tuples(st.integers(1, 30), st.integers(1, 14), st.integers(1, 14)),
    stride=st.integers(1, 5),
    block=st.integers(1, 30),
    seed=st.integers(0, 9),
)
@settings(max_examples=60)
def test_any_shape_in_any_blocks(naive, shape, stride, block, seed):
    truth, recording = np.random.default_rng(seed).random((2, *shape))
    options = SSIM3DOptions(normalisation=None, data_range=1.0, stride=stride)
    score = SSIM3D(shape, options, SSIM3DSurvey(options).scalings())
    for start in range(0, shape[0], block):
        score.add(truth[start : start + block], recording[start : start + block])
    whole = ssim3d(truth, recording, normalisation=None, data_range=1.0, stride=stride)
    assert score.result() == whole
    expected = naive.ssim3d(truth, recording, normalisation=None, data_range=1.0, stride=stride)
    assert whole.value == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e6])
def test_keeps_its_digits_on_a_large_offset(movie, naive, offset):
    truth, recording = movie(shape=(24, 20, 20), dtype=np.float64, offset=offset)
    options = {"normalisation": None, "data_range": 150, "stride": 1, "padding": "valid"}
    expected = naive.ssim3d(truth, recording, **options)
    assert ssim3d(truth, recording, **options).value == pytest.approx(expected, abs=1e-5)


def test_windows_with_missing_pixels_are_left_out(movie, naive):
    truth, recording = movie(shape=(40, 16, 18), dtype=np.float64)
    recording[20, 3, 4] = np.nan
    truth[39, 15, 17] = np.inf
    options = {"normalisation": None, "data_range": 150.0, "stride": 1}
    x, y = truth.copy(), recording.copy()
    x[39, 15, 17] = y[20, 3, 4] = 0
    clear = np.ones(truth.shape, bool)
    clear[15:26, :9, :10] = False
    clear[34:, 10:, 12:] = False
    score = ssim3d(truth, recording, **options)
    assert score.value == pytest.approx(naive.ssim_map(x / 150, y / 150)[clear].mean(), abs=1e-5)
    assert score.left_out == np.count_nonzero(~clear)
    assert ssim3d(truth, recording, stride=1).left_out == score.left_out


def test_nothing_to_compare_is_nan(movie):
    truth, recording = movie(shape=(5, 12, 12))
    score = ssim3d(truth, recording * np.nan, normalisation="truth")
    assert math.isnan(score.value)
    assert score.left_out == 2 * 12 * 12
    with pytest.raises(InputError, match="no finite pixel"):
        ssim3d(truth, recording * np.nan)


def test_constant_recordings(movie, naive):
    truth, _ = movie(shape=(20, 12, 12))
    assert ssim3d(np.full_like(truth, 7), np.full_like(truth, 9)).value == pytest.approx(1)
    low, high = np.percentile(truth[::4].astype(float), (0.25, 99.9))
    scaled = (np.clip(truth[::4].astype(float), low, high) - low) / (high - low)
    expected = naive.ssim_map(scaled, np.zeros_like(scaled)).mean()
    assert ssim3d(truth, np.full_like(truth, 9)).value == pytest.approx(expected, abs=1e-5)


def test_conventions_differ_and_say_so(movie):
    truth, recording = movie()
    own, common = ssim3d(truth, recording / 2), ssim3d(truth, recording / 2, normalisation="truth")
    assert own.value > common.value + 0.1
    assert own.recording_range != own.truth_range
    assert common.recording_range == common.truth_range
    assert (own.options.normalisation, common.options.normalisation) == ("own", "truth")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalisation": "both"}, "'own', 'truth' or None"),
        ({"normalisation": None}, "data range goes with"),
        ({"data_range": 5}, "data range goes with"),
        ({"normalisation": None, "data_range": 0}, "positive"),
        ({"stride": 0}, "stride=0"),
        ({"percentiles": (50, 50)}, "rising"),
        ({"padding": "reflect"}, "'zero' or 'valid'"),
        ({"padding": "valid"}, r"8 frames \(1 in 4 of 30\) are fewer"),
    ],
)
def test_options_that_cannot_be(movie, options, message):
    with pytest.raises(InputError, match=message):
        ssim3d(*movie(), **options)


def test_frames_that_are_still_to_come(movie):
    truth, recording = movie()
    options = SSIM3DOptions(normalisation=None, data_range=1)
    score = SSIM3D(truth.shape, options, SSIM3DSurvey(options).scalings())
    score.add(truth[:9], recording[:9])
    with pytest.raises(InputError, match="3 of 8 frames"):
        score.result()
