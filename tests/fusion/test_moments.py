from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freq2clean.fusion.bases import dct_basis
from freq2clean.fusion.missing import MaskedValues
from freq2clean.fusion.moments import Projection, accumulate
from freq2clean.fusion.scale import Scale


def project(raw, denoised, projections, *, block_frames=64, scale=None):
    for start in range(0, len(raw), block_frames):
        block = slice(start, start + block_frames)
        accumulate(
            start,
            raw[block],
            denoised[block],
            projections,
            scale=scale or Scale(),
            masked=MaskedValues(),
        )
    return [p.images(raw.shape[1:]) for p in projections]


@pytest.mark.parametrize("block_frames", [64, 1000, 20_000])
def test_the_mean_of_a_long_bright_recording_is_exact(block_frames):
    raw = np.random.default_rng(0).integers(65_500, 65_536, (20_000, 2, 2)).astype(np.uint16)
    (total,) = project(
        raw, raw, [Projection("raw", 0, np.ones((1, 20_000)))], block_frames=block_frames
    )
    np.testing.assert_array_equal(total[0], raw.sum(axis=0, dtype=np.int64))


def test_pixels_of_equal_sum_stay_tied():
    rng = np.random.default_rng(1)
    course = rng.integers(0, 65_536, 3001)
    raw = np.stack([rng.permutation(course) for _ in range(64)], axis=1)
    raw = raw.reshape(3001, 8, 8).astype(np.uint16)
    (total,) = project(raw, raw, [Projection("raw", 0, np.ones((1, 3001)))])
    assert np.ptp(total) == 0


@pytest.mark.parametrize("source", ["raw", "denoised", "residual"])
@pytest.mark.parametrize("n_bins", [3, 30])
def test_images_are_the_projection(source, n_bins, make_pair):
    pair = make_pair((75, 6, 9))
    scale = Scale(2.0, -30.0)
    basis = dct_basis(50, n_bins)
    (images,) = project(
        pair.raw, pair.denoised, [Projection(source, 15, basis)], block_frames=8, scale=scale
    )
    denoised = 2 * pair.denoised.astype(np.float64) - 30
    values = {"raw": pair.raw, "denoised": denoised, "residual": pair.raw - denoised}[source]
    expected = np.tensordot(basis, values[15:65].astype(np.float64), 1)
    np.testing.assert_allclose(images, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize(("n_bins", "block_frames"), [(8, 64), (24, 300), (400, 128)])
def test_slow_rows_of_a_long_recording(n_bins, block_frames, make_pair):
    pair = make_pair((1500, 3, 4), level=1000.0)
    basis = dct_basis(1500, n_bins)
    (images,) = project(
        pair.raw, pair.denoised, [Projection("residual", 0, basis)], block_frames=block_frames
    )
    expected = np.tensordot(basis, pair.raw.astype(np.float64) - pair.denoised, 1)
    np.testing.assert_allclose(images, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("missing", ["nothing", "line", "nan", "infinity", "denoised nan"])
def test_the_sum_of_the_residual_is_that_of_its_values(missing, make_pair):
    pair = make_pair((150, 5, 6), level=1000.0)
    raw, denoised = pair.raw.copy(), pair.denoised.copy()
    if missing == "line":
        raw[70, 2] = 0
    elif missing != "nothing":
        side = denoised if missing.startswith("denoised") else raw
        side[70, 2, 3] = np.inf if missing == "infinity" else np.nan
    values = np.ma.masked_invalid(raw.astype(np.float64) - denoised)
    if missing == "line":
        values[70, 2] = np.ma.masked
    projections = [Projection("residual", 0, np.full((1, 150), 0.5)) for _ in range(2)]
    for images in project(raw, denoised, projections):
        np.testing.assert_allclose(images[0], 75 * values.mean(axis=0), atol=0.02)


@settings(max_examples=30)
@given(block_frames=st.integers(1, 60), start=st.integers(0, 20), length=st.integers(1, 30))
def test_any_blocking_gives_the_same_sums(block_frames, start, length):
    rng = np.random.default_rng(2)
    raw, denoised = rng.normal(0, 9, (2, 50, 3, 4)).astype(np.float32)
    weights = rng.standard_normal((10, length))

    def images(block_frames):
        return project(
            raw, denoised, [Projection("residual", start, weights)], block_frames=block_frames
        )[0]

    np.testing.assert_allclose(images(block_frames), images(50), atol=2e-4)


def test_missing_values_are_made_up_for_and_counted(make_pair):
    raw, denoised = np.full((40, 2, 3), 8.0, np.float32), np.zeros((40, 2, 3), np.float32)
    raw[:10, 0, 0] = np.nan
    raw[:, 1, 2] = np.nan
    projection = Projection("raw", 0, np.ones((1, 40)))
    (total,) = project(raw, denoised, [projection], block_frames=7)
    np.testing.assert_array_equal(total[0], [[320, 320, 320], [320, 320, 0]])
    assert projection.seen((2, 3)).tolist() == [[True] * 3, [True, True, False]]
    assert projection.noise_factor == pytest.approx((40 / 30 + 4 + 0) / 6)
