import math

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from freq2clean.errors import InputError
from freq2clean.metrics import ssim_frames
from freq2clean.metrics.ssim import FrameSSIM
from freq2clean.metrics.window import FrameWindow, mass_along


def by_skimage(truth, recording, data_range):
    return np.mean(
        [
            structural_similarity(
                x.astype(float),
                y.astype(float),
                data_range=data_range,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
            for x, y in zip(truth, recording, strict=True)
        ]
    )


@pytest.mark.parametrize("shape", [(1, 11, 11), (3, 11, 40), (4, 25, 18)])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4", "f8"])
def test_equals_scikit_image(movie, shape, dtype):
    truth, recording = movie(shape=shape, dtype=dtype)
    expected = by_skimage(truth, recording, 150.0)
    assert ssim_frames(truth, recording, data_range=150) == pytest.approx(expected, abs=1e-6)


def test_keeps_its_digits_on_a_large_offset(movie):
    truth, recording = movie(dtype=np.float64, offset=1e6)
    expected = by_skimage(truth, recording, 150.0)
    assert ssim_frames(truth, recording, data_range=150) == pytest.approx(expected, abs=1e-5)


def test_windows_with_missing_pixels_are_left_out(movie, naive):
    truth, recording = movie(shape=(1, 30, 40))
    recording[0, 3, 4] = np.nan
    truth[0, 20, 39] = np.nan
    filled = np.nan_to_num(np.stack([truth[0], recording[0]]).astype(float)) / 150
    similarity = naive.ssim_map(*filled)
    clear = np.zeros((30, 40), bool)
    clear[5:-5, 5:-5] = True
    clear[:9, :10] = False
    clear[15:26, 34:] = False
    assert ssim_frames(truth, recording, data_range=150) == pytest.approx(
        similarity[clear].mean(), abs=1e-6
    )


def test_frames_missing_altogether_are_left_out(movie):
    truth, recording = movie(shape=(4, 16, 16))
    expected = ssim_frames(truth[1:], recording[1:], data_range=99)
    recording[0] = np.nan
    assert ssim_frames(truth, recording, data_range=99) == pytest.approx(expected, abs=1e-7)
    assert math.isnan(ssim_frames(truth, recording * np.nan, data_range=99))


def test_any_blocks_equal_the_whole(movie):
    truth, recording = movie()
    parts = FrameSSIM(truth.shape[1:], data_range=99)
    for start in range(0, len(truth), 7):
        parts.add(truth[start : start + 7], recording[start : start + 7])
    assert parts.result() == ssim_frames(truth, recording, data_range=99)


def test_identical_is_one_and_constant_frames_score_by_their_means():
    flat = np.full((2, 12, 12), 50.0)
    assert ssim_frames(flat, flat, data_range=100) == 1
    expected = (2 * 0.5 * 0.25 + 1e-4) / (0.5**2 + 0.25**2 + 1e-4)
    assert ssim_frames(flat, flat / 2, data_range=100) == pytest.approx(expected, abs=1e-6)


def test_errors(movie):
    with pytest.raises(TypeError, match="data_range"):
        ssim_frames(*movie())
    with pytest.raises(InputError, match="10 rows are fewer than the 11"):
        ssim_frames(*movie(shape=(20, 10, 20)), data_range=1)


@pytest.mark.parametrize("padding", ["zero", "valid"])
def test_window_equals_a_dense_convolution(naive, padding):
    from scipy.ndimage import convolve

    images = np.random.default_rng(0).random((3, 17, 53)).astype(np.float32)
    expected = np.stack([convolve(i, naive.gaussian(2), mode="constant") for i in images])
    mass = convolve(np.ones((17, 53)), naive.gaussian(2), mode="constant")
    inside = slice(None) if padding == "zero" else slice(5, -5)
    window = FrameWindow((17, 53), padding=padding)
    np.testing.assert_allclose(window.smooth(images), expected[:, inside, inside], atol=1e-6)
    np.testing.assert_allclose(window.mass, mass[inside, inside], atol=1e-12)


def test_mass_of_an_axis_shorter_than_the_window(naive):
    np.testing.assert_allclose(mass_along(1, "zero"), naive.gaussian(1)[5:6])
