from __future__ import annotations

import numpy as np
import pytest

from freq2clean.inspection import frames
from freq2clean.inspection.survey import survey_recording


def naive_noise(x):
    curve = x[:-2] - 2 * x[1:-1] + x[2:]
    return (curve**2).mean(axis=0) / 6, (curve**3).mean(axis=0) / -6


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_moments_equal_naive_ones(rng, dtype):
    x = rng.poisson(40, (64, 37, 41)).astype(dtype)
    survey, x = survey_recording(x), x.astype(np.float64)
    np.testing.assert_allclose(survey.mean, x.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(
        survey.half_means, [x[::2].mean(axis=0), x[1::2].mean(axis=0)], rtol=1e-5
    )
    np.testing.assert_allclose(survey.frame_means, x.mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(
        survey.mean_square, ((x - survey.pedestal) ** 2).mean(axis=0), rtol=1e-4
    )
    np.testing.assert_allclose(survey.lowest + survey.pedestal, x.min(axis=0), rtol=1e-6)
    np.testing.assert_allclose(survey.lowest_share, (x == x.min(axis=0)).mean(axis=0))
    np.testing.assert_array_equal(survey.values, x.reshape(-1))
    np.testing.assert_array_equal(survey.value_pixels, np.tile(np.arange(37 * 41), 64))
    parts = [x[a:b] for a, b in zip(survey.chunk_edges[:-1], survey.chunk_edges[1:], strict=True)]
    for part, first, halves in zip(parts, survey.chunk_edges, survey.chunk_means, strict=False):
        even = part[first % 2 :: 2].mean(axis=0)
        np.testing.assert_allclose(halves[0] + survey.pedestal, even, rtol=1e-4)
    assert (survey.minimum, survey.maximum) == (x.min(), x.max())
    assert len(np.unique(survey.values)) == len(np.unique(x))


def test_noise_moments_equal_naive_ones_within_blocks(rng):
    x = rng.poisson(3.0, (3, 20, 24)).astype(np.float64)
    np.testing.assert_allclose(survey_recording(x).noise_moments, naive_noise(x), atol=1e-4)
    x = rng.poisson(3.0, (900, 8, 8)).astype(np.float64)
    found = survey_recording(x).noise_moments.mean(axis=(1, 2))
    np.testing.assert_allclose(found, np.mean(naive_noise(x), axis=(1, 2)), rtol=0.2)


def test_small_blocks_give_what_large_ones_give(rng, monkeypatch):
    x = rng.poisson(20, (200, 16, 16)).astype(np.uint16)
    large = survey_recording(x)
    monkeypatch.setattr(frames, "BLOCK_VALUES", 16 * 16 * 8)
    small = survey_recording(x)
    np.testing.assert_allclose(small.half_means, large.half_means, rtol=1e-6)
    np.testing.assert_allclose(small.chunk_means, large.chunk_means, atol=1e-4)
    np.testing.assert_array_equal(small.kept, large.kept)
    np.testing.assert_array_equal(small.lowest, large.lowest)
    np.testing.assert_array_equal(small.lowest_share, large.lowest_share)


def test_a_high_pedestal_does_not_cost_precision(rng):
    x = rng.normal(0, 3, (200, 24, 24))
    low, high = survey_recording(x), survey_recording(x + 1e6)
    np.testing.assert_allclose(high.noise_moments[0], low.noise_moments[0], rtol=1e-4)


def test_reads_every_frame_once_in_bounded_blocks(rng, monkeypatch):
    monkeypatch.setattr(frames, "BLOCK_VALUES", 32 * 32 * 10)
    x, read = rng.poisson(20, (150, 32, 32)).astype(np.uint16), []

    class Lazy:
        shape, dtype = x.shape, x.dtype

        def __getitem__(self, key):
            read.append((key.start, key.stop))
            return x[key]

    told = []
    survey_recording(Lazy(), told.append)
    first, *blocks = read
    assert first == (0, 1)
    assert [i for a, b in blocks for i in range(a, b)] == list(range(150))
    assert max(b - a for a, b in blocks) <= 10
    assert sum(told) == 150
