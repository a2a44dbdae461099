from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freq2clean import Fft, Wiener
from freq2clean.fusion.missing import MaskedValues, missing_rows


def poisson(seed, photons, shape=(64, 24, 96)):
    return np.random.default_rng(seed).poisson(photons, shape).astype(np.uint16)


def naive_missing_rows(block):
    missing = np.zeros(block.shape[:2], bool)
    for t, frame in enumerate(block):
        zeros = [np.count_nonzero(row == 0) / len(row) for row in frame]
        lit = [i for i, share in enumerate(zeros) if share < 1]
        for i, share in enumerate(zeros):
            if share < 1:
                continue
            above = [j for j in lit if j < i][-1:]
            below = [j for j in lit if j > i][:1]
            darker = max((zeros[j] for j in above + below), default=0.0)
            missing[t, i] = darker ** frame.shape[1] < 1e-9
    return missing


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32, np.float64])
def test_planted_rows_and_only_they_are_found(dtype):
    rng = np.random.default_rng(0)
    block = poisson(0, 3.0).astype(dtype)
    planted = rng.random(block.shape[:2]) < 0.02
    block[planted] = 0
    block.setflags(write=False)
    np.testing.assert_array_equal(missing_rows(block), planted)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    photons=st.sampled_from([0.01, 0.1, 0.5, 2.0]),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 12), st.integers(1, 80)),
)
def test_equals_a_naive_search(seed, photons, shape):
    block = poisson(seed, photons, shape)
    block[np.random.default_rng(seed).random(shape[:2]) < 0.2] = 0
    np.testing.assert_array_equal(missing_rows(block), naive_missing_rows(block))


def test_a_zero_row_at_a_low_but_sufficient_count_is_found():
    block = poisson(1, 0.6)
    block[7, 3] = 0
    assert np.argwhere(missing_rows(block)).tolist() == [[7, 3]]


@pytest.mark.parametrize("photons", [0.003, 0.01, 0.03, 0.06, 0.1])
def test_dark_rows_of_few_photons_are_signal(photons):
    assert not missing_rows(poisson(2, photons, (500, 40, 96))).any()


def test_a_dark_edge_is_signal_though_the_rest_is_bright():
    """Light that falls off towards the edge: rows next to each other are alike."""
    photons = np.geomspace(1e-3, 3, 40)[:, None] * np.ones(96)
    assert not missing_rows(poisson(2, photons, (300, 40, 96))).any()


def test_a_border_of_zeros_and_an_empty_frame_are_missing():
    block = poisson(3, 5.0)
    block[:, :4] = 0
    block[[9, 30]] = 0
    expected = np.zeros(block.shape[:2], bool)
    expected[:, :4] = True
    expected[[9, 30]] = True
    np.testing.assert_array_equal(missing_rows(block), expected)


def test_a_row_of_nan_is_no_row_of_zeros():
    block = np.full((20, 4, 64), -1.5, np.float32)
    block[2, 1] = 0
    block[3, 1] = 0
    block[3, 1, 5] = np.nan
    assert np.argwhere(missing_rows(block)).tolist() == [[2, 1]]


def test_each_frame_is_judged_alone():
    block = poisson(6, 0.4, (40, 24, 48))
    block[np.random.default_rng(6).random(block.shape[:2]) < 0.1] = 0
    whole = missing_rows(block)
    assert whole.any()
    np.testing.assert_array_equal(
        whole, np.concatenate([missing_rows(block[t : t + 1]) for t in range(len(block))])
    )


def test_dropped_lines_do_not_bias_the_mean():
    raw = poisson(7, 20.0, (90, 16, 32))
    dropped = np.random.default_rng(7).random(raw.shape[:2]) < 0.1
    holes = np.broadcast_to(dropped[:, :, None], raw.shape)
    mean = np.ma.array(raw, mask=holes).mean(axis=0).filled(np.nan)
    raw = np.where(holes, 0, raw).astype(np.uint16)
    denoised = np.full(raw.shape, 17.0, np.float32)
    fusion = Fft(alpha=1.0, matching="none").fit(raw, denoised, block_frames=13)
    np.testing.assert_allclose(fusion.apply(denoised)[0], mean, rtol=1e-6)


def test_dropped_lines_of_a_large_image_are_counted_by_all_threads():
    raw = poisson(8, 20.0, (12, 160, 200))
    raw[np.random.default_rng(8).random(raw.shape[:2]) < 0.3] = 0
    mean = np.ma.masked_equal(raw, 0).mean(axis=0).filled(17.0)
    denoised = np.full(raw.shape, 17.0, np.float32)
    for _ in range(5):
        fused = Fft(alpha=1.0, matching="none").fit(raw, denoised).apply(denoised)
        np.testing.assert_allclose(fused[0], mean, rtol=1e-6)


@pytest.mark.parametrize("matching", ["affine", "histogram", "none"])
def test_a_border_without_values_stays_as_denoised_and_out_of_the_matching(matching, make_pair):
    pair = make_pair((60, 24, 32))
    raw = np.abs(pair.raw) + 1
    inner = Fft(matching=matching).fit(raw[:, 4:], pair.denoised[:, 4:], rescale=False)
    raw[:, :4] = 0
    outer = Fft(matching=matching).fit(raw, pair.denoised, rescale=False)
    fused = outer.apply(pair.denoised)
    np.testing.assert_array_equal(fused[:, :4], pair.denoised[:, :4])
    np.testing.assert_allclose(fused[:, 4:], inner.apply(pair.denoised[:, 4:]), rtol=1e-6)


@pytest.mark.parametrize("method", [Fft(), Fft(alpha=(0.8, 0.5)), Wiener()])
def test_a_recording_of_zeros_leaves_the_denoised_one_unchanged(method, make_pair):
    denoised = make_pair((70, 16, 16)).denoised
    fusion = method.fit(np.zeros(denoised.shape, np.uint16), denoised)
    np.testing.assert_array_equal(fusion.apply(denoised), denoised)
    assert fusion.findings


def test_noise_that_dropped_lines_leave_in_the_sums_is_not_taken_for_signal():
    """With half of all lines missing the sums hold twice the noise of whole ones."""
    rng = np.random.default_rng(9)
    denoised = np.full((300, 32, 32), 100.0, np.float32)
    raw = denoised + rng.normal(0, 10, denoised.shape).astype(np.float32)
    raw[rng.random(raw.shape[:2]) < 0.5] = 0
    fused = Wiener(n_bins=20).fit(raw, denoised).apply(denoised)
    assert np.sqrt(np.mean((fused - denoised) ** 2)) < 0.1


def test_masks_come_back_for_any_range_of_frames():
    masked, rng = MaskedValues(), np.random.default_rng(0)
    mask = rng.random((10, 7)) < 0.3
    masked.add(5, mask[:4])
    masked.add(9, mask[4:])
    for start, stop in [(0, 20), (5, 9), (7, 11), (14, 15), (15, 20)]:
        block = np.zeros((stop - start, 7), np.float32)
        masked.blank(start, block)
        expected = np.zeros((20, 7), bool)
        expected[5:15] = mask
        np.testing.assert_array_equal(np.isnan(block), expected[start:stop])
    masked.forget(9)
    block = np.zeros((15, 7), np.float32)
    masked.blank(0, block)
    assert not np.isnan(block[:9]).any()
    np.testing.assert_array_equal(np.isnan(block[9:]), mask[4:])
