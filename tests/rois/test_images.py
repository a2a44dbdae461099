"""The images that are segmented, and traces of ROIs: against the whole recording in memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freq2clean.errors import InputError
from freq2clean.recordings import ArrayRecording
from freq2clean.rois import Rois, extract_traces
from freq2clean.rois.images import spread_frames, summarised


@pytest.fixture(scope="module")
def frames():
    """150 x 7 x 9 float32, so that there are several blocks, with holes in time and space."""
    values = np.random.default_rng(0).normal(100, 20, (150, 7, 9)).astype(np.float32)
    values[60:70, 3] = np.nan
    values[5, 1, 1] = np.inf
    values[:, 6, 8] = np.nan
    return values


@given(st.integers(1, 400), st.integers(0, 400))
def test_frames_are_spread_evenly(n_frames, wanted):
    indices = spread_frames(n_frames, wanted)
    assert len(indices) == min(n_frames, wanted)
    if len(indices):
        steps = np.diff(indices, prepend=-indices[0] - 1)
        assert indices[-1] < n_frames
        assert steps.min() >= 1
        assert np.ptp(steps) <= 2


def test_images_are_those_of_the_whole_recording(frames):
    images = summarised(ArrayRecording(frames), 50)
    known = np.where(np.isfinite(frames), frames, np.nan)[:, :6]
    np.testing.assert_allclose(images.mean[:6], np.nanmean(known, axis=0), rtol=1e-6)
    np.testing.assert_array_equal(images.maximum[:6], np.nanmax(known, axis=0))
    taken = frames[images.indices]
    there = np.isfinite(taken)
    np.testing.assert_array_equal(images.frames[there], taken[there])
    filled = np.broadcast_to(images.mean, taken.shape)
    np.testing.assert_array_equal(images.frames[~there], filled[~there])
    assert all(np.isfinite(one).all() for one in (images.frames, images.mean, images.maximum))


def test_the_mean_of_large_numbers_is_right():
    frames = np.full((300, 2, 2), 60_000, np.uint16)
    frames[::2] += 1
    np.testing.assert_allclose(summarised(ArrayRecording(frames), 0).mean, 60_000.5, rtol=1e-7)


def test_progress_counts_frames(frames):
    steps = []
    summarised(ArrayRecording(frames), 3, progress=lambda *step: steps.append(step))
    assert steps == [(64, 150), (128, 150), (150, 150)]


def test_traces_are_means_by_weight(frames):
    rng = np.random.default_rng(1)
    weights = rng.random((4, 7, 9)).astype(np.float32) * (rng.random((4, 7, 9)) < 0.3)
    weights[3] = 0
    values = np.nan_to_num(frames, nan=50, posinf=50)
    traces = extract_traces(Rois.from_masks(weights), ArrayRecording(values))
    sums = np.einsum("nyx,tyx->nt", weights.astype(np.float64), values)
    np.testing.assert_allclose(traces[:3], sums[:3] / weights[:3].sum((1, 2))[:, None], rtol=1e-5)
    assert not traces[3].any()
    assert traces.dtype == np.float32


def test_a_trace_is_unknown_where_a_pixel_is(frames):
    labels = np.zeros((7, 9), int)
    labels[2:4, 2:4], labels[0, 4:6] = 1, 2
    traces = extract_traces(Rois.from_label_image(labels), ArrayRecording(frames))
    np.testing.assert_array_equal(np.isnan(traces[0]), np.isnan(frames[:, 3, 2]))
    assert np.isfinite(traces[1]).all()


def test_frames_of_another_size_are_refused(frames):
    with pytest.raises(InputError, match="7 x 9 pixels, and the ROIs are of 7 x 8; they must"):
        extract_traces(Rois.from_label_image(np.ones((7, 8), int)), ArrayRecording(frames))
