from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from scipy.fft import dctn, idctn

from freq2clean.errors import InputError
from freq2clean.fusion import Wiener
from freq2clean.fusion.survey import spread_runs
from freq2clean.fusion.windows import plan_windows


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


def reference(raw, denoised, *, n_bins, window, overlap):
    """The full 3-D transform of the residual, weighted one band and ring at a time."""
    noise, rings = noise_spectra(raw), rings_of(raw.shape[1:])
    residual = raw.astype(np.float64) - denoised
    fused, weights = denoised.astype(np.float64), []
    for w in plan_windows(len(raw), window=window, overlap=overlap):
        spectrum = dctn(residual[w.start : w.stop], norm="ortho")
        weight = np.zeros(spectrum.shape)
        for band in bands_of(min(n_bins, w.n_frames)):
            for ring in range(rings.max() + 1):
                here = np.zeros(spectrum.shape, bool)
                here[band.start : band.stop] = rings == ring
                level, power = noise[:, rings == ring].mean(), np.mean(spectrum[here] ** 2)
                error = np.sqrt(2 / here.sum() + 2 / noise[:, rings == ring].size)
                weight[here] = 1 - level / power if power > level * (1 + 2 * error) else 0
        weights.append(weight)
        back = idctn(weight * spectrum, norm="ortho")
        fused[w.start : w.stop] += w.taper[:, None, None] * back
    return fused, weights


@pytest.mark.parametrize(
    ("n_frames", "window", "overlap", "n_bins"),
    [(60, 60, 0.0, 60), (60, 60, 0.0, 1), (90, 40, 0.2, 12), (61, 25, 0.5, 25), (200, 200, 0, 30)],
)
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_equals_the_full_transform(n_frames, window, overlap, n_bins, dtype, make_pair):
    pair = make_pair((n_frames, 32, 36), dtype=dtype, level=200.0)
    method = Wiener(window=window, overlap=overlap, n_bins=n_bins)
    fused = method.fit(pair.raw, pair.denoised).apply(pair.denoised)
    expected, weights = reference(
        pair.raw, pair.denoised, n_bins=n_bins, window=window, overlap=overlap
    )
    assert np.max(weights) > 0.3
    data_range = np.ptp(pair.raw.astype(float))
    np.testing.assert_allclose(fused, expected, rtol=0, atol=1e-5 * data_range)


def test_weights_found_are_those_applied(make_pair):
    pair = make_pair((60, 32, 36))
    found = Wiener(n_bins=20).fit(pair.raw, pair.denoised).findings
    _, (weight,) = reference(pair.raw, pair.denoised, n_bins=20, window=60, overlap=0)
    rings, bands = rings_of((32, 36)), bands_of(20)
    assert len(found["weights"]) == len(bands)
    for band, row in zip(bands, found["weights"], strict=True):
        for ring, value in enumerate(row):
            np.testing.assert_allclose(weight[band.start][rings == ring], value, atol=1e-5)
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
