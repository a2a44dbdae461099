import numpy as np
import pytest
from tests.denoisers.suite import DenoiserSuite

from freq2clean.denoisers.noise import survey
from freq2clean.denoisers.pca import PCA, optimal_weights
from freq2clean.errors import InputError
from freq2clean.simulation.simulator import simulate


class TestPCA(DenoiserSuite):
    denoiser = PCA()


def one_patch(n_frames, seed=0, side=16):
    """Two components on a bright patch; frames, truth."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    shapes = np.stack([np.exp(-((y - 5) ** 2 + (x - 6) ** 2) / 12), (x > 10) * 1.0])
    traces = 55 * np.cos(np.pi * np.outer(np.arange(n_frames) + 0.5, [1, 2]) / n_frames)
    truth = 300 + np.tensordot(traces, shapes, 1)
    return (truth + rng.normal(0, 20, truth.shape)).astype(np.float32), truth


def dense_svd_estimate(recording):
    """The whole-array reference: SVD of the scaled patch, singular values shrunk one by one."""
    n_frames = len(recording)
    noise_sd = survey(recording).noise_sd.astype(np.float64)
    mean = recording.mean(axis=0, dtype=np.float64)
    scaled = ((recording - mean) / noise_sd).reshape(n_frames, -1)
    u, s, vt = np.linalg.svd(scaled, full_matrices=False)
    few, many = sorted((n_frames - 1, scaled.shape[1]))
    beta, y = few / many, s / np.sqrt(many)
    shrunk = [
        np.sqrt((v**2 - beta - 1) ** 2 - 4 * beta) / v if v > 1 + np.sqrt(beta) else 0 for v in y
    ]
    low_rank = (u * (np.array(shrunk) * np.sqrt(many))) @ vt
    return mean + low_rank.reshape(recording.shape) * noise_sd


@pytest.mark.parametrize("n_frames", [12, 60, 255, 900])
def test_equals_a_dense_svd_of_one_patch(n_frames):
    recording, _ = one_patch(n_frames)
    assert PCA().fit(recording).patches, "the components must be found"
    np.testing.assert_allclose(
        PCA().fit(recording).predict(recording)[:], dense_svd_estimate(recording), atol=0.05
    )


def test_weights_are_those_of_gavish_and_donoho():
    """For a square matrix the Frobenius shrinker is sqrt(y^2 - 4), their equation 8."""
    y = np.array([1.5, 2.0, 2.5, 4.0, 100.0])
    weights = optimal_weights(100 * y**2, 100, 100)
    np.testing.assert_allclose(weights * y, np.sqrt(np.maximum(y**2 - 4, 0)), rtol=1e-12)
    np.testing.assert_array_equal(optimal_weights(y, 30, 70), optimal_weights(y, 70, 30))


def test_pure_noise_becomes_its_mean():
    rng = np.random.default_rng(4)
    noise = (rng.poisson(4, (600, 40, 40)) * 10).astype(np.float32)
    denoised = PCA().fit(noise).predict(noise)[:]
    assert (denoised - noise.mean(axis=0)).std() < 0.02 * noise.std()


def test_the_temporal_mean_is_kept(simulated):
    raw, _ = simulated
    denoised = PCA().fit(raw).predict(raw)[:]
    np.testing.assert_allclose(
        denoised.mean(axis=0, dtype=np.float64), raw.mean(axis=0), atol=1e-3 * raw.std()
    )


def test_better_than_the_mean_image(simulated, psnr):
    raw, truth = simulated
    denoised = PCA().fit(raw).predict(raw)[:]
    assert psnr(truth, denoised) > psnr(truth, raw.mean(axis=0)) + 0.5


def test_noise_that_bleeds_between_pixels_is_not_taken_for_components(psnr):
    recording = simulate((500, 48, 48), seed=8, bleed=0.7)
    raw, truth = recording.raw[:], recording.truth[:]
    model = PCA().fit(raw)
    assert model.findings["components"] < 6 * model.findings["patches"]
    assert psnr(truth, model.predict(raw)[:]) > psnr(truth, raw.mean(axis=0))


def test_survey_finds_gain_offset_and_bleed():
    rng = np.random.default_rng(6)
    light = np.linspace(2, 30, 64)
    counts = 50 * rng.poisson(light, (300, 64, 64)) + 10 + 20 * rng.normal(size=(300, 64, 64))
    plain = survey(counts.astype(np.float32))
    np.testing.assert_allclose(plain.noise_sd[5] ** 2, 50**2 * light + 400, rtol=0.05)
    assert np.count_nonzero(plain.correlation) == 1
    white = rng.normal(size=(200, 60, 60))
    white[:, :, 1:] += 0.5 * white[:, :, :-1].copy()
    lag = survey(white.astype(np.float32)).correlation
    assert lag[0, 4] == pytest.approx(0.4, abs=0.02)
    assert lag[0, 2] == pytest.approx(0.4, abs=0.02)
    assert abs(lag[1:]).max() < 0.03


def test_strips_of_a_large_field_equal_one_pass(noisy, monkeypatch):
    at_once = PCA(patch_pixels=8).fit(noisy)
    monkeypatch.setattr("freq2clean.denoisers.pca._MOMENT_BYTES", 1)
    seen = []
    in_strips = PCA(patch_pixels=8).fit(noisy, progress=lambda *report: seen.append(report))
    assert seen[-1] == (4 * 70, 4 * 70)
    np.testing.assert_allclose(in_strips.predict(noisy)[:], at_once.predict(noisy)[:], atol=1e-2)


def test_a_line_missing_from_a_patch_is_told_by_the_rest():
    recording, truth = one_patch(500)
    model = PCA().fit(recording)
    holed = recording.copy()
    holed[np.arange(500), np.arange(500) % 16] = 0
    whole_error = np.mean((model.predict(recording)[:] - truth) ** 2)
    holed_error = np.mean((PCA().fit(holed).predict(holed)[:] - truth) ** 2)
    assert holed_error < 1.3 * whole_error


def test_max_components_bounds_the_model():
    recording, _ = one_patch(300)
    model = PCA(max_components=1).fit(recording)
    assert model.findings["most_components_in_a_patch"] == 1
    strongest = PCA().fit(recording).patches[0]
    np.testing.assert_array_equal(model.patches[0].weights, strongest.weights[:1])


def test_another_field_is_refused(noisy):
    model = PCA().fit(noisy)
    with pytest.raises(InputError, match=r"frames of \(20, 27\) pixels, and these have \(20, 26\)"):
        model.predict(noisy[:, :, :26])
    assert model.predict(noisy[:5])[:].shape == (5, 20, 27)


@pytest.mark.parametrize(
    "options", [{"patch_pixels": 7}, {"patch_pixels": 64}, {"max_components": 0}]
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(InputError, match=r"; give (an even number, 4 to 32|a number from 1 up)"):
        PCA(**options)
