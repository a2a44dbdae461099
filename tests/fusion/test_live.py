from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn, idctn
from scipy.ndimage import gaussian_filter

from freq2clean import StreamingFuser, Wiener
from freq2clean.errors import InputError
from freq2clean.fusion.local import LocalWeights
from freq2clean.fusion.rings import ring_index, ring_sizes, ring_sums
from freq2clean.fusion.scale import match_scale
from freq2clean.fusion.wiener import shrinkage
from freq2clean.simulation import imitate_denoiser, simulate

SHAPE = 40, 48


@pytest.fixture(scope="module")
def scene():
    """Fine texture over a smooth level."""
    rng = np.random.default_rng(3)
    return (100 + 8 * gaussian_filter(rng.standard_normal(SHAPE), 0.8) * 5).astype(np.float32)


@pytest.fixture(scope="module")
def still(scene):
    """300 frames of a still scene with noise, and a denoiser that blurs."""
    raw = scene + np.random.default_rng(5).normal(0, 20, (300, *SHAPE)).astype(np.float32)
    denoised = np.repeat(gaussian_filter(scene, 2)[None], len(raw), axis=0)
    return raw, denoised


def fused_by(fuser, raw, denoised):
    given = (fuser.push(x, y) for x, y in zip(raw, denoised, strict=True))
    return np.stack([frame for frame in given if frame is not None] + fuser.flush())


def rms(values):
    return float(np.sqrt(np.square(values, dtype=np.float64).mean()))


def naive(raw, denoised, half_life, noise_power):
    """The correction by the weighted mean residual, all at once."""
    weights = 0.5 ** (np.arange(len(raw))[::-1] / half_life)
    factor = np.sqrt(np.square(weights).sum()) / weights.sum()
    mean = np.tensordot(weights / weights.sum(), raw.astype(float) - denoised, 1) / factor
    index = ring_index(mean.shape)
    size = ring_sizes(index)
    spectrum = dctn(mean, norm="ortho")
    noise = np.full(size.size, noise_power)
    weight = shrinkage(ring_sums(spectrum**2, index) / size, noise, size)
    estimate = idctn(spectrum * weight[index], norm="ortho")
    none = np.zeros_like(noise)
    image, _ = LocalWeights(mean.shape)(mean, estimate, noise=noise, leak=none)
    return (image + estimate.mean() - image.mean()) * factor


def test_with_the_whole_recording_as_lag_it_is_the_offline_mean_image_form(simulated):
    raw, denoised = simulated.raw, simulated.denoised
    offline = Wiener(n_bins=1).fit(raw, denoised).apply(denoised)
    fuser = StreamingFuser(raw.shape[1:], lag_frames=len(raw))
    assert all(fuser.push(x, y) is None for x, y in zip(raw, denoised, strict=True))
    fused = np.stack(fuser.flush())
    assert rms(fused - offline) < 0.02 * rms(offline - denoised)
    assert fuser.findings["n_frames_equivalent"] == pytest.approx(len(raw))


def test_memory_fades_by_its_half_life(still):
    raw, denoised = still
    fuser = StreamingFuser(SHAPE, half_life_frames=40, lag_frames=len(raw))
    fused = fused_by(fuser, raw, denoised)
    expected = naive(raw, denoised, 40, 400)
    assert rms(fused[0] - denoised[0] - expected) < 0.05 * rms(expected)
    weights = 0.5 ** (np.arange(len(raw)) / 40)
    worth = weights.sum() ** 2 / np.square(weights).sum()
    assert fuser.findings["n_frames_equivalent"] == pytest.approx(worth)


def test_a_half_life_in_seconds(still):
    raw, denoised = still
    frames = fused_by(StreamingFuser(SHAPE, half_life_frames=60), raw, denoised)
    seconds = fused_by(StreamingFuser(SHAPE, half_life_s=2, frame_rate_hz=30), raw, denoised)
    np.testing.assert_array_equal(frames, seconds)


def test_detail_comes_back_with_time(still, scene):
    raw, denoised = still
    fused = fused_by(StreamingFuser(SHAPE), raw, denoised)
    errors = [rms(fused[t] - scene) for t in (0, 120, 299)]
    assert errors[0] > 1.5 * errors[1] > 1.5 * errors[2]


def test_nothing_is_added_before_anything_is_known(still):
    raw, denoised = still
    fused = fused_by(StreamingFuser(SHAPE), raw[:32], denoised[:32])
    np.testing.assert_array_equal(fused, denoised[:32])


@pytest.mark.parametrize("half_life", [math.inf, 30.0])
def test_nothing_is_invented_where_nothing_is_lost(scene, half_life):
    truth = np.repeat(scene[None], 300, axis=0)
    raw = truth + np.random.default_rng(7).normal(0, 20, truth.shape).astype(np.float32)
    fused = fused_by(StreamingFuser(SHAPE, half_life_frames=half_life), raw, truth)
    in_the_mean = 20 / np.sqrt(min(len(raw), 2 * half_life / math.log(2)))
    assert rms(fused[-1] - truth[-1]) < 0.25 * in_the_mean


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float64])
def test_any_real_dtype_gives_the_same(still, dtype):
    raw, denoised = (np.rint(x + 500).astype(np.int32) for x in still)
    expected = fused_by(StreamingFuser(SHAPE), raw.astype(np.float32), denoised.astype(np.float32))
    fused = fused_by(StreamingFuser(SHAPE), raw.astype(dtype), denoised.astype(dtype))
    assert fused.dtype == np.float32
    np.testing.assert_allclose(fused, expected, atol=1e-3)


def test_a_lag_gives_every_frame_once_and_in_order(still):
    raw, _ = still
    marked = np.random.default_rng(1).normal(100, 30, raw.shape).astype(np.float32)
    fuser = StreamingFuser(SHAPE, lag_frames=17)
    buffer = np.empty((2, *SHAPE), np.float32)
    given = []
    for x, y in zip(raw, marked, strict=True):
        buffer[:] = x, y
        given.append(fuser.push(*buffer))
    assert all(frame is None for frame in given[:17])
    fused = np.stack([*given[17:], *fuser.flush()])
    alike = np.corrcoef(fused.reshape(len(raw), -1), marked.reshape(len(raw), -1))
    np.testing.assert_array_equal(alike[: len(raw), len(raw) :].argmax(axis=1), np.arange(len(raw)))
    assert fuser.flush() == []


def test_the_result_goes_where_it_is_asked_to(still):
    raw, denoised = still
    out = np.empty(SHAPE, np.float32)
    fuser = StreamingFuser(SHAPE)
    assert fuser.push(raw[0], denoised[0], out=out) is out
    np.testing.assert_array_equal(out, denoised[0])
    out[0, 0] = -1
    assert denoised[0, 0, 0] != -1


def test_not_a_number_comes_back_where_it_was_and_spoils_nothing_else(still):
    raw, denoised = (x.copy() for x in still)
    expected = fused_by(StreamingFuser(SHAPE), raw, denoised)
    raw[40] = np.nan
    raw[::7, 3:9, 5:20] = np.nan
    raw[50, 0, 0] = np.inf
    denoised[60, 10:12] = np.nan
    fused = fused_by(StreamingFuser(SHAPE), raw, denoised)
    np.testing.assert_array_equal(np.isnan(fused), ~np.isfinite(raw) | ~np.isfinite(denoised))
    assert rms((fused - expected)[-1][np.isfinite(fused[-1])]) < 0.1 * rms(
        expected[-1] - denoised[-1]
    )


@pytest.mark.parametrize("lost", ["none", "zeros", "lines"])
def test_frames_and_lines_that_were_dropped_do_not_count(still, lost):
    raw, denoised = still
    raw = list(raw)
    for t in range(0, len(raw), 6):
        if lost == "lines":
            raw[t] = raw[t].copy()
            raw[t][10:20] = 0
        else:
            raw[t] = None if lost == "none" else np.zeros(SHAPE, np.float32)
    fused = fused_by(StreamingFuser(SHAPE), raw, denoised)
    expected = fused_by(StreamingFuser(SHAPE), *still)
    assert np.isfinite(fused).all()
    assert rms(fused[-1] - expected[-1]) < 0.25 * rms(expected[-1] - denoised[-1])


def test_rows_that_are_never_measured_stay_as_they_were_denoised(still):
    raw, denoised = (x.copy() for x in still)
    raw[:, :8] = 0
    fuser = StreamingFuser(SHAPE)
    fused = fused_by(fuser, raw, denoised)
    assert fuser.findings["noise_sd"] == pytest.approx(20, rel=0.05)
    inside = rms((fused - denoised)[-1][12:])
    assert rms((fused - denoised)[-1][:4]) < 0.2 * inside


def test_another_scale_of_the_denoised_recording_is_matched(still, scene):
    raw, denoised = still
    normalised = (denoised - 80) / 400
    fuser = StreamingFuser(SHAPE)
    fused = fused_by(fuser, raw, normalised)
    scale, _ = match_scale(raw.mean(axis=0), normalised.mean(axis=0))
    assert fuser.findings["scale"]["gain"] == pytest.approx(scale.gain, rel=0.05)
    assert rms(fused[-1] - scene) < 0.5 * rms(scale.apply(normalised[-1]) - scene)
    kept = StreamingFuser(SHAPE, rescale=False)
    fused_by(kept, raw, normalised)
    assert kept.findings["scale"] == {"gain": 1.0, "offset": 0.0}


@pytest.mark.parametrize("gains", [(4, 4), (1, 0.01), (4, 1)], ids=["laser", "denoiser", "raw"])
def test_all_is_measured_anew_where_the_scale_changes(still, scene, gains):
    raw, denoised = still
    raw = np.concatenate([raw, gains[0] * raw])
    denoised = np.concatenate([denoised, gains[1] * denoised])
    fuser = StreamingFuser(SHAPE)
    fused = fused_by(fuser, raw, denoised)
    assert fuser.findings["n_starts"] == 2
    blurred = gains[0] * gaussian_filter(scene, 2)
    assert rms(fused[-1] - gains[0] * scene) < 0.5 * rms(blurred - gains[0] * scene)


def test_a_flash_is_left_out_and_changes_nothing(still):
    raw, denoised = (x.copy() for x in still)
    expected = fused_by(StreamingFuser(SHAPE), raw, denoised)
    for x in (raw, denoised):
        x[150:153] = 20 * x[150:153]
    fuser = StreamingFuser(SHAPE)
    fused = fused_by(fuser, raw, denoised)
    assert fuser.findings["n_starts"] == 1
    assert rms(fused[-1] - expected[-1]) < 0.1 * rms(expected[-1] - denoised[-1])


def test_strong_activity_is_no_change_of_scale(still, scene):
    raw, denoised = (x.copy() for x in still)
    for x in (raw, denoised):
        x[150:200, 10:16, 10:16] += 400
    fuser = StreamingFuser(SHAPE)
    fused_by(fuser, raw, denoised)
    assert fuser.findings["n_starts"] == 1


def test_forgetting_wins_where_the_recording_drifts():
    recording = simulate((600, 64, 64), seed=11, drift_px=6.0)
    raw, truth = recording.raw[:], recording.truth[:]
    denoised = imitate_denoiser(truth, raw)
    late = slice(300, None)
    error = {
        half_life: rms(
            fused_by(StreamingFuser((64, 64), half_life_frames=half_life), raw, denoised)[late]
            - truth[late]
        )
        for half_life in (50, math.inf)
    }
    assert error[50] < 0.95 * error[math.inf]
    assert error[50] < 0.9 * rms(denoised[late] - truth[late])


def test_fixed_pattern_is_kept_out_unless_asked_for(still):
    raw, denoised = still
    rng = np.random.default_rng(9)
    shape = 64, 64
    scene = np.tile(gaussian_filter(rng.standard_normal(shape), 0.8) * 40 + 100, (1, 1))
    raw = scene + rng.normal(0, 20, (300, *shape))
    denoised = np.repeat(gaussian_filter(scene, 2)[None], 300, axis=0)
    hot = raw.copy()
    hot[:, 20, 30] += 600
    left = [
        fused_by(StreamingFuser(shape, keep_fixed_pattern=keep), hot, denoised)[-1, 20, 30]
        - scene[20, 30]
        for keep in (False, True)
    ]
    assert abs(left[0]) < 60 < 300 < left[1]


def test_memory_does_not_grow(still):
    raw, denoised = still
    fuser = StreamingFuser(SHAPE, half_life_frames=100, lag_frames=5)
    peaks = []
    tracemalloc.start()
    try:
        for _ in range(3):
            tracemalloc.reset_peak()
            for x, y in zip(raw, denoised, strict=True):
                fuser.push(x, y)
            peaks.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    assert peaks[2] < 1.05 * peaks[0]


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    half_life=st.sampled_from([0.5, 3.0, 100.0, math.inf]),
    lag=st.integers(0, 80),
    seed=st.integers(0, 99),
)
def test_frames_of_any_shape_come_back_all_finite(shape, half_life, lag, seed):
    rng = np.random.default_rng(seed)
    raw = rng.poisson(2, (70, *shape)).astype(np.uint16)
    denoised = rng.normal(2, 0.1, raw.shape).astype(np.float32)
    fused = fused_by(
        StreamingFuser(shape, half_life_frames=half_life, lag_frames=lag), raw, denoised
    )
    assert fused.shape == raw.shape
    assert np.isfinite(fused).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"half_life_frames": 0}, "half-life of 0 frames; give more than 0"),
        ({"half_life_frames": math.nan}, "half-life of nan"),
        ({"half_life_s": 3}, "give both, or none"),
        ({"frame_rate_hz": 30}, "give both, or none"),
        ({"half_life_s": 3, "frame_rate_hz": 30, "half_life_frames": 9}, "give one of them"),
        ({"lag_frames": -1}, "lag_frames = -1; give a whole number"),
        ({"lag_frames": 1.5}, "lag_frames = 1.5"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        StreamingFuser(SHAPE, **options)


@pytest.mark.parametrize("shape", [(3,), (0, 4), (2, 3, 4), 5])
def test_a_shape_is_two_numbers(shape):
    with pytest.raises(InputError, match="give rows and columns"):
        StreamingFuser(shape)


def test_frames_of_another_shape_or_kind_are_refused(still):
    raw, denoised = still
    fuser = StreamingFuser(SHAPE)
    with pytest.raises(InputError, match=r"raw frame has shape .*this fuser takes \(40, 48\)"):
        fuser.push(raw[0, :5], denoised[0])
    with pytest.raises(InputError, match="denoised frame has shape"):
        fuser.push(raw[0], denoised[:2])
    with pytest.raises(InputError, match="real numbers are needed"):
        fuser.push(raw[0].astype(complex), denoised[0])
