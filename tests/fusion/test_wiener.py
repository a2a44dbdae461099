from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from scipy.fft import dctn, idct, idctn
from scipy.ndimage import gaussian_filter
from tests.fusion.suite import MethodSuite

from freq2clean import Wiener
from freq2clean.errors import InputError
from freq2clean.fusion.survey import spread_runs
from freq2clean.fusion.windows import plan_windows


class TestWiener(MethodSuite):
    method = Wiener()


class TestWienerInWindows(MethodSuite):
    method = Wiener(window=30, n_bins=12)


def rings_of(shape):
    i, j = np.ogrid[: shape[0], : shape[1]]
    rings = 1 + np.floor(np.hypot(i / (2 * shape[0]), j / (2 * shape[1])) * 24).astype(int)
    rings[0, 0] = 0
    return rings


def bands_of(n_bins):
    edges = [0, 1]
    while edges[-1] < n_bins:
        edges.append(max(edges[-1] + 1, int(np.ceil(1.35 * edges[-1]))))
    return [range(a, min(b, n_bins)) for a, b in itertools.pairwise(edges)]


def noise_spectra(raw):
    """Spectra of fourth differences, up to 8 in each of 4 runs of 128 frames."""
    spectra = []
    for start, stop in spread_runs(len(raw), n_runs=4, length=128):
        n_groups = (stop - start) // 5
        for group in sorted({int(g) for g in np.linspace(0, n_groups - 1, 8)}):
            a, b, c, d, e = raw[start + 5 * group : start + 5 * group + 5].astype(np.float64)
            spectra.append(dctn((a - 4 * b + 6 * c - 4 * d + e) / np.sqrt(70), norm="ortho") ** 2)
    return np.stack(spectra)


def patches_of(image):
    """Corners of 8 x 8 patches that overlap by half, and the mirrored image they are cut from."""
    padded = np.pad(image, [(4, 4 + -n % 4) for n in image.shape], mode="symmetric")
    return padded, itertools.product(*(range(0, n - 4, 4) for n in padded.shape))


def locally(image, estimate, own, common):
    """Patch by patch, each coefficient weighted by what the estimate has there."""
    sine = np.sqrt(2) * np.sin(np.pi * (np.arange(8) + 0.5) / 8)
    taper, rings = np.outer(sine, sine), np.maximum(rings_of((8, 8)), 1)
    padded, corners = patches_of(image)
    expected, _ = patches_of(estimate)
    total = np.zeros_like(padded)
    for y, x in corners:
        patch = slice(y, y + 8), slice(x, x + 8)
        power = dctn(taper * expected[patch], norm="ortho") ** 2 + own[rings]
        weight = np.maximum(0, 1 - common[rings] / power)
        values = weight * dctn(taper * padded[patch], norm="ortho")
        total[patch] += taper * idctn(values, norm="ortho") / 4
    return total[4 : 4 + image.shape[0], 4 : 4 + image.shape[1]]


def reference(raw, denoised, *, n_bins, window, overlap):
    """The full transform of the residual, weighted one band and ring, then one patch at a time."""
    noise, rings = noise_spectra(raw), rings_of(raw.shape[1:])
    members = [rings == ring for ring in range(rings.max() + 1)]
    level = np.array([noise[:, ring].mean() for ring in members])
    noise_error = np.array([np.sqrt(2 / noise[:, ring].size) for ring in members])
    believed = np.minimum(level, noise[:, np.isin(rings, range(9, len(members)))].mean())
    residual = raw.astype(np.float64) - denoised
    fused, found = denoised.astype(np.float64), []
    for w in plan_windows(len(raw), window=window, overlap=overlap):
        spectrum = dctn(residual[w.start : w.stop], norm="ortho")
        change, weights, leak = np.zeros(spectrum.shape), [], np.zeros(len(members))
        for band in reversed(bands_of(min(n_bins, w.n_frames))):
            power = np.array([np.mean(spectrum[band][:, ring] ** 2) for ring in members])
            number = np.array([len(band) * ring.sum() for ring in members])
            most = power * (1 + 2 * np.sqrt(2 / number))
            leak = np.maximum(leak, 1 - np.sqrt(np.minimum(most / believed, 1)))
            leak[0] = 0
            own, common = (1 - leak) ** 2 * level, (1 - leak) * level
            shown = power > own * (1 + 2 * np.sqrt(2 / number + noise_error**2))
            weight = np.where(shown, 1 - own / power, 0)
            weights.insert(0, weight)
            for bin_ in band if weight.any() else ():
                estimate = idctn(weight[rings] * spectrum[bin_], norm="ortho")
                image = idctn(spectrum[bin_], norm="ortho")
                change[bin_] = locally(image, estimate, own, common)
                change[bin_] += estimate.mean() - change[bin_].mean()
        found.append(weights)
        fused[w.start : w.stop] += w.taper[:, None, None] * idct(change, axis=0, norm="ortho")
    return fused, found


@pytest.mark.parametrize(
    ("n_frames", "window", "overlap", "n_bins"),
    [(60, 60, 0.0, 60), (60, 60, 0.0, 1), (90, 40, 0.2, 12), (61, 25, 0.5, 25), (200, 200, 0, 30)],
)
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_equals_the_full_transform(n_frames, window, overlap, n_bins, dtype, make_pair):
    pair = make_pair((n_frames, 32, 36), dtype=dtype, level=200.0)
    method = Wiener(window=window, overlap=overlap, n_bins=n_bins)
    fused = method.fit(pair.raw, pair.denoised).apply(pair.denoised)
    expected, found = reference(
        pair.raw, pair.denoised, n_bins=n_bins, window=window, overlap=overlap
    )
    assert np.max(found) > 0.3
    data_range = np.ptp(pair.raw.astype(float))
    np.testing.assert_allclose(fused, expected, rtol=0, atol=1e-5 * data_range)


@pytest.mark.parametrize("offset", [0.0, 0.3, -0.6])
def test_a_level_below_the_noise_of_a_pixel_is_right(offset):
    truth = np.full((300, 96, 96), 50.0)
    raw = truth + np.random.default_rng(0).normal(0, 10, truth.shape)
    denoised = (truth + offset).astype(np.float32)
    fused = Wiener().fit(raw, denoised).apply(denoised)
    error = 10 / np.sqrt(truth.size)
    assert fused.mean(dtype=np.float64) == pytest.approx(50, abs=4 * error)


def test_weights_found_are_those_of_the_first_estimate(make_pair):
    pair = make_pair((60, 32, 36))
    found = Wiener(n_bins=20).fit(pair.raw, pair.denoised).findings
    _, (weights,) = reference(pair.raw, pair.denoised, n_bins=20, window=60, overlap=0)
    np.testing.assert_allclose(found["weights"], weights, atol=1e-5)
    assert found["band_edges_cycles_per_frame"][-1] == pytest.approx(20 / 120)
    assert json.loads(json.dumps(found)) is not None


@pytest.mark.parametrize("n_frames", [100, 600])
def test_white_noise_is_left_out(n_frames):
    """Weights pass at two standard errors, 2.3 % by chance; what passes then is next to nothing."""
    passed, added = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        truth = 100 + 40 * rng.random((1, 48, 48)) * (1 + rng.random((n_frames, 1, 1)))
        raw = truth + rng.normal(0, 30, truth.shape)
        fusion = Wiener(n_bins=n_frames // 2).fit(raw, truth)
        weights = np.array(fusion.findings["weights"])
        passed.append(np.mean(weights[:, 1:] > 0))
        added.append(np.mean((fusion.apply(truth) - truth) ** 2) / 900)
        assert fusion.findings["expected_mse_reduction"] < 1e-3 * 900
    assert np.mean(passed) < 0.06
    assert np.mean(added) < 5e-4
    assert np.max(added) < 1e-3


def test_without_a_residual_worth_it_one_bin_is_kept():
    rng = np.random.default_rng(0)
    truth = np.full((600, 64, 64), 100.0, np.float32)
    fusion = Wiener().fit(truth + rng.normal(0, 10, truth.shape), truth)
    assert fusion.findings["n_bins"] <= 10


def test_memory_bounds_the_bins_and_it_is_said(make_pair):
    pair = make_pair((60, 32, 36))
    fusion = Wiener(n_bins=40).fit(pair.raw, pair.denoised, memory_bytes=16 * 32 * 36 * 9)
    assert fusion.findings["n_bins"] == 9
    assert fusion.findings["n_bins_limited_by_memory"]
    assert not Wiener(n_bins=40).fit(pair.raw, pair.denoised).findings["n_bins_limited_by_memory"]


def test_noise_found_is_the_noise_put_in(make_pair):
    pair = make_pair((400, 48, 48), noise=20.0)
    found = Wiener().fit(pair.raw, pair.denoised).findings
    assert found["noise_sd"] == pytest.approx(20, rel=0.02)
    assert found["noise"]["gain"] * 100 + found["noise"]["offset"] == pytest.approx(400, rel=0.05)


def test_no_bins_are_refused():
    with pytest.raises(InputError, match="n_bins = 0; give 1 or more"):
        Wiener(n_bins=0)


def test_a_denoised_recording_that_keeps_the_raw_mean_gets_a_cleaner_one():
    """As a projection does: the residual says nothing, the noise of the mean is all known."""
    rng = np.random.default_rng(0)
    scene = 50 + 30 * gaussian_filter(rng.standard_normal((64, 64)), 2) / 0.14
    raw = (scene + rng.normal(0, 40, (300, 64, 64))).astype(np.float32)
    denoised = np.broadcast_to(raw.mean(axis=0), raw.shape)
    fusion = Wiener(n_bins=4).fit(raw, denoised)
    before, after = (np.mean((x - scene) ** 2) for x in (denoised, fusion.apply(denoised)))
    assert after < 0.7 * before
    gained = fusion.findings["expected_mse_reduction"]
    assert gained == pytest.approx(before - after, rel=0.3)


def test_a_clean_mean_is_left_as_it_is(make_pair):
    rng = np.random.default_rng(0)
    truth = 100 + 40 * gaussian_filter(rng.standard_normal((1, 64, 64)), (0, 2, 2)) / 0.14
    raw = (truth + rng.normal(0, 30, (300, 64, 64))).astype(np.float32)
    denoised = (truth + rng.normal(0, 1, raw.shape)).astype(np.float32)
    fused = Wiener(n_bins=8).fit(raw, denoised).apply(denoised)
    before, after = (np.mean((x - truth) ** 2) for x in (denoised, fused))
    assert after < 1.01 * before


@pytest.mark.parametrize("n_frames", [1, 2, 3, 4])
def test_noise_that_cannot_be_measured_is_not_let_in(n_frames, make_pair, fuse):
    """Up to four frames show no noise apart from signal, so nothing is taken from them."""
    pair = make_pair((n_frames, 16, 16))
    fused = fuse(Wiener(), pair.raw, pair.denoised)
    np.testing.assert_array_equal(fused, pair.denoised)


def test_a_mask_over_most_of_the_field_leaves_the_noise_measurable(make_pair, fuse):
    """A round field of view: weights must come from the noise inside, not from none."""
    pair = make_pair((100, 24, 24))
    y, x = np.ogrid[-1:1:24j, -1:1:24j]
    outside = np.hypot(y, x) > 0.7
    assert outside.mean() > 0.5
    rng = np.random.default_rng(1)
    raw = pair.denoised + rng.normal(0, 20, pair.raw.shape).astype(np.float32)
    raw[:, outside] = np.nan
    fused = fuse(Wiener(n_bins=50), raw, pair.denoised)
    change = (fused - pair.denoised)[:, ~outside]
    assert np.sqrt(np.mean(change**2)) < 0.05 * 20
