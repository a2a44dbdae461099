from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from freq2clean.registration import find_motion
from freq2clean.registration.correlation import register, spectra_of


def noisy(frames: np.ndarray, photons: float = 1.0, seed: int = 9) -> np.ndarray:
    """Photon counts, ``photons`` per pixel and frame on average."""
    rng = np.random.default_rng(seed)
    return rng.poisson(frames * photons / frames.mean()).astype(np.uint16)


def course(kind: str, n: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    if kind == "drift":
        return np.linspace(-3, 3, n)[:, None] * [1.0, 0.6]
    if kind == "jitter":
        return rng.normal(0, 1, (n, 2))
    steps = np.zeros((n, 2))
    steps[n // 3 :] += [5.0, -2.5]
    steps[n // 2 :] -= [8.0, 1.0]
    return steps


def errors(found: np.ndarray, true: np.ndarray) -> float:
    difference = found - true
    return float(np.sqrt(np.mean((difference - np.median(difference, axis=0)) ** 2)))


@pytest.mark.parametrize("kind", ["drift", "jitter", "steps"])
def test_known_motion_is_found(seen, kind):
    shifts = course(kind, 120)
    frames = seen(shifts)
    motion = find_motion(noisy(frames, 3.0), frames)
    assert not motion.is_still
    assert errors(motion.raw_px, shifts) < 0.1
    assert 0.03 < motion.error_px < 0.1
    np.testing.assert_array_equal(motion.lag_px, 0)


def test_bright_frames_are_found_as_one_by_one_against_the_truth(seen):
    shifts = course("jitter", 80)
    frames = seen(shifts)
    scene = spectra_of(seen(np.zeros((1, 2))))[0]
    one_by_one = register(spectra_of(frames), scene)
    motion = find_motion(frames, frames)
    assert errors(motion.raw_px, one_by_one) < 0.03
    assert errors(motion.raw_px, shifts) < 0.05


def test_dim_frames_are_found_as_well_as_it_says(seen):
    shifts = course("jitter", 120)
    frames = seen(shifts)
    motion = find_motion(noisy(frames, 0.7), frames)
    assert motion.error_px == pytest.approx(errors(motion.raw_px, shifts), rel=0.3)


def test_any_blocks_give_the_same(seen):
    frames = seen(course("jitter", 75))
    raw = noisy(frames)
    whole = find_motion(raw, frames, block_frames=75)
    for size in (1, 7, 64):
        blocked = find_motion(raw, frames, block_frames=size)
        np.testing.assert_array_equal(blocked.raw_px, whole.raw_px)
        np.testing.assert_array_equal(blocked.denoised_px, whole.denoised_px)


@pytest.mark.parametrize("photons", [0.3, 1.0, 30.0])
def test_what_is_still_stays(seen, photons):
    frames = seen(np.zeros((100, 2)))
    motion = find_motion(noisy(frames, photons), frames)
    assert motion.is_still
    assert "move" in motion.why_not
    np.testing.assert_array_equal(motion.raw_px, 0)


def test_a_denoised_recording_that_does_not_follow_is_told(seen):
    shifts = course("jitter", 120)
    frames = seen(shifts)
    average = gaussian_filter(frames, (8, 0, 0))
    motion = find_motion(noisy(frames, 3.0), average)
    assert errors(motion.raw_px, shifts) < 0.1
    assert errors(motion.lag_px, shifts - gaussian_filter(shifts, (8, 0))) < 0.15


def test_dim_frames_are_averaged(seen):
    shifts = np.linspace(-4, 4, 1024)[:, None] * [1.0, 0.0]
    frames = seen(shifts, shape=(48, 48))
    motion = find_motion(noisy(frames, 0.05), frames)
    assert motion.group_frames > 1
    assert errors(motion.raw_px, shifts) < 0.3


def test_too_dim_to_tell(seen):
    frames = seen(np.zeros((64, 2)), shape=(32, 32))
    motion = find_motion(noisy(frames, 0.003), frames)
    assert motion.is_still
    assert motion.error_px is None
    assert "too dim" in motion.why_not


@pytest.mark.parametrize("shape", [(1, 32, 32), (2, 32, 32), (40, 15, 90), (5, 17, 33), (9, 1, 1)])
@pytest.mark.parametrize("value", [0, 7])
def test_nothing_to_see_is_still(shape, value):
    constant = np.full(shape, value, np.uint16)
    motion = find_motion(constant, constant.astype(np.float32))
    assert motion.is_still
    assert motion.raw_px.shape == (shape[0], 2)


def test_dropped_lines_and_nan_do_not_count(seen):
    shifts = course("jitter", 96)
    frames = seen(shifts, shape=(61, 67))
    raw = noisy(frames, 3.0).astype(np.float32)
    raw[::5, 20:23] = 0
    raw[::7, 40, 10] = np.nan
    raw[50] = np.nan
    denoised = frames.copy()
    denoised[3, 5:9, 5:9] = np.nan
    motion = find_motion(raw, denoised)
    ordinary = np.arange(96) != 50
    assert errors(motion.raw_px[ordinary], shifts[ordinary]) < 0.1
    assert np.isfinite(motion.raw_px).all()
    assert np.abs(motion.lag_px).max() == 0


def test_fields_larger_than_needed_are_seen_coarser(seen):
    shifts = course("drift", 20)
    frames = seen(shifts, shape=(300, 520))
    motion = find_motion(noisy(frames, 3.0), frames)
    assert errors(motion.raw_px, shifts) < 0.1


def test_progress_comes_to_its_end(seen):
    frames = seen(course("drift", 40))
    reported = []
    find_motion(frames, frames, block_frames=16, progress=lambda *done: reported.append(done))
    assert reported == [(16, 40), (32, 40), (40, 40)]
