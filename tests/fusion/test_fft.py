from __future__ import annotations

import numpy as np
import pytest
from skimage.exposure import match_histograms
from tests.fusion.suite import MethodSuite

from freq2clean import Fft
from freq2clean.errors import InputError
from freq2clean.fusion.windows import plan_windows

FLOAT32 = 4e-7  # a few steps of float32, which count where the level is far above the range
ALL_BINS_OF_8 = (0.85, 0.3, 1.0, 0.6, 0.5)


class TestFft(MethodSuite):
    method = Fft()
    shifts = False  # bins are blended by magnitude, whatever the sign


class TestFftOfHistograms(TestFft):
    method = Fft(matching="histogram")


class TestFftInWindows(TestFft):
    method = Fft(alpha=(0.8, 0.5), matching="none", window=30, raw_mean="window", overlap=0.2)
    least_frames = 2  # as it has two bins


def affine(source, template):
    """Least squares of the source on the template, undone; a source unlike it stays."""
    gain, offset = np.polyfit(template.ravel(), source.ravel(), 1)
    r = np.corrcoef(template.ravel(), source.ravel())[0, 1]
    if r < 0.5 or np.arctanh(r) < 4 / np.sqrt(source.size - 3):
        return source
    return (source - offset) / gain


MATCHINGS = {"histogram": match_histograms, "affine": affine, "none": lambda x, y: x}


def study(raw, denoised, method):
    """The full transform of every window, forward and back, in float64."""
    raw, denoised = raw.astype(np.float64), denoised.astype(np.float64)
    fused = np.zeros(raw.shape)
    for w in plan_windows(len(raw), window=method.window, overlap=method.overlap):
        x = np.fft.rfft(raw[w.start : w.stop], axis=0)
        y = np.fft.rfft(denoised[w.start : w.stop], axis=0)
        if method.raw_mean == "global":
            x[0] = raw.mean(axis=0) * w.n_frames
        for k, alpha in enumerate(method.alphas):
            magnitude = np.abs(y[k])
            matched = MATCHINGS[method.matching](np.abs(x[k]), magnitude)
            blend = alpha * matched + (1 - alpha) * magnitude
            y[k] = blend * np.exp(1j * np.angle(y[k]))
        fused[w.start : w.stop] += w.taper[:, None, None] * np.fft.irfft(y, w.n_frames, axis=0)
    return fused


def check(method, pair, **options):
    fusion = method.fit(pair.raw, pair.denoised, rescale=False, **options)
    fused = fusion.apply(pair.denoised)
    data_range = max(np.ptp(pair.raw.astype(float)), np.ptp(pair.denoised))
    expected = study(pair.raw, pair.denoised, method)
    assert fused.dtype == np.float32
    assert np.abs(fused - pair.denoised).max() > 0.01 * data_range
    np.testing.assert_allclose(fused, expected, rtol=FLOAT32, atol=1e-5 * data_range)


@pytest.mark.parametrize("matching", ["histogram", "affine", "none"])
@pytest.mark.parametrize("alpha", [0.5, 1.0, (0.85, 0.4, 0.9)])
@pytest.mark.parametrize("raw_mean", ["global", "window"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
def test_equals_the_full_transform(matching, alpha, raw_mean, dtype, make_pair):
    level = 0.0 if dtype in (np.int16, np.float32) else 100.0
    pair = make_pair((60, 18, 21), dtype=dtype, level=level)
    check(Fft(alpha=alpha, matching=matching, window=30, raw_mean=raw_mean), pair)


@pytest.mark.parametrize("matching", ["histogram", "affine", "none"])
@pytest.mark.parametrize(
    ("n_frames", "window", "overlap"),
    [(1, 3000, 0.0), (2, 3000, 0.0), (50, 3000, 0.0), (50, 21, 0.0), (61, 20, 0.3), (33, 16, 0.9)],
)
def test_windows_of_any_fit_equal_the_full_transform(
    matching, n_frames, window, overlap, make_pair
):
    pair = make_pair((n_frames, 16, 16), seed=1)
    check(Fft(matching=matching, window=window, overlap=overlap, raw_mean="window"), pair)


@pytest.mark.parametrize("window", [8, 9])
def test_every_bin_up_to_the_highest(window, make_pair):
    """Of an even window the last is the Nyquist bin, which has no imaginary part."""
    pair = make_pair((4 * window, 12, 12), seed=2)
    check(Fft(alpha=ALL_BINS_OF_8, matching="histogram", window=window), pair)


@pytest.mark.parametrize("alpha", [0.85, (0.85, 0.5)])
def test_random_data_of_both_signs(alpha, make_pair):
    pair = make_pair((40, 20, 20), seed=3)
    rng = np.random.default_rng(3)
    raw, denoised = rng.normal(0, 50, (2, *pair.raw.shape)).astype(np.float32)
    check(Fft(alpha=alpha, matching="histogram"), type(pair)(raw, denoised, pair.truth))


def test_long_blocks_change_nothing(make_pair):
    """Whole numbers, whose sums are exact: a rounding error could swap two ranks."""
    pair = make_pair((700, 8, 8), dtype=np.uint16, level=60_000.0)
    whole = type(pair)(pair.raw, np.rint(pair.denoised), pair.truth)
    check(Fft(matching="histogram", window=300), whole, block_frames=700)


def test_integers_with_many_ties_match_as_in_the_study(make_pair):
    pair = make_pair((40, 24, 24), seed=4)
    rng = np.random.default_rng(4)
    raw = rng.poisson(0.2, pair.raw.shape).astype(np.uint16)
    denoised = np.rint(4 * raw.mean(axis=0)) + rng.integers(0, 2, pair.raw.shape)
    check(Fft(matching="histogram"), type(pair)(raw, denoised.astype(np.float32), pair.truth))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha": 1.2}, "alpha = 1.2; give weights from 0 to 1, one per bin"),
        ({"alpha": (0.5, -0.1)}, "alpha = "),
        ({"alpha": ()}, "alpha = "),
        ({"alpha": float("nan")}, "alpha = nan"),
        ({"matching": "linear"}, "matching = 'linear'; give one of histogram, affine, none"),
        ({"raw_mean": "frame"}, "raw_mean = 'frame'; give global or window"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        Fft(**options)


def test_more_weights_than_bins_are_refused(make_pair):
    pair = make_pair((4, 8, 8))
    with pytest.raises(InputError, match="DFT bin 3 asked for; a window of 4 frames has bins 0 to"):
        Fft(alpha=(1.0, 1.0, 1.0, 1.0)).fit(pair.raw, pair.denoised)


def test_inside_a_border_without_values_it_is_the_fusion_of_the_inside(make_pair, fuse):
    pair = make_pair((100, 24, 24))
    inside = (slice(None), slice(3, -3), slice(3, -3))
    raw = np.full(pair.raw.shape, np.nan, np.float32)
    raw[inside] = pair.raw[inside]
    alone = fuse(Fft(), np.ascontiguousarray(pair.raw[inside]), pair.denoised[inside])
    np.testing.assert_allclose(fuse(Fft(), raw, pair.denoised)[inside], alone, rtol=1e-5)
