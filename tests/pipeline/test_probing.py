"""A probe: faint noise as the recording has it, and the gain that it measures."""

import json

import numpy as np
import pytest

from freq2clean.errors import InputError
from freq2clean.pipeline import run
from freq2clean.pipeline.probing import Probed
from freq2clean.recordings.memory import ArrayRecording
from freq2clean.simulation import simulate


@pytest.fixture(scope="module")
def recorded():
    return simulate((300, 96, 96), seed=11, snr_db=0.0, gain=25.0, read_noise=1.25)


def test_the_probe_is_a_fifth_of_the_noise(recorded):
    raw, truth = recorded.raw[:], recorded.truth[:]
    probed = Probed(ArrayRecording(raw))
    probe = probed[:] - raw
    noise = raw - truth
    assert probe.std() == pytest.approx(0.2 * noise.std(), rel=0.02)
    bright = truth.mean(axis=0) > np.quantile(truth.mean(axis=0), 0.9)
    assert probe[:, bright].std() == pytest.approx(0.2 * noise[:, bright].std(), rel=0.05)
    assert np.corrcoef(probe.ravel(), noise.ravel())[0, 1] == pytest.approx(0, abs=0.005)


def test_the_probe_is_the_same_in_any_block(recorded):
    probed = Probed(ArrayRecording(recorded.raw[:]))
    whole = probed[:]
    for start, stop in ((0, 1), (15, 17), (16, 32), (7, 100), (299, 300)):
        np.testing.assert_array_equal(probed.read(start, stop), whole[start:stop])


def test_what_was_not_measured_stays_so():
    raw = np.random.default_rng(0).poisson(20, (40, 24, 24)).astype(np.float32)
    raw[3, 4, 5] = np.nan
    raw[7, 9] = 0
    frames = Probed(ArrayRecording(raw))[:]
    assert np.isnan(frames).sum() == np.isnan(frames[3, 4, 5]) == 1
    assert not frames[7, 9].any()


def test_a_run_tells_its_gain(recorded, tmp_path):
    raw, truth = recorded.raw[:], recorded.truth[:]
    seen = []
    result = run(
        raw, model="gaussian", out=tmp_path / "fused.npy", keep_denoised=tmp_path / "kept.npy",
        probe=True, progress=lambda done, total: seen.append(done / total),
    )  # fmt: skip
    before, after = (
        np.square(np.load(tmp_path / name) - truth).mean(dtype=np.float64)
        for name in ("kept.npy", "fused.npy")
    )
    true_db = 10 * np.log10(before / after)
    low, high = result.gain.interval_db
    assert low < true_db < high < low + 3
    assert result.gain.db == pytest.approx(true_db, abs=0.5)
    assert result.gain.mse_change == pytest.approx(after - before, rel=0.2)
    assert result.gain.detail_px_fused <= result.gain.detail_px_denoised
    json.dumps(result.as_dict())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fused.npy", "kept.npy"]
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_what_does_not_go_is_refused_before_the_work(recorded, tmp_path):
    with pytest.raises(InputError, match="give out="):
        run(recorded.raw[:], probe=True)
    with pytest.raises(InputError, match="has 31 frames; a probe needs 32"):
        run(recorded.raw[:31], probe=True, out=tmp_path / "fused.npy")
    assert not list(tmp_path.iterdir())
