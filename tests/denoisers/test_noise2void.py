"""Noise2Void: that networks, masks and loss are those of CAREamics, and that it learns."""

import sys
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from tests.denoisers.suite import TrainedSuite

from freq2clean.denoisers import load_model
from freq2clean.denoisers.deepcad.training import loss_of
from freq2clean.denoisers.noise2void import Noise2Void
from freq2clean.errors import InputError, MissingExtraError

pytestmark = pytest.mark.usefixtures("operators")
needs_careamics = pytest.mark.skipif(
    find_spec("careamics") is None, reason="CAREamics is not installed"
)

TINY = Noise2Void(
    patch_t=8,
    patch_y=16,
    patch_x=16,
    patches_per_epoch=24,
    n_epochs=1,
    batch_size=2,
    learning_rate=3e-3,
    base_channels=8,
    masked_percent=5.0,
    tile_t=80,
    tile_yx=32,
    halo=8,
)
LEARNING = replace(
    TINY,
    patch_t=16,
    patches_per_epoch=100,
    batch_size=1,
    learning_rate=2e-3,
    tile_t=136,
    tile_yx=64,
)


@needs_careamics
class TestNoise2Void(TrainedSuite):
    denoiser = TINY
    learning = LEARNING
    mean_within = 5e-3  # calibrated at some places of the recording, and half trained elsewhere


@needs_careamics
class TestPairs:
    def pair(self, frames, seed=0, **options):
        return replace(TINY, **options).lesson().make_pair(frames, np.random.default_rng(seed))

    def test_values_are_replaced_by_others_from_around_them(self):
        frames = np.random.default_rng(0).normal(size=(12, 16, 20)).astype(np.float32)
        frames += 100 * np.arange(12, dtype=np.float32)[:, None, None]
        source, target = self.pair(frames, masked_percent=5.0, around_pixels=3)
        wanted = np.isfinite(target)
        assert 0.02 < wanted.mean() < 0.08
        assert np.isin(target[wanted], frames).all()
        assert (source[wanted] != target[wanted]).all()
        assert np.isin(source, frames).all()
        assert np.abs(source - target)[wanted].max() < 110
        turned = np.where(wanted, target, source)
        assert any(
            np.array_equal(turned, np.rot90(f, k, (1, 2)))
            for f in (frames, frames[:, :, ::-1])
            for k in range(4)
        )

    def test_the_same_seed_replaces_the_same(self):
        frames = np.random.default_rng(0).normal(size=(8, 16, 16)).astype(np.float32)
        one, same, other = (self.pair(frames, seed) for seed in (3, 3, 4))
        for a, b in zip(one, same, strict=True):
            np.testing.assert_array_equal(a, b)
        assert not np.array_equal(one[0], other[0])

    def test_what_was_not_measured_is_never_a_target(self):
        frames = np.ones((16, 16, 16), np.float32)
        frames[3:9, 4] = np.nan
        for seed in range(5):
            source, target = self.pair(frames, seed, masked_percent=10.0)
            assert np.isfinite(source).all()
            assert (target[np.isfinite(target)] == 1).all()

    @pytest.mark.parametrize("shape", [(1, 1, 1), (2, 30, 3), (13, 18, 11)])
    def test_sides_suit_the_network(self, shape):
        frames = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        source, target = self.pair(frames, masked_percent=10.0)
        assert source.shape == target.shape
        assert all(side % 4 == 0 and side >= 8 for side in source.shape)
        assert np.isfinite(target).sum() <= np.prod(shape)

    def test_the_loss_is_half_of_careamics(self):
        from careamics.losses import n2v_loss

        rng = np.random.default_rng(0)
        out, original = (torch.as_tensor(rng.normal(size=(2, 1, 4, 8, 8))) for _ in range(2))
        mask = torch.as_tensor(rng.random(out.shape) < 0.1)
        target = torch.where(mask, original, torch.nan)
        expected = 0.5 * n2v_loss(out, original, mask)
        assert float(loss_of(out, target, 0.0)) == pytest.approx(float(expected))


@needs_careamics
class TestModels:
    def test_the_network_is_that_of_careamics(self, noisy):
        from careamics.config.architectures import UNetConfig
        from careamics.models.unet import UNet

        config = UNetConfig(
            architecture="UNet", conv_dims=3, num_channels_init=8, use_batch_norm=False
        )
        theirs = UNet(**config.model_dump())
        state = TINY.fit(noisy).state
        theirs.load_state_dict(state.network.state_dict())
        x = torch.randn((1, 1, 8, 16, 16), generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            assert torch.allclose(theirs.eval()(x), state.network.eval()(x), atol=1e-6)

    def test_same_seed_same_weights_whatever_the_global_state(self, noisy):
        one, same, other = (replace(TINY, seed=s).fit(noisy).state.network for s in (5, 5, 6))
        torch.manual_seed(1)
        weights = one.state_dict()
        assert all(value.equal(weights[k]) for k, value in same.state_dict().items())
        assert not all(value.equal(weights[k]) for k, value in other.state_dict().items())

    def test_resumed_training_equals_uninterrupted(self, noisy, tmp_path):
        longer = replace(TINY, n_epochs=3, schedule="constant")
        expected = longer.fit(noisy).state.network.state_dict()
        replace(longer, n_epochs=1).train([noisy], tmp_path / "model.pth")
        resumed = longer.train([noisy], tmp_path / "model.pth", resume=True)
        for name, value in resumed.state.network.state_dict().items():
            assert value.equal(expected[name]), name

    def test_models_of_others_are_refused(self, noisy, tmp_path):
        path = tmp_path / "model.pth"
        TINY.fit(noisy).save(path)
        with pytest.raises(InputError, match="a model of noise2void, and deepcad is asked for"):
            load_model("deepcad", path)
        torch.save({"conv.weight": torch.zeros(3)}, path)
        with pytest.raises(InputError, match="holds no model of noise2void; give one that was"):
            load_model("noise2void", path)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda w: {}, "the weights of another network; give a model of noise2void"),
            (lambda w: w | {"extra": torch.zeros(1)}, "the weights of another network"),
            (lambda w: w | {list(w)[1]: w[list(w)[1]] * np.nan}, "weights that are not finite"),
        ],
    )
    def test_damaged_weights_are_refused(self, noisy, tmp_path, change, message):
        path = tmp_path / "model.pth"
        TINY.fit(noisy).save(path)
        held = torch.load(path, weights_only=True)
        held["network"] = change(held["network"])
        torch.save(held, path)
        with pytest.raises(InputError, match=message):
            load_model("noise2void", path)


def test_libraries_that_do_not_fit_are_explained(noisy, monkeypatch):
    """As where torchvision was built for another PyTorch."""
    monkeypatch.setattr("freq2clean.denoisers.contract.find_spec", lambda name: True)
    monkeypatch.setitem(sys.modules, "careamics.models.unet", None)
    with pytest.raises(MissingExtraError, match=r'cannot be imported .*freq2clean\[careamics\]"'):
        TINY.fit(noisy)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_channels": 9}, "base_channels = 9; give an even number from 8 to 1024"),
        ({"masked_percent": 0.0}, "masked_percent = 0.0; give 0.05 to 10"),
        ({"around_pixels": 4}, "around_pixels = 4; give an odd number from 3 to 21"),
        ({"patch_t": 0}, "patch_t = 0; give a number from 1 up"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        Noise2Void(**options)
