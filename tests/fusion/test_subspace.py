from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from tests.fusion.suite import MethodSuite

from freq2clean import Fusion, Subspace, Wiener, denoise
from freq2clean.errors import InputError
from freq2clean.simulation import simulate


class TestSubspace(MethodSuite):
    method = Subspace()
    on_its_own = False  # the limit takes frames in overlapping windows
    tolerance = 1e-2


class TestSubspaceWithoutLimit(MethodSuite):
    method = Subspace(window=40, limit=False)


def errors(pair, fused):
    """Mean squared error on all pixels, and on the 5 % that vary most."""
    spread = pair.truth.std(axis=0)
    active = spread >= np.quantile(spread, 0.95)
    squares = np.square(fused - pair.truth, dtype=np.float64)
    return squares.mean(), squares[:, active].mean()


def gain_db(before, after):
    return 10 * np.log10(before / after)


@pytest.fixture(scope="module")
def wiener(simulated, fuse):
    return errors(simulated, fuse(Wiener(), simulated.raw, simulated.denoised))


def test_active_cells_get_their_detail_back(simulated, wiener, fuse):
    found = errors(simulated, fuse(Subspace(limit=False), simulated.raw, simulated.denoised))
    assert gain_db(wiener[0], found[0]) > 0.3
    assert gain_db(wiener[1], found[1]) > 1.0


def test_the_limit_takes_leaked_noise_and_leaves_active_cells(simulated, fuse):
    free, limited = (
        errors(simulated, fuse(Subspace(limit=limit), simulated.raw, simulated.denoised))
        for limit in (False, True)
    )
    assert gain_db(free[0], limited[0]) > 0.2
    assert gain_db(free[1], limited[1]) > -0.1


@pytest.mark.parametrize("limit", [False, True])
def test_the_gain_is_foretold_without_the_truth(limit, simulated):
    fusion = Subspace(limit=limit).fit(simulated.raw, simulated.denoised)
    before, after = (
        errors(simulated, x)[0] for x in (simulated.denoised, fusion.apply(simulated.denoised))
    )
    assert fusion.findings["expected_mse_reduction"] == pytest.approx(before - after, rel=0.15)


def test_a_denoised_recording_that_is_the_truth_is_left_alone(simulated, fuse):
    rng = np.random.default_rng(0)
    sd = 0.1 * np.std(simulated.raw - simulated.truth)
    faint = (simulated.truth + rng.normal(0, sd, simulated.truth.shape)).astype(np.float32)
    before = errors(simulated, faint)
    after = errors(simulated, fuse(Subspace(), simulated.raw, faint))
    assert gain_db(before[0], after[0]) > -0.05
    assert gain_db(before[1], after[1]) > -0.05


def test_a_recording_that_shakes_keeps_its_detail(fuse):
    """Motion has power above a quarter of the frame rate, which must not count as noise."""
    recording = simulate((400, 64, 64), seed=11, jitter_px=1.0)
    raw, truth = recording.raw[:], recording.truth[:]
    pair = SimpleNamespace(raw=raw, denoised=denoise(raw, model="pca"), truth=truth)
    before, wiener, subspace = (
        errors(pair, x)
        for x in (
            pair.denoised,
            fuse(Wiener(), raw, pair.denoised),
            fuse(Subspace(), raw, pair.denoised),
        )
    )
    for i in range(2):
        assert gain_db(before[i], subspace[i]) > 0.2
        assert gain_db(wiener[i], subspace[i]) > -0.05


def stream(method, pair, block_frames, **options):
    fusion = Fusion(method, pair.raw.shape, **options)
    for start, stop in fusion.survey_runs:
        fusion.look(pair.raw[start:stop], pair.denoised[start:stop])
    fused = np.full(pair.raw.shape, -1, np.float32)
    done = 0
    for start in range(0, len(pair.raw), block_frames):
        block = slice(start, start + block_frames)
        fusion.add(start, pair.raw[block], pair.denoised[block])
        for first, last in fusion.review_runs:
            fusion.review(first, pair.raw[first:last], pair.denoised[first:last])
        for first in range(done, fusion.settled, block_frames):
            last = min(first + block_frames, fusion.settled)
            for _ in fusion.stream(
                pair.denoised[first:last], first_frame=first, room=lambda a, b: fused[a:b]
            ):
                pass
            done = last
    assert done == len(pair.raw)
    return fused


@pytest.mark.parametrize("window", [None, 150])
def test_a_stream_in_any_blocks_equals_the_whole(window, make_pair):
    pair = make_pair((400, 40, 36))
    pair.raw[40, 3] = 0
    pair.raw[17, 5, 6] = np.nan
    method = Subspace(window=window)
    whole = method.fit(pair.raw, pair.denoised, block_frames=400).apply(pair.denoised)
    assert np.argwhere(np.isnan(whole)).tolist() == [[17, 5, 6]]
    for block_frames in (37, 64, 400):
        fused = stream(method, pair, block_frames)
        np.testing.assert_allclose(fused, whole, rtol=0, atol=1e-2)


def test_memory_bounds_the_window_of_the_limit(make_pair):
    pair = make_pair((120, 40, 36))
    fusion = Subspace().fit(pair.raw, pair.denoised, memory_bytes=40 * 36 * 8 * 64 * 2)
    assert fusion._plan.tiling.n_frames == 64


def test_another_scale_changes_nothing(simulated, fuse):
    plain = fuse(Subspace(), simulated.raw, simulated.denoised)
    other = fuse(Subspace(), simulated.raw, (simulated.denoised - 40) / 300)
    before, after = (np.square(x - simulated.truth).mean() for x in (plain, other))
    assert after < 1.1 * before


def test_a_limited_fusion_wants_blocks_that_hold_a_window(make_pair):
    pair = make_pair((100, 20, 20))
    fusion = Subspace().fit(pair.raw, pair.denoised)
    with pytest.raises(InputError, match="5 frames given; the power limit needs 96 or more"):
        fusion.apply(pair.denoised[:5])
