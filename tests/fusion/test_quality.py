"""Closer to the truth than either recording: on simulated tissue, on seeds not used in tuning."""

from __future__ import annotations

import numpy as np
import pytest

from freq2clean import Fft, Wiener
from freq2clean.simulation import imitate_denoiser, simulate

ACCEPTANCE_SEEDS = (1101, 1102)


def gain_db(pair, fused):
    """How far the error of the denoised recording falls."""
    before, after = (
        np.mean((x - pair.truth) ** 2, dtype=np.float64) for x in (pair.denoised, fused)
    )
    return 10 * np.log10(before / after)


def best_fft(pair, matching):
    """The study's fusion at the alpha that the truth likes best; its error is quadratic in it."""
    full = Fft(alpha=1.0, matching=matching).fit(pair.raw, pair.denoised).apply(pair.denoised)
    change, wanted = full - pair.denoised, pair.truth - pair.denoised
    share = np.sum(change * wanted, dtype=np.float64) / np.sum(change**2, dtype=np.float64)
    alpha = float(np.clip(share, 0, 1))
    method = Fft(alpha=alpha, matching=matching)
    return method.fit(pair.raw, pair.denoised).apply(pair.denoised), alpha


def true_and_expected(pair, fusion, fused):
    before, after = (
        np.mean((x - pair.truth) ** 2, dtype=np.float64) for x in (pair.denoised, fused)
    )
    return before - after, fusion.findings["expected_mse_reduction"]


def figures(pair):
    """All gains in dB over the denoised recording, printed with ``-s``."""
    fusion = Wiener().fit(pair.raw, pair.denoised)
    fused = fusion.apply(pair.denoised)
    found = {"wiener": gain_db(pair, fused), "n_bins": fusion.findings["n_bins"]}
    true, expected = true_and_expected(pair, fusion, fused)
    found["expected over true"] = expected / true if true else np.nan
    for matching in ("histogram", "affine", "none"):
        fused, alpha = best_fft(pair, matching)
        found[f"fft {matching}"], found[f"alpha {matching}"] = gain_db(pair, fused), alpha
    print({key: round(float(value), 3) for key, value in found.items()})
    return found


def test_wiener_gains_on_the_denoised_and_on_the_study(simulated):
    found = figures(simulated)
    assert found["wiener"] > 3.5
    assert found["wiener"] > found["fft histogram"] + 1.5


def test_the_gain_is_foretold_without_the_truth(simulated):
    fusion = Wiener().fit(simulated.raw, simulated.denoised)
    true, expected = true_and_expected(simulated, fusion, fusion.apply(simulated.denoised))
    assert expected == pytest.approx(true, rel=0.15)


@pytest.mark.parametrize("noise", [0.02, 0.1])
def test_a_denoised_recording_that_is_the_truth_stays_so(noise, simulated):
    """Noise of its own, as a share of the raw recording's."""
    rng = np.random.default_rng(0)
    sd = noise * np.std(simulated.raw - simulated.truth)
    faint = simulated.truth + rng.normal(0, sd, simulated.truth.shape).astype(np.float32)
    pair = type(simulated)(simulated.raw, faint, simulated.truth)
    assert gain_db(pair, Wiener().fit(pair.raw, pair.denoised).apply(pair.denoised)) > -0.1


def acceptance_pair(make, seed, **options):
    recording = simulate((1500, 192, 192), seed=seed, snr_db=-5.5, **options)
    raw, truth = recording.raw[:], recording.truth[:]
    return make(raw, imitate_denoiser(truth, raw), truth)


@pytest.mark.slow
@pytest.mark.parametrize("seed", ACCEPTANCE_SEEDS)
def test_acceptance(seed, simulated):
    pair = acceptance_pair(type(simulated), seed)
    found = figures(pair)
    assert found["wiener"] >= 3.5
    assert found["wiener"] >= found["fft histogram"] + 1.5
    assert found["expected over true"] == pytest.approx(1, rel=0.15)
    rng = np.random.default_rng(seed)
    for share in (0.01, 0.03, 0.1):
        faint = rng.standard_normal(pair.truth.shape, np.float32)
        faint *= np.float32(share * np.std(pair.raw - pair.truth))
        near = type(pair)(pair.raw, pair.truth + faint, pair.truth)
        gain = gain_db(near, Wiener().fit(near.raw, near.denoised).apply(near.denoised))
        print({"faint noise": share, "wiener": round(float(gain), 4)})
        assert gain > -0.1


@pytest.mark.slow
@pytest.mark.parametrize("seed", ACCEPTANCE_SEEDS)
def test_acceptance_with_drift(seed, simulated):
    found = figures(acceptance_pair(type(simulated), seed, drift_px=8.0))
    assert found["wiener"] > -0.05
