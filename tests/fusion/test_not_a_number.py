"""What one missing value may change elsewhere is its own share: 1 of T frames of one pixel."""

from __future__ import annotations

import numpy as np
import pytest

from freq2clean.fusion import Dct, Fft, Wiener

METHODS = [
    Fft(matching="none"),
    Fft(matching="affine"),
    Fft(matching="histogram", alpha=(0.8, 0.5)),
    Dct(raw_average=20),
    Wiener(n_bins=15),
]
methods = pytest.mark.parametrize(
    "method", METHODS, ids=["fft", "fft-affine", "fft-histogram", "dct", "wiener"]
)
VOXEL = (33, 5, 9)


@pytest.fixture(scope="module")
def pair(make_pair):
    return make_pair((100, 24, 24))


def holed(recording, where, value=np.nan):
    copy = recording.copy()
    copy[where] = value
    return copy


@methods
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", ["raw", "denoised"])
def test_one_value_costs_one_voxel(method, value, side, pair, fuse):
    sides = {"raw": pair.raw, "denoised": pair.denoised}
    sides[side] = holed(sides[side], VOXEL, value)
    fused = fuse(method, sides["raw"], sides["denoised"])
    whole = fuse(method, pair.raw, pair.denoised)
    lost = ~np.isfinite(fused)
    assert np.argwhere(lost).tolist() == [list(VOXEL)]
    # One value stands for a hundredth of its pixel's mean; with several bins, for some more.
    assert np.abs(fused - whole)[~lost].max() < 0.05 * np.ptp(pair.raw)
    others = ~lost
    others[:, VOXEL[1], VOXEL[2]] = False
    assert np.abs(fused - whole)[others].max() < 0.02 * np.ptp(pair.raw)
    assert np.sqrt(np.mean((fused - whole)[others] ** 2)) < 1e-3 * np.ptp(pair.raw)


@methods
def test_a_pixel_without_values(method, pair, fuse):
    raw = holed(pair.raw, (slice(None), 5, 9))
    fused = fuse(method, raw, pair.denoised)
    assert np.isnan(fused[:, 5, 9]).all()
    lost = np.isnan(fused)
    assert lost.sum() == 100
    whole = fuse(method, pair.raw, pair.denoised)
    assert np.sqrt(np.mean((fused - whole)[~lost] ** 2)) < 0.02 * np.ptp(pair.raw)


@methods
@pytest.mark.parametrize("side", ["raw", "both"])
def test_a_border_without_values_is_left_out(method, side, pair, fuse):
    """Inside, the fusion is about that of the inside alone; DCT rings differ at the new edge."""
    border = np.ones((24, 24), bool)
    border[3:-3, 3:-3] = False
    raw = holed(pair.raw, (slice(None), border))
    denoised = holed(pair.denoised, (slice(None), border)) if side == "both" else pair.denoised
    fused = fuse(method, raw, denoised)
    assert np.array_equal(np.isnan(fused), np.broadcast_to(border, fused.shape))
    inside = (slice(None), slice(3, -3), slice(3, -3))
    alone = fuse(method, np.ascontiguousarray(pair.raw[inside]), pair.denoised[inside])
    if isinstance(method, Fft):
        np.testing.assert_allclose(fused[inside], alone, rtol=1e-5)
    error, error_denoised = (
        np.mean((x[inside] - pair.truth[inside]) ** 2) for x in (fused, pair.denoised)
    )
    assert error < 0.9 * error_denoised


@methods
def test_frames_without_values_keep_the_others(method, pair, fuse):
    raw = holed(pair.raw, slice(10, 20))
    fused = fuse(method, raw, pair.denoised)
    assert np.isnan(fused[10:20]).all()
    rest = np.r_[0:10, 20:100]
    whole = fuse(method, pair.raw, pair.denoised)
    assert np.sqrt(np.mean((fused - whole)[rest] ** 2)) < 0.02 * np.ptp(pair.raw)


@methods
def test_nothing_but_nan(method, pair, fuse):
    raw = np.full(pair.raw.shape, np.nan, np.float32)
    fusion = method.fit(raw, pair.denoised)
    assert np.isnan(fusion.apply(pair.denoised)).all()
    assert fusion.findings


def test_a_mask_over_most_of_the_field_leaves_the_noise_measurable(pair, fuse):
    """A round field of view: weights must come from the noise inside, not from none."""
    y, x = np.ogrid[-1:1:24j, -1:1:24j]
    outside = np.hypot(y, x) > 0.7
    assert outside.mean() > 0.5
    rng = np.random.default_rng(1)
    raw = pair.denoised + rng.normal(0, 20, pair.raw.shape).astype(np.float32)
    fused = fuse(Wiener(n_bins=50), holed(raw, (slice(None), outside)), pair.denoised)
    change = (fused - pair.denoised)[:, ~outside]
    assert np.sqrt(np.mean(change**2)) < 0.05 * 20
