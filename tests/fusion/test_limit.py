from __future__ import annotations

import time
from dataclasses import replace
from itertools import product
from threading import Lock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn, idctn

from freq2clean.fusion.limit import Limit, Limiter, LimitMoments, Tiling, limit_frames
from freq2clean.fusion.parallel import Spare


@given(st.integers(64, 150), st.integers(1, 150))
@settings(max_examples=20)
def test_with_no_excess_frames_come_out_as_they_went_in(rows, columns):
    tiling = Tiling((rows, columns), 32)
    frames = np.random.default_rng(0).normal(size=(70, rows, columns)).astype(np.float32)
    limit = nothing_to_take_off(tiling)
    out = limited(tiling, frames, limit)
    np.testing.assert_allclose(out, frames, atol=1e-4)


def limited(tiling, frames, limit):
    """All frames at once."""
    limiter = Limiter(tiling, 0, len(frames), Spare())
    return np.concatenate([done.copy() for _, done in pushed(limiter, frames, limit)])


def pushed(limiter, frames, limit):
    return limiter.push(
        len(frames), lambda some, out: np.copyto(out, frames[some]), lambda _: limit
    )


def nothing_to_take_off(tiling):
    n_tiles = [len(windows) for windows in tiling.axes]
    excess = np.zeros((*n_tiles, *tiling.number.shape))
    n_apart = np.full(n_tiles, len(tiling.bands))
    return Limit(0, np.full(tiling.shape, 0.5, np.float32), excess, n_apart)


@pytest.mark.parametrize("block_frames", [1, 7, 33, 64, 200])
def test_any_blocking_equals_the_whole(block_frames):
    tiling = Tiling((40, 70), 64)
    rng = np.random.default_rng(1)
    frames = rng.normal(size=(200, 40, 70)).astype(np.float32)
    limit = nothing_to_take_off(tiling)
    limit.excess[...] = rng.uniform(0, 1, limit.excess.shape)
    whole = limited(tiling, frames, limit)
    limiter, starts, parts = Limiter(tiling, 0, 200, Spare()), [], []
    for first in range(0, 200, block_frames):
        for start, done in pushed(limiter, frames[first : first + block_frames], limit):
            starts.append(start)
            parts.append(done.copy())
    assert starts == list(np.cumsum([0, *map(len, parts)])[:-1])
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("n_apart", [1, 5, None])
@pytest.mark.parametrize("without", [np.s_[:0], np.s_[2:5], np.s_[-1:, 3:], np.s_[:, 4:], np.s_[:]])
def test_one_box_is_a_spectral_subtraction(without, n_apart):
    """Against the definition, coefficient by coefficient, where one box holds everything."""
    tiling = Tiling((20, 24), 32)
    rng = np.random.default_rng(2)
    frames = (5 * rng.normal(size=(32, 20, 24))).astype(np.float32)
    limit = nothing_to_take_off(tiling)
    limit.excess[...] = rng.uniform(0, 30, limit.excess.shape)
    limit.excess[0, 0][without] = 0
    limit.n_apart[...] = n_apart or len(tiling.bands)
    out = limited(tiling, frames, limit)
    spectrum = dctn(frames.astype(np.float64) - limit.reference, norm="ortho")
    in_time = 1 / np.mean(tiling.typical_taper**2)
    if n_apart:
        above = spectrum[tiling.bands[n_apart][0] :]
        too_much = in_time * np.sum((tiling.number * limit.excess[0, 0])[n_apart:])
        above *= np.clip(1 - too_much / np.sum(above**2), 0, 1)
    for band, (start, stop) in enumerate(tiling.bands[:n_apart]):
        for ring in range(tiling.number.shape[1]):
            inside = spectrum[start:stop, tiling.index == ring]
            if inside.size:
                too_much = in_time * limit.excess[0, 0, band, ring] / np.mean(inside**2)
                spectrum[start:stop, tiling.index == ring] *= np.clip(1 - too_much, 0, 1)
    np.testing.assert_allclose(out, idctn(spectrum, norm="ortho") + limit.reference, atol=1e-3)


def white_pair(rng, *, signal, noise, leaked, n_frames=256, size=64):
    """A slow signal; raw with white noise, and one that holds less noise, of its own."""
    course = np.sin(np.arange(n_frames) / 20)[:, None, None]
    scene = signal * course * rng.normal(size=(size, size))
    raw = scene + rng.normal(0, noise, (n_frames, size, size))
    fused = scene + rng.normal(0, leaked, (n_frames, size, size))
    return scene, raw.astype(np.float32), fused.astype(np.float32)


def test_noise_that_the_raw_recording_does_not_support_is_taken_off():
    rng = np.random.default_rng(3)
    scene, raw, fused = white_pair(rng, signal=10, noise=20, leaked=10)
    tiling = Tiling((64, 64), 256)
    moments = LimitMoments(tiling, 0)
    moments.add(raw, fused)
    limit = moments.solve()
    excess = np.average(limit.excess[0, 0], weights=tiling.number)
    assert excess == pytest.approx(100 * np.mean(tiling.typical_taper**2), rel=0.2)
    out = limited(tiling, fused, limit)
    was, now = (np.square(x - scene).mean() for x in (fused, out))
    assert now < 0.2 * was


def test_bands_that_are_excess_but_for_a_trace_are_scaled_as_one():
    rng = np.random.default_rng(6)
    tiling = Tiling((64, 64), 256)
    moments = LimitMoments(tiling, 0)
    for _ in range(8):
        scene, raw, fused = white_pair(rng, signal=10, noise=10, leaked=10)
        moments.add(raw, fused)
    limit = moments.solve()
    assert 5 < limit.n_apart[0, 0] < len(tiling.bands)
    assert tiling.bands[limit.n_apart[0, 0]][0] > 256 / (np.pi * 20)  # where the scene lies
    apart = replace(limit, n_apart=np.full_like(limit.n_apart, len(tiling.bands)))
    one, each = (np.square(limited(tiling, fused, x) - scene).mean() for x in (limit, apart))
    assert one != each
    assert one == pytest.approx(each, rel=0.01)


def test_what_the_raw_recording_supports_is_left_alone():
    rng = np.random.default_rng(4)
    scene, raw, _ = white_pair(rng, signal=10, noise=20, leaked=0)
    tiling = Tiling((64, 64), 256)
    moments = LimitMoments(tiling, 0)
    moments.add(raw, scene.astype(np.float32))
    limit = moments.solve()
    out = limited(tiling, scene.astype(np.float32), limit)
    assert np.square(out - scene).mean() < 0.01 * np.square(scene).mean()


def test_values_that_are_unknown_stay_so_and_harm_nobody_else():
    tiling = Tiling((40, 40), 64)
    frames = np.random.default_rng(5).normal(size=(64, 40, 40)).astype(np.float32)
    frames[3, 4, 5] = np.nan
    limit = nothing_to_take_off(tiling)
    out = limited(tiling, frames, limit)
    assert np.argwhere(np.isnan(out)).tolist() == [[3, 4, 5]]
    raw = np.where(np.isnan(frames), 0, frames)
    moments = LimitMoments(tiling, 0)
    moments.add(raw, frames.copy())
    assert np.isfinite(moments.solve().excess).all()


@pytest.mark.parametrize(
    ("n_frames", "megabytes", "expected"),
    [(6000, 2000, 256), (200, 2000, 192), (31, 2000, 0), (6000, 300, 128), (6000, 1, 0)],
)
def test_the_window_fits_the_recording_and_the_memory(n_frames, megabytes, expected):
    assert limit_frames(n_frames, (512, 512), megabytes * 10**6) == expected


def test_every_tile_is_worked_on_once_and_none_that_overlap_at_once():
    tiling = Tiling((400, 181), 32)
    busy, lock, visited, most = np.zeros(tiling.shape, int), Lock(), [], []

    def visit(row, column):
        tile = busy[tiling.box(row, column)[1:]]
        with lock:
            tile += 1
            most.append(tile.max())
        time.sleep(0.002)
        with lock:
            tile -= 1
            visited.append((row, column))

    tiling.each_tile(visit)
    assert sorted(visited) == list(product(*(range(len(axis)) for axis in tiling.axes)))
    assert max(most) == 1


@pytest.mark.parametrize("size", [40, 96, 100, 128, 192, 256, 300, 512, 600, 1024, 2048])
def test_tiles_hardly_overlap_more_than_due(size):
    tiles, _ = Tiling((size, 40), 32).axes
    n_pixels = tiles[0].n_frames
    assert min(size, 80) <= n_pixels <= 136
    assert len(tiles) * n_pixels <= 1.2 * size
