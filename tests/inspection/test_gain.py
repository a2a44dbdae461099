"""Gains that are known, measured without looking at the truth."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter

from freq2clean.fusion.rings import ring_index, ring_sums
from freq2clean.inspection.gain import GainMoments, gain_runs

SHAPE = (256, 96, 80)
NOISE_SD = 3.0


@pytest.fixture(scope="module")
def scene():
    """Truth, raw recording and probe."""
    rng = np.random.default_rng(0)
    image = 50 + 20 * gaussian_filter(rng.standard_normal(SHAPE[1:]), 1.5)
    course = 1 + 0.2 * np.sin(np.arange(SHAPE[0]) / 15)
    truth = (image * course[:, None, None]).astype(np.float32)
    raw = truth + rng.normal(0, NOISE_SD, SHAPE).astype(np.float32)
    probe = rng.normal(0, 0.2 * NOISE_SD, SHAPE).astype(np.float32)
    return truth, raw, probe


def blur(frames):
    return gaussian_filter(frames, (0, 2, 2))


def smooth(frames):
    return gaussian_filter(frames, (4, 0.5, 0.5))


def halved(frames):
    return (frames + smooth(frames)) / 2


def measured(scene, denoise, fuse):
    truth, raw, probe = scene
    denoised, fused = denoise(raw), fuse(raw)
    echoes = denoise(raw + probe) - denoised, fuse(raw + probe) - fused
    moments = GainMoments(SHAPE[1:])
    for start, stop in gain_runs(raw.shape):
        run = slice(start, stop)
        moments.add(
            raw[run], denoised[run], fused[run],
            probe=probe[run], echoes=(echoes[0][run], echoes[1][run]),
        )  # fmt: skip
    errors = [float(np.square(x - truth).mean(dtype=np.float64)) for x in (denoised, fused)]
    return moments.solve(), errors, fused - fuse(truth)


@pytest.mark.parametrize(
    ("denoise", "fuse"), [(blur, smooth), (smooth, blur), (halved, smooth), (blur, halved)]
)
def test_gain_is_the_true_one(scene, denoise, fuse):
    gain, (before, after), noise = measured(scene, denoise, fuse)
    assert gain.mse_denoised == pytest.approx(before, rel=0.1)
    assert gain.mse_fused == pytest.approx(after, rel=0.1)
    assert abs(gain.mse_change - (after - before)) < 4 * gain.mse_change_error
    true_db = 10 * np.log10(before / after)
    assert gain.db == pytest.approx(true_db, abs=0.3)
    low, high = gain.interval_db
    assert low < true_db < high
    assert gain.noise_left == pytest.approx(np.square(noise).mean(), rel=0.05)


def true_ring_correlation(truth, recording):
    """By the DCT of each tile of each run, all frequencies in time together."""
    sums = 0
    for start, stop in gain_runs(truth.shape):
        tiles = (
            dctn(x[start:stop].reshape(-1, 2, 48, 2, 40), axes=(0, 2, 4), norm="ortho")
            for x in (truth, recording)
        )
        s, z = (tile.transpose(0, 1, 3, 2, 4) for tile in tiles)
        index = ring_index((48, 40))
        sums = sums + np.array([ring_sums(p, index).sum((0, 1, 2)) for p in (s * z, s * s, z * z)])
    return sums[0] / np.sqrt(sums[1] * sums[2])


def test_ring_correlation_is_that_with_the_truth(scene):
    truth, raw, _ = scene
    gain, *_ = measured(scene, blur, smooth)
    for found, recording in (
        (gain.ring_correlation_denoised, blur(raw)),
        (gain.ring_correlation_fused, smooth(raw)),
    ):
        expected = true_ring_correlation(truth, recording)
        seen = [k for k, value in enumerate(found) if value is not None]
        assert len(seen) >= 5
        for k in seen[:5]:
            assert found[k] == pytest.approx(expected[k], abs=0.03)
    assert gain.detail_px_fused <= gain.detail_px_denoised < 16


def test_the_map_shows_where_it_gained(scene):
    def left_only(frames):
        fused = blur(frames)
        fused[..., :40] = smooth(frames)[..., :40]
        return fused

    gain, *_ = measured(scene, blur, left_only)
    rows, columns = len(gain.map_db), len(gain.map_db[0])
    assert (rows, columns) == (2, 2)
    assert gain.tile_shape == (48, 40)
    for left, right in gain.map_db:
        assert left > 3
        assert abs(right) < 1


def test_the_same_is_no_gain(scene):
    gain, *_ = measured(scene, smooth, smooth)
    assert gain.db == 0
    assert gain.mse_change == 0


def test_what_is_less_than_chance_is_not_told(scene):
    truth, _, _ = scene
    gain, (_, after), _ = measured(scene, smooth, lambda frames: truth)
    assert after == 0
    assert gain.db is None
    assert gain.interval_db[1] is None
    assert gain.interval_db[0] > 3
    json.dumps(asdict(gain))


def test_values_that_are_missing_are_left_out(scene):
    truth, raw, probe = scene
    broken = raw.copy()
    broken[5, 10:20, 10:20] = np.nan
    broken[50, 3] = 0

    def filled_smooth(frames):
        return smooth(np.where(np.isnan(frames) | (frames == 0), truth, frames))

    with_nan = filled_smooth(broken)
    with_nan[5, 10:20, 10:20] = np.nan
    moments = GainMoments(SHAPE[1:])
    denoised = blur(truth)
    for start, stop in gain_runs(raw.shape):
        run = slice(start, stop)
        echo = filled_smooth(broken + probe)[run] - with_nan[run]
        moments.add(
            broken[run], denoised[run], with_nan[run],
            probe=probe[run], echoes=(np.zeros_like(echo), echo),
        )  # fmt: skip
    gain = moments.solve()
    expected = np.square(denoised - truth).mean() / np.nanmean(np.square(with_nan - truth))
    assert gain.db == pytest.approx(10 * np.log10(expected), abs=0.5)


@pytest.mark.parametrize("shape", [(40, 12), (17, 33), (130, 20)])
def test_any_size(shape):
    rng = np.random.default_rng(0)
    moments = GainMoments(shape)
    raw = rng.normal(10, 1, (32, *shape))
    probe = rng.normal(0, 0.2, raw.shape)
    moments.add(raw, 0.5 * raw, 0.8 * raw, probe=probe, echoes=(0.5 * probe, 0.8 * probe))
    gain = moments.solve()
    tiles = np.array(gain.map_db).shape
    assert all(
        n * size <= whole for n, size, whole in zip(tiles, gain.tile_shape, shape, strict=True)
    )
    assert gain.mse_denoised == pytest.approx(25 + 0.25, rel=0.1)


def test_large_frames_come_in_shorter_runs():
    assert gain_runs((6000, 512, 512))[1][1] - gain_runs((6000, 512, 512))[1][0] == 64
    assert [stop - start for start, stop in gain_runs((40, 2048, 2048))] == [16, 16]
    assert gain_runs((10, 8, 8)) == [(0, 10)]
