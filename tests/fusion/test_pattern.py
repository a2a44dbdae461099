from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, median_filter

from freq2clean import Subspace, Wiener
from freq2clean.fusion.pattern import bad_pixels, fill_in, find_line_offsets
from freq2clean.simulation import simulate


@pytest.fixture(params=[11, 5, 3])
def tissue(request):
    """The mean image of simulated tissue."""
    return simulate((2, 128, 112), seed=request.param, snr_db=12.0).truth[:].mean(axis=0)


def fine(lines):
    """Offsets without their coarse part, which is left alone."""
    return lines - median_filter(lines, 15)


@pytest.mark.parametrize("axis", [0, 1])
def test_tissue_has_no_lines(tissue, axis):
    lost = tissue - gaussian_filter(tissue, 1.5)
    for image in (tissue, lost):
        found = find_line_offsets(image if axis == 0 else image.T)
        assert not found.values.any()
        assert found.n_lines == 0


@pytest.mark.parametrize("width", [1, 2, 4])
def test_coarse_structure_has_no_lines(width):
    rng = np.random.default_rng(0)
    images = [gaussian_filter(rng.normal(0, 1, (128, 128)), width) for _ in range(50)]
    assert not any(find_line_offsets(image).values.any() for image in images)


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_process_along_an_axis_is_no_line(share):
    image = np.random.default_rng(0).normal(0, 1, (128, 128))
    image[60:62, : int(share * 128)] += 30
    assert not find_line_offsets(image).values.any()


def test_a_tissue_without_outliers_has_no_bad_pixels(tissue):
    assert not bad_pixels(tissue, 1e-3 * tissue.std()).any()


def test_bad_pixels_are_those_that_a_look_at_every_pixel_finds():
    rng = np.random.default_rng(0)
    n_bad = 0
    for turn in range(30):
        mean = rng.normal(100, 1, (23, 20)).round(turn % 3)
        mean.flat[rng.integers(mean.size, size=20)] += rng.normal(0, 60, 20)
        error = rng.uniform(0, 3)
        expected = np.zeros(mean.shape, bool)
        padded = np.pad(mean, 1, mode="symmetric")
        for y, x in np.ndindex(mean.shape):
            around = np.delete(padded[y : y + 3, x : x + 3].ravel(), 4)
            level = np.median(around)
            least = max(6 * error, 8 * np.abs(around - level).max())
            expected[y, x] = abs(mean[y, x] - level) > least
        np.testing.assert_array_equal(bad_pixels(mean, error), expected)
        n_bad += expected.sum()
    assert n_bad > 50


def test_line_offsets_are_found_under_tissue(tissue):
    rng = np.random.default_rng(0)
    lost = tissue - gaussian_filter(tissue, 1.5)
    offsets = rng.normal(0, 0.5 * lost.std(), len(lost))
    found = find_line_offsets(lost + offsets[:, None])
    assert np.corrcoef(fine(found.values), fine(offsets))[0, 1] > 0.8
    assert found.n_lines > 20
    assert found.sd == pytest.approx(offsets.std(), rel=0.3)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3), (12, 12)])
def test_small_images_have_no_lines(shape):
    assert not find_line_offsets(np.random.default_rng(0).random(shape)).values.any()


def test_hot_and_dead_pixels_are_found_and_filled(tissue):
    image, where = tissue.copy(), ([5, 40, 90], [7, 60, 100])
    image[where] += [9 * tissue.std(), 20 * tissue.std(), -9 * tissue.std()]
    bad = bad_pixels(image, 1e-3 * tissue.std())
    assert set(map(tuple, np.argwhere(bad))) == set(zip(*where, strict=True))
    (filled,) = fill_in(image[None], bad)
    np.testing.assert_array_equal(filled[~bad], tissue[~bad])
    around = [tissue[y - 1 : y + 2, x - 1 : x + 2] for y, x in zip(*where, strict=True)]
    expected = [np.median(np.delete(box, 4)) for box in around]
    np.testing.assert_allclose(filled[where], expected)


def patterned(pair):
    """The raw recording of a detector with uneven columns and a few hot pixels."""
    rng = np.random.default_rng(1)
    sd = (pair.raw - pair.truth).std()
    raw = pair.raw + 0.2 * sd * rng.standard_normal(pair.raw.shape[2])
    raw[:, [9, 30], [50, 20]] += 8 * sd
    return raw.astype(np.float32)


@pytest.mark.parametrize("method", [Wiener, Subspace])
def test_the_pattern_stays_out_of_the_fused_recording(method, simulated, fuse):
    raw = patterned(simulated)
    clean, out, kept = (
        np.mean((fuse(m, x, simulated.denoised) - simulated.truth) ** 2)
        for m, x in (
            (method(), simulated.raw),
            (method(), raw),
            (method(keep_fixed_pattern=True), raw),
        )
    )
    assert out < 2 * clean
    assert kept > 1.5 * out


def test_what_was_kept_out_is_said(simulated):
    raw = patterned(simulated)
    found = Wiener().fit(raw, simulated.denoised).findings["fixed_pattern"]
    assert found["bad_pixels"] == 2
    assert found["columns"] > 20
    assert found["rows"] == 0
    assert found["columns_sd"] == pytest.approx(0.2 * (raw - simulated.truth).std(), rel=0.4)
    kept = Wiener(keep_fixed_pattern=True).fit(raw, simulated.denoised)
    assert kept.findings["fixed_pattern"] == {}


def test_without_pattern_nothing_changes(simulated, fuse):
    out, kept = (
        fuse(Wiener(keep_fixed_pattern=keep), simulated.raw, simulated.denoised)
        for keep in (False, True)
    )
    np.testing.assert_array_equal(out, kept)
