from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import dctn, idctn
from tests.fusion.suite import MethodSuite

from freq2clean import Dct
from freq2clean.errors import InputError
from freq2clean.fusion.windows import plan_windows

FLOAT32 = 4e-7  # a few steps of float32, which count where the level is far above the range


class TestDct(MethodSuite):
    method = Dct()


class TestDctInWindows(MethodSuite):
    method = Dct(window=30, raw_average=20, overlap=0.1)


def ramp(values, cutoff, width):
    return np.clip((values - (cutoff - width)) / (2 * width), 0, 1)


def moving_average(raw, length):
    if length == 1:
        return raw
    n, half = len(raw), length // 2
    return np.stack([raw[max(0, i - half) : min(n, i + half)].mean(axis=0) for i in range(n)])


def study(raw, denoised, method):
    """The full 3-D transform of every window, forward and back, in float64."""
    raw, denoised = raw.astype(np.float64), denoised.astype(np.float64)
    average = moving_average(raw, method.raw_average)
    fused = np.zeros(raw.shape)
    for w in plan_windows(len(raw), window=method.window, overlap=method.overlap):
        x = dctn(average[w.start : w.stop], norm="ortho")
        y = dctn(denoised[w.start : w.stop], norm="ortho")
        t, i, j = np.ogrid[: x.shape[0], : x.shape[1], : x.shape[2]]
        if method.spatial_cutoff_per_um is None:
            space = ramp(np.hypot(i, j), method.spatial_cutoff, method.spatial_width)
        else:
            height, width = (
                n * um for n, um in zip(x.shape[1:], method.pixel_size_um, strict=True)
            )
            per_um = np.hypot(i / (2 * height), j / (2 * width))
            space = ramp(per_um, method.spatial_cutoff_per_um, method.spatial_width_per_um)
        if method.temporal_cutoff_hz is None:
            time = 1 - ramp(t, method.temporal_cutoff, method.temporal_width)
        else:
            hz = t * method.frame_rate_hz / (2 * w.n_frames)
            time = 1 - ramp(hz, method.temporal_cutoff_hz, method.temporal_width_hz)
        weight = space * time
        blend = idctn(weight * x + (1 - weight) * y, norm="ortho")
        fused[w.start : w.stop] += w.taper[:, None, None] * blend
    return fused


def check(method, pair, **options):
    fusion = method.fit(pair.raw, pair.denoised, rescale=False, **options)
    fused = fusion.apply(pair.denoised)
    data_range = max(np.ptp(pair.raw.astype(float)), np.ptp(pair.denoised))
    expected = study(pair.raw, pair.denoised, method)
    assert np.abs(fused - pair.denoised).max() > 0.01 * data_range
    np.testing.assert_allclose(fused, expected, rtol=FLOAT32, atol=1e-5 * data_range)
    return fusion


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("raw_average", [1, 2, 7, 40, 6000])
def test_equals_the_full_transform(dtype, raw_average, make_pair):
    level = 0.0 if dtype in (np.int16, np.float32) else 100.0
    pair = make_pair((90, 40, 52), dtype=dtype, level=level)
    check(Dct(window=30, raw_average=raw_average), pair)


@pytest.mark.parametrize(
    ("n_frames", "window", "overlap"),
    [(1, 3000, 0.0), (2, 3000, 0.0), (50, 3000, 0.0), (50, 21, 0.0), (61, 20, 0.3), (33, 16, 0.9)],
)
def test_windows_of_any_fit_equal_the_full_transform(n_frames, window, overlap, make_pair):
    pair = make_pair((n_frames, 40, 40), seed=1)
    check(Dct(window=window, overlap=overlap, raw_average=15), pair)


@pytest.mark.parametrize("pixel_size_um", [(1.0, 1.0), (0.5, 2.0)])
def test_cut_offs_in_physical_units(pixel_size_um, make_pair):
    pair = make_pair((80, 24, 32), seed=2)
    method = Dct(
        window=40,
        spatial_cutoff_per_um=0.1,
        spatial_width_per_um=0.08,
        temporal_cutoff_hz=0.5,
        temporal_width_hz=1.5,
        pixel_size_um=pixel_size_um,
        frame_rate_hz=30.0,
    )
    fusion = check(method, pair, block_frames=17)
    assert fusion.findings["n_bins"] == 6


def test_cut_offs_that_take_every_bin(make_pair):
    pair = make_pair((25, 12, 12), seed=3)
    method = Dct(temporal_cutoff=50.0, spatial_cutoff=0.0, spatial_width=3.0, raw_average=1)
    assert check(method, pair).findings["n_bins"] == 25


def test_the_study_in_full_length(make_pair):
    pair = make_pair((3000, 40, 40), seed=4)
    assert check(Dct(), pair).findings["n_bins"] == 10


def test_a_bright_background_costs_no_precision(make_pair):
    pair = make_pair((500, 40, 40), dtype=np.uint16, level=60_000.0)
    denoised = pair.denoised + np.float32(0)
    check(Dct(window=200, raw_average=100), type(pair)(pair.raw, denoised, pair.truth))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"raw_average": 0}, "raw_average = 0 frames; give 1 or more"),
        ({"spatial_width": 0.0}, "spatial_width = 0.0; give a width above 0"),
        ({"temporal_width_hz": -1.0, "temporal_cutoff_hz": 1.0}, "temporal_width_hz = -1.0"),
        ({"spatial_cutoff_per_um": 0.1}, "give spatial_cutoff_per_um and spatial_width_per_um tog"),
        ({"temporal_cutoff_hz": 0.1}, "give temporal_cutoff_hz and temporal_width_hz together"),
        ({"frame_rate_hz": 30.0}, "frame_rate_hz = 30.0, and no cut-off .* temporal_cutoff_hz too"),
        ({"pixel_size_um": (1, 1)}, "leave it out, or give spatial_cutoff_per_um too"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        Dct(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"spatial_cutoff_per_um": 0.1, "spatial_width_per_um": 0.1}, "give pixel_size_um too"),
        ({"temporal_cutoff_hz": 0.1, "temporal_width_hz": 0.1}, "give frame_rate_hz too"),
    ],
)
def test_physical_units_need_the_sampling(options, words, make_pair):
    pair = make_pair((10, 8, 8))
    method = Dct(**options)
    assert [f"give {unit} too" for unit in method.missing_units] == [words]
    with pytest.raises(InputError, match=words):
        method.fit(pair.raw, pair.denoised)
