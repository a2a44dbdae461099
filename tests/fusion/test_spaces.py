"""Arrays of other libraries and devices: what comes out is what NumPy gives, of the same kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from freq2clean import Auto, Dct, Fft, Subspace, Wiener
from freq2clean.errors import InputError
from freq2clean.fusion.rings import ring_index, ring_sums
from freq2clean.fusion.spaces import HOST, space_of, to_host

METHODS = {
    "fft": Fft(window=40),
    "fft-histogram": Fft(matching="histogram", alpha=(0.85, 0.5), overlap=0.3, window=50),
    "fft-unmatched": Fft(matching="none", raw_mean="window"),
    "dct": Dct(spatial_cutoff=6, spatial_width=8, raw_average=30),
    "dct-plain": Dct(spatial_cutoff=6, spatial_width=8, raw_average=1, window=30, overlap=0.5),
    "wiener": Wiener(n_bins=12),
    "wiener-few-bins": Wiener(window=30, overlap=0.3, n_bins=4),
    "subspace": Subspace(n_bins=6),
    "subspace-windows": Subspace(window=40, overlap=0.3, n_bins=4, limit=False),
}
methods = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
SHAPE = (70, 33, 46)


def holed(raw):
    raw = raw.copy()
    raw[5, 3, 4] = np.nan
    raw[7, 2:5] = 0
    raw[:, 30, 40] = np.nan
    raw[20:22] = np.inf
    return raw


def assert_same(fused, expected, there, method=None):
    """To float precision; two pixels that differ by as much may swap their ranks in a histogram."""
    tolerance = 3e-4 if getattr(method, "matching", "") == "histogram" else 2e-5
    assert type(fused) is type(there)
    assert space_of(fused) is space_of(there)
    assert fused.dtype == space_of(there).xp.float32
    assert fused.shape == expected.shape
    spread = np.nanmax(expected) - np.nanmin(expected)
    np.testing.assert_allclose(to_host(fused), expected, rtol=0, atol=tolerance * spread)


@methods
@pytest.mark.parametrize("block_frames", [1, 23, None])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_fused_as_by_numpy(method, dtype, block_frames, send, make_pair, fuse):
    pair = make_pair(SHAPE, dtype=dtype)
    raw, denoised = send(pair.raw), send(pair.denoised)
    fused = fuse(method, raw, denoised, block_frames=block_frames)
    assert_same(fused, fuse(method, pair.raw, pair.denoised), denoised, method)


@methods
def test_what_is_missing(method, send, make_pair, fuse):
    pair = make_pair(SHAPE)
    raw, denoised = holed(pair.raw), pair.denoised.copy()
    denoised[3, 3, 3] = np.nan
    fused = fuse(method, send(raw), send(denoised), block_frames=19)
    assert_same(fused, fuse(method, raw, denoised), send(denoised), method)


@methods
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "int32", "float64"])
def test_dtypes(method, dtype, send, make_pair, fuse):
    pair = make_pair((12, 9, 14), level=40.0)
    if dtype == "bool" and isinstance(method, Fft):
        method = replace(method, alpha=0.85)  # of so few values, higher bins have too many ties
    raw = (pair.raw > 40) if dtype == "bool" else np.clip(pair.raw, 0, 120).astype(dtype)
    for denoised in (pair.denoised, pair.denoised.astype(np.float64)):
        fused = fuse(method, send(raw), send(denoised))
        assert_same(fused, fuse(method, raw, denoised), send(denoised), method)


@methods
@pytest.mark.parametrize("shape", [(1, 16, 16), (2, 5, 3), (30, 1, 12), (9, 8, 1)])
def test_corners(method, shape, send, make_pair, fuse):
    pair = make_pair(shape)
    if shape[0] == 1 and isinstance(method, Fft):
        method = replace(method, alpha=0.7)
    fused = fuse(method, send(pair.raw), send(pair.denoised))
    assert_same(fused, fuse(method, pair.raw, pair.denoised), send(pair.denoised), method)


@methods
def test_another_scale(method, send, make_pair, fuse):
    pair = make_pair(SHAPE)
    normalised = ((pair.denoised - 100) / 50).astype(np.float32)
    fusion = method.fit(send(pair.raw), send(normalised))
    expected = method.fit(pair.raw, normalised)
    assert not fusion.scale.is_identity
    assert fusion.scale.gain == pytest.approx(expected.scale.gain, rel=1e-5)
    assert_same(
        fusion.apply(send(normalised)), expected.apply(normalised), send(normalised), method
    )


@methods
def test_inputs_are_left_alone(method, send, make_pair, fuse):
    pair = make_pair((20, 9, 8))
    raw, denoised = send(pair.raw), send(pair.denoised)
    fuse(method, raw, denoised)
    np.testing.assert_array_equal(to_host(raw), pair.raw)
    np.testing.assert_array_equal(to_host(denoised), pair.denoised)


def test_auto_tries_and_chooses_windows_as_by_numpy(send, make_pair):
    pair = make_pair((520, 17, 20))
    raw, denoised = send(pair.raw), send(pair.denoised)
    expected, fusion = Auto().fit(pair.raw, pair.denoised), Auto().fit(raw, denoised)
    trials = fusion.findings["window_trials"]
    assert [trial["window"] for trial in trials] == [520, 275]
    for trial, other in zip(trials, expected.findings["window_trials"], strict=True):
        assert trial == pytest.approx(other, rel=1e-4)
    assert_same(fusion.apply(denoised), expected.apply(pair.denoised), denoised)


def test_into_memory_that_is_given(send, make_pair):
    pair = make_pair((20, 9, 8))
    denoised = send(pair.denoised)
    out = send(np.zeros_like(pair.denoised))
    assert Fft().fit(send(pair.raw), denoised).apply(denoised, out=out) is out
    assert_same(out, Fft().fit(pair.raw, pair.denoised).apply(pair.denoised), denoised)


def test_complex_values_are_refused(send, make_pair):
    pair = make_pair((4, 3, 3))
    with pytest.raises(InputError, match="real numbers are needed"):
        Fft().fit(send(pair.raw.astype(np.complex64)), send(pair.denoised))


def test_one_array_here_and_one_there(send, make_pair):
    pair = make_pair((4, 3, 3))
    with pytest.raises(InputError, match=r"one array is .* and another .*; bring them to one"):
        Fft().fit(send(pair.raw), pair.denoised)


@pytest.mark.parametrize("axes", [(-1,), (-2,), (-2, -1), (-3, -2, -1)])
def test_cosine_transforms(axes, send):
    values = np.random.default_rng(0).standard_normal((2, 5, 12, 7)).astype(np.float32)
    there = send(values)
    spectrum = space_of(there).dctn(there, axes=axes)
    np.testing.assert_allclose(to_host(spectrum), HOST.dctn(values, axes=axes), atol=1e-5)
    back = space_of(there).idctn(spectrum, axes=axes)
    np.testing.assert_allclose(to_host(back), values, atol=1e-5)


@pytest.mark.parametrize("n_frames", [1, 2, 75, 256])
def test_cosine_transforms_of_courses(n_frames, send):
    courses = np.random.default_rng(0).standard_normal((3, n_frames, 2)).astype(np.float32)
    there = send(courses)
    space = space_of(there)
    spectrum = space.dct(there)
    np.testing.assert_allclose(to_host(spectrum), HOST.dct(courses), atol=1e-5)
    np.testing.assert_allclose(to_host(space.idct(spectrum)), courses, atol=1e-5)
    starts = [0, 1, 3, 10][: min(n_frames, 4)]
    powers = space.band_powers(there, starts)
    np.testing.assert_allclose(powers, HOST.band_powers(courses, starts), rtol=1e-5)


@pytest.mark.parametrize("shape", [(3, 20, 31), (1, 1), (2, 3, 1, 9)])
def test_sums_over_rings(shape, send):
    values = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    index = ring_index(shape[-2:])
    np.testing.assert_allclose(
        ring_sums(send(values), index), ring_sums(values, index), rtol=1e-5, atol=1e-5
    )
