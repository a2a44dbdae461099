"""Noise2Noise: what it pairs, that two acquisitions teach more than one, and what is refused."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from tests.denoisers.suite import TrainedSuite

from freq2clean.denoisers import load_model
from freq2clean.denoisers.contract import valid_frames
from freq2clean.denoisers.deepcad import DeepCAD
from freq2clean.denoisers.deepcad.units import measure
from freq2clean.denoisers.noise2noise import Alternating, Noise2Noise
from freq2clean.errors import InputError

TINY = Noise2Noise(
    patch_t=8,
    patch_y=16,
    patch_x=16,
    patches_per_epoch=8,
    n_epochs=1,
    batch_size=4,
    learning_rate=1e-3,
    base_channels=4,
    tile_t=80,
    tile_yx=32,
    halo=8,
)
LEARNING = replace(
    TINY,
    patch_t=16,
    patches_per_epoch=100,
    batch_size=1,
    learning_rate=3e-3,
    base_channels=8,
    tile_t=136,
    tile_yx=64,
)


class TestNoise2Noise(TrainedSuite):
    denoiser = TINY
    learning = LEARNING


def acquisitions(n=2, shape=(60, 24, 24)):
    """Photon noise on one scene, n times."""
    rng = np.random.default_rng(7)
    light = np.tile(np.linspace(3, 9, shape[2]), (*shape[:2], 1))
    light[:, 6:13, 8:16] *= 1.5 + np.sin(np.arange(shape[0]) / 7)[:, None, None]
    return light, rng.poisson(np.stack([light] * n)).astype(np.uint16)


class TestAlternating:
    def test_every_range_equals_the_interleaved_arrays(self, noisy):
        one, other = noisy[:9].copy(), 3 * noisy[9:18] + 50
        one[4, 3] = 0
        other = other.astype(np.float32)
        other[2, 2, 2] = np.nan
        expected = np.empty((18, *noisy.shape[1:]), np.float32)
        for i, view in enumerate((one, other)):
            expected[i::2] = measure(view).of(valid_frames(view))
        found = Alternating(one, other)
        assert (found.shape, found.dtype) == (expected.shape, np.float32)
        for start in range(18):
            for stop in range(start, 19):
                np.testing.assert_array_equal(found[start:stop], expected[start:stop])

    def test_pairs_are_of_one_moment(self):
        """Frame t of one view never meets another frame of the other."""
        t = np.arange(1, 21, dtype=np.float32)[:, None, None] * np.ones((20, 8, 8), np.float32)
        seen = []
        options = replace(TINY, patch_y=8, patch_x=8, patch_t=3, patches_per_epoch=50)
        lesson = options.lesson()

        def make_pair(stretch, rng):
            source, target = lesson.make_pair(stretch, rng)
            seen.append((source[:3, 0, 0], target[:3, 0, 0]))
            return source, target

        class Watched(Noise2Noise):
            def lesson(self):
                return replace(super().lesson(), make_pair=make_pair)

        Watched(**asdict(options)).fit(t, 2 * t)
        assert len(seen) == 50
        for source, target in seen:
            np.testing.assert_allclose(source, target, atol=1e-5)


def test_acquisitions_on_two_scales_teach_the_signal(psnr):
    light, (one, other) = acquisitions()
    options = replace(TINY, patches_per_epoch=120, batch_size=1, learning_rate=3e-3)
    model = options.fit(one, (40 * other + 100).astype(np.uint16))
    denoised = model.predict(one)[:]
    assert psnr(light, denoised) > psnr(light, one) + 8
    assert denoised.mean() == pytest.approx(one.mean(), rel=0.01)


@pytest.mark.slow
def test_what_one_detector_has_alone_is_not_taken_for_signal():
    """Stripes that stand still are in all frames of one acquisition, and in none of the other."""
    _, (one, other) = acquisitions()
    one[:, :, ::4] += 5
    options = replace(TINY, patches_per_epoch=120, batch_size=1, learning_rate=3e-3)
    split, paired = (options.fit(one, *more).predict(one)[:] for more in ([], [other]))

    def stripes(denoised):
        columns = denoised.mean(axis=(0, 1))
        return columns[4:20:4].mean() - (columns[2:18:4].mean() + columns[6:22:4].mean()) / 2

    assert stripes(paired) < 0.5 * stripes(split)


def test_two_scenes_of_two_acquisitions_each():
    _, (one, other) = acquisitions()
    model = TINY.fit(one, other, one[:40, :20], other[:40, :20])
    assert model.predict(one)[:].shape == one.shape


def test_one_recording_is_trained_on_its_even_and_odd_frames(noisy):
    """Stretches begin at even frames, in the study's split."""
    assert (TINY.lesson().step, TINY.lesson().n_views) == (2, 2)
    assert DeepCAD().lesson().step == 1


def test_resumed_training_of_pairs_equals_uninterrupted(tmp_path):
    _, (one, other) = acquisitions()
    longer = replace(TINY, n_epochs=2)
    expected = longer.fit(one, other).state.network.state_dict()
    TINY.train([one, other], tmp_path / "model.pth")
    resumed = longer.train([one, other], tmp_path / "model.pth", resume=True)
    for name, value in resumed.state.network.state_dict().items():
        assert value.equal(expected[name])


def test_recordings_that_are_no_pairs_are_refused():
    _, (one, other, third) = acquisitions(3)
    with pytest.raises(InputError, match="3 recordings are no pairs of acquisitions; give two of"):
        TINY.fit(one, other, third)
    with pytest.raises(InputError, match=r"scene are of \(60, 24, 24\) and \(59, 24, 24\)"):
        TINY.fit(one, other[1:])
    with pytest.raises(InputError, match="cannot be denoised"):
        TINY.fit(one, other[0])
    with pytest.raises(InputError, match="not a single value of the recording is a finite"):
        TINY.fit(one, np.full(other.shape, np.nan))


def test_models_know_who_trained_them(noisy, tmp_path):
    path = tmp_path / "model.pth"
    TINY.fit(noisy).save(path)
    with pytest.raises(InputError, match="holds a model of noise2noise, and deepcad is asked for"):
        load_model("deepcad", path)
    DeepCAD(**asdict(TINY)).fit(noisy).save(path)
    with pytest.raises(InputError, match="holds a model of deepcad, and noise2noise is asked for"):
        load_model("noise2noise", path)
