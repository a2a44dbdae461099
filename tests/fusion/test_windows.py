from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freq2clean import Dct, Fft, Wiener
from freq2clean.errors import InputError
from freq2clean.fusion.windows import plan_windows


@given(n_frames=st.integers(1, 700), window=st.integers(1, 900), overlap=st.floats(0, 0.9))
def test_every_frame_is_given_once_in_all(n_frames, window, overlap):
    windows = plan_windows(n_frames, window=window, overlap=overlap)
    given_share = np.zeros(n_frames)
    for w in windows:
        assert w.n_frames == len(w.taper) == min(window, n_frames)
        assert np.all((w.taper > 0) & (w.taper <= 1))
        given_share[w.start : w.stop] += w.taper
    np.testing.assert_allclose(given_share, 1, rtol=1e-12)
    assert windows[0].start == 0
    assert windows[-1].stop == n_frames
    assert all(a.start < b.start <= a.stop for a, b in itertools.pairwise(windows))


@given(n_frames=st.integers(1, 700), window=st.integers(1, 300), overlap=st.floats(0, 0.9))
def test_neighbours_share_what_was_asked_to_the_nearest_frame(n_frames, window, overlap):
    windows = plan_windows(n_frames, window=window, overlap=overlap)
    for a, b in itertools.pairwise(windows):
        assert a.stop - b.start >= min(window * overlap - 0.5, window - 1)


def test_windows_that_divide_the_recording_do_not_overlap():
    windows = plan_windows(12, window=4)
    assert [(w.start, w.stop) for w in windows] == [(0, 4), (4, 8), (8, 12)]
    assert all(np.all(w.taper == 1) for w in windows)


@pytest.mark.parametrize(("n_frames", "window"), [(1, 1), (1, 50), (7, 7), (7, 3000)])
def test_a_short_recording_is_one_window(n_frames, window):
    (only,) = plan_windows(n_frames, window=window, overlap=0.5)
    assert (only.start, only.stop) == (0, n_frames)
    assert np.all(only.taper == 1)


@pytest.mark.parametrize("overlap", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("n_frames", [400, 437, 1000])
def test_windows_fade_into_each_other(n_frames, overlap):
    """Over m shared frames no frame-to-frame change exceeds 2.5 / m; an even fade has 1 / m."""
    windows = plan_windows(n_frames, window=100, overlap=overlap)
    shared = min(a.stop - b.start for a, b in itertools.pairwise(windows))
    for w in windows:
        share = np.zeros(n_frames)
        share[w.start : w.stop] = w.taper
        assert np.abs(np.diff(share)).max() <= 2.5 / shared


@pytest.mark.parametrize("overlap", [0.1, 0.5])
def test_a_correction_that_differs_between_windows_has_no_step(overlap):
    n_frames, window = 360, 100
    denoised = np.zeros((n_frames, 8, 8), np.float32)
    raw = np.broadcast_to(np.arange(n_frames)[:, None, None] // 120 * 10.0, denoised.shape)
    method = Fft(window=window, raw_mean="window", overlap=overlap, alpha=1.0, matching="none")
    fused = method.fit(raw, denoised, rescale=False).apply(denoised)
    steps = np.abs(np.diff(fused[:, 0, 0]))
    jump = max(
        np.ptp(
            [
                raw[w.start : w.stop, 0, 0].mean()
                for w in plan_windows(n_frames, window=window, overlap=overlap)
            ]
        ),
        1.0,
    )
    assert 0 < steps.max() <= 2.5 / (overlap * window) * jump


@pytest.mark.parametrize(
    "method",
    [
        Fft(window=30, raw_mean="window", matching="none", overlap=0.0),
        Dct(window=30, raw_average=1, overlap=0.0),
        Wiener(window=30, overlap=0.0),
    ],
    ids=lambda m: m.name,
)
def test_a_static_residual_leaves_no_step_even_without_overlap(method, make_pair):
    pair = make_pair((100, 16, 16), noise=0.0)
    denoised = pair.denoised
    raw = denoised + 30 * np.random.default_rng(5).standard_normal((16, 16)).astype(np.float32)
    correction = method.fit(raw, denoised).apply(denoised) - denoised
    assert np.abs(correction).max() > 5
    assert np.abs(np.diff(correction, axis=0)).max() < 1e-3


@pytest.mark.parametrize("method", [Fft, Dct, Wiener])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": 0}, "window = 0 frames; give a whole number, 1 or more"),
        ({"window": -3}, "window = -3"),
        ({"window": 2.5}, "window = 2.5"),
        ({"overlap": 0.95}, "overlap = 0.95; give a share"),
        ({"overlap": -0.1}, "overlap = -0.1"),
        ({"overlap": float("nan")}, "overlap = nan"),
    ],
)
def test_bad_windows_are_refused(method, options, words):
    with pytest.raises(InputError, match=words):
        method(**options)
