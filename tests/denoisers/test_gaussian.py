import itertools

import numpy as np
import pytest
from scipy.fft import dct, dctn
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from tests.denoisers.suite import DenoiserSuite

from freq2clean.denoisers.gaussian import Gaussian, estimated_risks
from freq2clean.errors import InputError
from freq2clean.simulation.simulator import simulate


class TestGaussian(DenoiserSuite):
    denoiser = Gaussian()


@pytest.mark.parametrize(
    ("sigma_t", "sigma_yx"), [(0, 1.3), (2.2, 0), (1.0, 0.6), (6.0, 2.5), (40.0, 7.0)]
)
def test_equals_scipy_on_the_whole_array(noisy, sigma_t, sigma_yx):
    model = Gaussian(sigma_t_frames=sigma_t, sigma_yx_pixels=sigma_yx).fit(noisy)
    expected = gaussian_filter(noisy.astype(np.float64), (sigma_t, sigma_yx, sigma_yx))
    np.testing.assert_allclose(model.predict(noisy)[:], expected, rtol=2e-6)


def test_missing_values_equal_scipy_normalised(noisy):
    widths = 1.5, 0.8, 0.8
    holed = noisy.astype(np.float32)
    holed[10:15, 5] = 0
    holed[40] = 0
    holed[20:30, 12, 6:9] = np.nan
    valid = np.isfinite(holed) & (holed > 0)
    weight = gaussian_filter(valid.astype(np.float64), widths)
    expected = gaussian_filter(np.where(valid, holed, 0.0), widths) / weight
    expected[np.isnan(holed)] = np.nan
    model = Gaussian(sigma_t_frames=1.5, sigma_yx_pixels=0.8).fit(holed)
    np.testing.assert_allclose(model.predict(holed)[:], expected, rtol=1e-5)


def test_widths_are_within_a_third_of_a_decibel_of_the_best(simulated, psnr):
    raw, truth = simulated
    model = Gaussian().fit(raw)
    grid = itertools.product(model.risk["sigma_t_frames"][::2], (0.0, 0.4, 0.57, 0.8, 1.13, 1.6))
    best = max(psnr(truth, gaussian_filter(raw.astype(np.float32), (t, yx, yx))) for t, yx in grid)
    assert psnr(truth, model.predict(raw)[:]) > best - 0.3


def test_expected_error_is_the_true_one(simulated):
    raw, truth = simulated
    for widths in [(1.0, 0.5), (2.0, 1.0)]:
        model = Gaussian(sigma_t_frames=widths[0]).fit(raw)
        column = int(np.argmin(np.abs(np.array(model.risk["sigma_yx_pixels"]) - widths[1])))
        risk = model.risk["mean_squared_error"][0][column]
        sigma = model.risk["sigma_yx_pixels"][column]
        filtered = gaussian_filter(raw.astype(np.float64), (widths[0], sigma, sigma))
        assert risk == pytest.approx(np.mean((filtered - truth) ** 2), rel=0.15)


def test_risk_equals_steins_formula_on_the_array():
    """Residual plus twice the mean product of noise and filtered noise, less the noise.

    Both from the upper half of the temporal frequencies, scaled up to all of them.
    """
    x = np.random.default_rng(2).normal(0, 3, (16, 12, 10))
    widths = 1.2, 0.9, 0.9
    coefficients = dctn(x, norm="ortho")
    high = dct(x, axis=0, norm="ortho")[8:]
    temporal_trace = sum(gaussian_filter1d(e, 1.2)[i] for i, e in enumerate(np.eye(16)))
    noise = np.mean(high**2)
    passed = np.mean(high * gaussian_filter(high, (0, 0.9, 0.9))) * temporal_trace / 16
    expected = np.mean((gaussian_filter(x, widths) - x) ** 2) + 2 * passed - noise
    risk = estimated_risks(coefficients**2, (1.2,), (0.9,))
    np.testing.assert_allclose(risk, [[expected]], rtol=1e-9)


def test_noise_that_bleeds_between_pixels_is_not_taken_for_signal(psnr):
    recording = simulate((300, 48, 48), seed=8, bleed=0.7)
    raw, truth = recording.raw[:].astype(np.float32), recording.truth[:]
    grid = itertools.product((2.0, 4.0, 8.0, 16.0), (0.0, 0.4, 0.57, 0.8, 1.13, 1.6))
    best = max(psnr(truth, gaussian_filter(raw, (t, yx, yx))) for t, yx in grid)
    assert psnr(truth, Gaussian().fit(raw).predict(raw)[:]) > best - 0.3


def test_a_recording_without_noise_is_left_alone():
    t, y, x = np.meshgrid(np.arange(64), np.arange(20), np.arange(22), indexing="ij")
    clean = 100 + 30 * np.sin(t / 20) * np.cos(y / 2) + 40 * ((x // 3) % 2)
    denoised = Gaussian().fit(clean).predict(clean)[:]
    assert np.sqrt(np.mean((denoised - clean) ** 2)) < 1e-3 * clean.std()


def test_large_frames_are_sampled():
    rng = np.random.default_rng(0)
    recording = rng.normal(10, 1, (20, 300, 280)).astype(np.float32)
    model = Gaussian().fit(recording)
    assert model.sigma_t_frames >= 8
    assert model.sigma_yx_pixels >= 2


@pytest.mark.parametrize("options", [{"sigma_t_frames": -1}, {"sigma_yx_pixels": float("nan")}])
def test_widths_out_of_range_are_refused(options):
    with pytest.raises(InputError, match=r"give 0 to 1000 (frames|pixels), or None"):
        Gaussian(**options)
