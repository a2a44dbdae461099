"""Fusion shows what the recording holds: no cell from noise, no activity from a neighbour."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.feature import blob_log

from freq2clean import denoise
from freq2clean.fusion import METHODS, get_method
from freq2clean.simulation import imitate_denoiser

CHOOSING = sorted(METHODS.keys() - {"fft", "dct"})
DENOISERS = ("imitated", "gaussian", "pca")
N_FRAMES, SIZE = 300, 64
COUNTS_PER_PHOTON, OFFSET, READ_NOISE = 25.0, 20.0, 5.0
ROWS, COLUMNS = np.mgrid[:SIZE, :SIZE]
BACKGROUND = 0.6 + 0.5 * np.exp(-((ROWS - 20) ** 2 + (COLUMNS - 40) ** 2) / (2 * 25**2))


def disc(row, column):
    """A cell of nine pixels across."""
    filled = np.hypot(ROWS - row, COLUMNS - column) < 4.5
    return gaussian_filter(filled.astype(float), 0.7)


def course(seed):
    """Transients that decay over 15 frames."""
    onsets = np.zeros(N_FRAMES)
    onsets[np.random.default_rng(seed).integers(0, N_FRAMES, 12)] = 1
    return np.convolve(onsets, np.exp(-np.arange(60) / 15))[:N_FRAMES]


def expose(photons, seed):
    """The truth in counts, and a recording of it."""
    rng = np.random.default_rng(seed)
    counts = COUNTS_PER_PHOTON * rng.poisson(photons) + rng.normal(
        OFFSET, READ_NOISE, photons.shape
    )
    truth = (COUNTS_PER_PHOTON * photons + OFFSET).astype(np.float32)
    return truth, np.rint(np.clip(counts, 0, None)).astype(np.uint16)


def denoised_by(name, truth, raw):
    return imitate_denoiser(truth, raw) if name == "imitated" else denoise(raw, model=name)


def noise_sd(truth):
    """Of single values, (T, Y, X)."""
    return np.sqrt(COUNTS_PER_PHOTON * (truth - OFFSET) + READ_NOISE**2)


def count_blobs(image):
    """Bright blobs of a cell's size in an image in units of its typical standard error."""
    found = blob_log(
        image, min_sigma=2, max_sigma=5, num_sigma=4, threshold=1.0, exclude_border=False
    )
    return len(found)


@pytest.fixture(scope="module", params=DENOISERS)
def empty(request):
    """Noise over a smooth background: truth, raw, denoised."""
    truth, raw = expose(np.broadcast_to(BACKGROUND, (N_FRAMES, SIZE, SIZE)), seed=11)
    return truth, raw, denoised_by(request.param, truth, raw)


@pytest.mark.parametrize("method", CHOOSING)
def test_no_cell_from_noise(method, empty, fuse):
    truth, raw, denoised = empty
    fused = fuse(get_method(method), raw, denoised)
    standard_error = noise_sd(truth[0]) / np.sqrt(N_FRAMES)
    deviation, before = ((x.mean(axis=0) - truth[0]) / standard_error for x in (fused, denoised))
    assert abs(deviation).max() < 4.5
    assert deviation.std() < before.std() + 0.05
    typical = standard_error.mean()
    assert count_blobs(truth[0] / typical) == 0
    assert count_blobs(fused.mean(axis=0) / typical) == 0
    assert count_blobs(fused.std(axis=0) / typical) == 0
    added = fused.std(axis=0).mean() - denoised.std(axis=0).mean()
    assert added < 0.005 * noise_sd(truth[0]).mean()


@pytest.mark.parametrize("method", CHOOSING)
def test_a_faint_cell_is_found(method, fuse):
    """The detector would see a cell that is there, and one that fires."""
    still, firing = disc(20, 20), disc(44, 40)
    photons = BACKGROUND + 0.25 * still + 0.8 * course(3)[:, None, None] * firing
    truth, raw = expose(photons, seed=12)
    fused = fuse(get_method(method), raw, denoised_by("imitated", truth, raw))
    typical = noise_sd(truth).mean() / np.sqrt(N_FRAMES)
    assert count_blobs(fused.mean(axis=0) / typical) == 2
    assert count_blobs(fused.std(axis=0) / typical) == 1


def share_of(activity, recording, where):
    """Counts by which the mean trace of some pixels follows a course: a regression coefficient."""
    deviation = activity - activity.mean()
    return deviation @ recording[:, where].mean(axis=1, dtype=np.float64) / (deviation @ deviation)


@pytest.fixture(scope="module", params=DENOISERS)
def neighbours(request):
    """A cell that fires beside one that does not, and others that fire elsewhere."""
    active, silent = disc(30, 26), disc(30, 36)
    photons = BACKGROUND + 0.8 * active + silent + 2.5 * course(5)[:, None, None] * active
    for seed, cell in ((6, disc(10, 12)), (7, disc(52, 50))):
        photons = photons + course(seed)[:, None, None] * cell
    truth, raw = expose(photons, seed=13)
    return truth, raw, denoised_by(request.param, truth, raw), active > 0.5, silent > 0.9


@pytest.mark.parametrize("method", CHOOSING)
def test_a_silent_cell_stays_silent(method, neighbours, fuse):
    truth, raw, denoised, active, silent = neighbours
    fused = fuse(get_method(method), raw, denoised)
    firing = course(5)
    whole = share_of(firing, truth, active)
    crosstalk, leaked, true = (
        share_of(firing, x, silent) / whole for x in (fused, denoised, truth)
    )
    spread = np.sqrt(silent.sum() * np.square(firing - firing.mean()).sum())
    standard_error = noise_sd(truth)[:, silent].mean() / spread / whole
    print({"crosstalk": crosstalk, "of denoised": leaked, "standard error": standard_error})
    assert abs(crosstalk - true) < 0.01 + 3 * standard_error
    assert abs(crosstalk - true) < abs(leaked - true) + 2 * standard_error
    own = share_of(firing, fused, active) / whole
    assert own > share_of(firing, denoised, active) / whole - 0.01
