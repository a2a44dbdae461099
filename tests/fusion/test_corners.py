"""Recordings at the edge of what there is: short, tiny, constant, saturated, of any type."""

from __future__ import annotations

import json

import numpy as np
import pytest

from freq2clean.fusion import Dct, Fft, Wiener

METHODS = [
    Fft(),
    Fft(matching="histogram"),
    Fft(matching="none", raw_mean="window", window=4),
    Dct(),
    Dct(raw_average=1),
    Wiener(),
    Wiener(window=4),
]
methods = pytest.mark.parametrize("method", METHODS, ids=lambda m: f"{m.name}-{m.window}")


def check_finite(method, raw, denoised):
    fusion = method.fit(raw, denoised)
    fused = fusion.apply(denoised)
    assert fused.shape == raw.shape
    assert fused.dtype == np.float32
    assert np.isfinite(fused).all()
    json.dumps(fusion.findings, allow_nan=False)
    return fused


@methods
@pytest.mark.parametrize(
    "shape",
    [(1, 8, 8), (2, 8, 8), (5, 1, 1), (1, 1, 1), (9, 1, 20), (9, 20, 1), (40, 2, 2), (40, 3, 7)],
)
def test_any_shape(method, shape, make_pair):
    rng = np.random.default_rng(0)
    check_finite(method, rng.poisson(9, shape).astype(np.uint16), rng.normal(9, 1, shape))


@methods
@pytest.mark.parametrize(("raw", "denoised"), [(7, 5), (7, 7), (0, 0), (0, 5), (5, 0)])
def test_constant_recordings(method, raw, denoised):
    shape = (30, 10, 12)
    fused = check_finite(
        method, np.full(shape, raw, np.uint16), np.full(shape, denoised, np.float32)
    )
    assert fused.min() >= min(raw, denoised) - 1e-4
    assert fused.max() <= max(raw, denoised) + 1e-4
    if raw == denoised:
        np.testing.assert_array_equal(fused, denoised)


@methods
@pytest.mark.parametrize("side", ["raw", "denoised"])
def test_one_constant_recording(method, side, make_pair):
    pair = make_pair((30, 16, 16))
    constant = np.full(pair.raw.shape, 90, np.float32)
    raw, denoised = (constant, pair.denoised) if side == "raw" else (pair.raw, constant)
    check_finite(method, raw, denoised)


@pytest.mark.parametrize("n_frames", [1, 2, 3, 4])
def test_noise_that_cannot_be_measured_is_not_let_in(n_frames, make_pair, fuse):
    """Up to four frames show no noise apart from signal, so nothing is taken from them."""
    pair = make_pair((n_frames, 16, 16))
    fused = fuse(Wiener(), pair.raw, pair.denoised)
    np.testing.assert_array_equal(fused, pair.denoised)


@methods
def test_saturated_pixels(method, make_pair):
    pair = make_pair((40, 16, 16), dtype=np.uint8, level=230.0)
    assert np.mean(pair.raw == 255) > 0.1
    fused = check_finite(method, pair.raw, pair.denoised)
    assert fused.max() < 2 * 255


@methods
def test_a_baseline_below_zero(method, make_pair, fuse):
    pair = make_pair((60, 20, 20), dtype=np.int16, level=-400.0)
    shifted = fuse(method, (pair.raw + 1000).astype(np.int16), pair.denoised + 1000)
    fused = check_finite(method, pair.raw, pair.denoised)
    if isinstance(method, Fft):  # bins are blended by magnitude, whatever the sign
        assert np.mean((fused - pair.truth) ** 2) < np.mean((pair.denoised - pair.truth) ** 2)
    else:
        np.testing.assert_allclose(fused, shifted - 1000, atol=0.02)


@methods
@pytest.mark.parametrize(
    "dtype", ["u1", "i1", "u4", "i4", "i8", "f2", "f4", "f8", "?", ">u2", ">f4"]
)
def test_any_real_type(method, dtype, make_pair, fuse):
    pair = make_pair((30, 16, 16), level=60.0)
    values = np.clip(np.rint(pair.raw), 0, 1 if dtype == "?" else 127)
    expected = fuse(method, values.astype(np.float32), pair.denoised)
    np.testing.assert_allclose(
        fuse(method, values.astype(dtype), pair.denoised), expected, atol=1e-4
    )


@methods
@pytest.mark.parametrize("dtype", ["u2", "f2", "f8"])
def test_any_real_type_of_the_denoised(method, dtype, make_pair, fuse):
    pair = make_pair((30, 16, 16))
    denoised = np.rint(pair.denoised).astype(dtype)
    expected = fuse(method, pair.raw, denoised.astype(np.float32))
    np.testing.assert_allclose(fuse(method, pair.raw, denoised), expected, atol=1e-4)


class Lazy:
    """Only a shape, and frames by slice."""

    def __init__(self, recording):
        self._recording = recording
        self.shape = recording.shape
        self.longest = 0

    def __getitem__(self, key):
        assert isinstance(key, slice)
        block = self._recording[key]
        self.longest = max(self.longest, len(block))
        return block


@methods
def test_frames_by_slice_are_enough(method, make_pair, fuse):
    pair = make_pair((150, 12, 12))
    raw, denoised = Lazy(pair.raw), Lazy(pair.denoised)
    fused = method.fit(raw, denoised, block_frames=16).apply(pair.denoised)
    np.testing.assert_allclose(fused, fuse(method, pair.raw, pair.denoised), atol=5e-4)
    assert max(raw.longest, denoised.longest) <= 128


@methods
@pytest.mark.parametrize("layout", ["read-only", "reversed", "transposed", "strided"])
def test_any_memory_layout(method, layout, make_pair, fuse):
    pair = make_pair((30, 16, 16))

    def lay_out(values):
        if layout == "read-only":
            values = values.copy()
            values.setflags(write=False)
            return values
        if layout == "reversed":
            return values[::-1].copy()[::-1]
        if layout == "transposed":
            return np.asfortranarray(values)
        return np.repeat(values, 2, axis=2)[:, :, ::2]

    fused = fuse(method, lay_out(pair.raw), lay_out(pair.denoised))
    np.testing.assert_array_equal(fused, fuse(method, pair.raw, pair.denoised))


@methods
def test_inputs_are_left_as_they_were(method, make_pair, fuse):
    pair = make_pair((30, 16, 16))
    raw, denoised = pair.raw.copy(), pair.denoised.copy()
    fuse(method, raw, denoised)
    np.testing.assert_array_equal(raw, pair.raw)
    np.testing.assert_array_equal(denoised, pair.denoised)
