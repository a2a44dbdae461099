from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.quality.conditions import DENOISERS, Condition, around_base, cross
from benchmarks.quality.page import write_page
from benchmarks.quality.results import Row, Rows, Table
from benchmarks.quality.scoring import (
    BEST_ALPHA,
    METRICS,
    NAMES,
    fusion_by,
    score,
    with_best_alpha,
    with_true_weights,
)

from freq2clean import Fft, Wiener, evaluate, simulate
from freq2clean.simulation import imitate_denoiser


def squared_error(truth, recording):
    return np.mean((recording - truth) ** 2, dtype=np.float64)


@pytest.fixture(scope="module")
def recordings():
    simulated = simulate((120, 48, 48), seed=500)
    truth, raw = simulated.truth[:], simulated.raw[:]
    return truth, raw, imitate_denoiser(truth, raw)


def test_conditions_cross_every_axis_or_stay_near_the_base():
    crossed = cross()
    assert len(set(crossed)) == len(crossed) == 5 * 3 * 2 * 2 * 3 * len(DENOISERS)
    short = around_base()
    assert len(set(short)) == len(short)
    assert set(short) < set(crossed)
    assert all(len(condition.differences()) <= 2 for condition in short)


def test_no_alpha_beats_the_best(recordings):
    truth, raw, denoised = recordings
    best = squared_error(truth, with_best_alpha(truth, raw, denoised))
    for alpha in (0.0, 0.3, 0.6, 0.85, 1.0):
        fused = Fft(alpha=alpha, matching="histogram").fit(raw, denoised).apply(denoised)
        assert best <= squared_error(truth, fused) * (1 + 1e-6)


def test_true_weights_bound_wiener(recordings):
    truth, raw, denoised = recordings
    bound = squared_error(truth, with_true_weights(truth, raw, denoised))
    wiener = squared_error(truth, Wiener().fit(raw, denoised).apply(denoised))
    assert bound < wiener < squared_error(truth, denoised)


def test_scores_are_those_of_the_package(recordings):
    truth, _, denoised = recordings
    found, expected = score(truth, denoised), evaluate(truth, denoised, data_range="q99.9")
    assert found["psnr_db"] == pytest.approx(expected.psnr_db)
    assert found["psnr_active_db"] == pytest.approx(expected.psnr_active_db)
    assert found["ssim3d_own"] == pytest.approx(expected.ssim3d.value)
    assert found["trace_corr"] == pytest.approx(expected.active_correlation.mean)
    assert found["stsnr_db"] == pytest.approx(expected.snr.stsnr_db)
    assert found["mse"] == pytest.approx(squared_error(truth, denoised))


def test_a_fusion_tells_what_it_expects(recordings):
    fused, expected = fusion_by("wiener")(*recordings)
    assert fused.shape == recordings[0].shape
    assert expected > 0
    assert np.isnan(fusion_by(BEST_ALPHA)(*recordings)[1])


def row(condition, method, *, seed=1, psnr_db=20.0, mse=1.0, expected=0.0):
    values = {**dict.fromkeys(METRICS, psnr_db), "mse": mse, "expected_mse_reduction": expected}
    return Row(condition, 64, seed, method, values)


def test_rows_survive_a_run_that_was_stopped(tmp_path):
    path = tmp_path / "scores.csv"
    drifting = Condition(motion="drift", snr_db=0.0)
    first, second = row(drifting, "wiener", psnr_db=1 / 3), row(Condition(), "fft")
    rows = Rows(path)
    rows.add(first)
    rows.add(second)
    path.write_bytes(path.read_bytes()[:-2])
    again = Rows(path)
    assert again.all == [first]
    assert again.keys == {first.key}
    again.add(second)
    assert Rows(path).all == [first, second]


def test_a_table_holds_means_over_seeds_and_what_was_foretold():
    base = Condition()
    scores = Table(
        [
            row(base, "denoised", seed=1, psnr_db=20.0, mse=10.0),
            row(base, "denoised", seed=2, psnr_db=22.0, mse=10.0),
            row(base, "wiener", seed=1, psnr_db=25.0, mse=1.0, expected=9.0),
            row(base, "wiener", seed=2, psnr_db=25.0, mse=5.0, expected=11.0),
        ]
    )
    assert scores.gain(base, "wiener", "denoised") == pytest.approx(4)
    assert np.isnan(scores.gain(base, "dct", "denoised"))
    np.testing.assert_allclose(scores.foretold("wiener"), [(10, 10), (10 * np.log10(2), 20)])


def test_the_page_names_losses():
    base, drifting = Condition(), replace(Condition(), motion="drift")
    better = [row(c, name) for c in (base, drifting) for name in NAMES if name != "wiener"]
    losing = [row(base, "wiener", psnr_db=20.1), row(drifting, "wiener", psnr_db=19.5)]
    page = write_page(Table([*better, *losing]), command="it", images=["a"])
    assert (
        "- Beside denoised, on all pixels: **worse in 1 of 2 conditions**: "
        "-0.50 dB (imitated, drift 4 px)." in page
    )
    assert "- Beside denoised, on active pixels: no loss; the least gain is +0.00 dB." in page
    assert "![a](images/a.png)" in page
