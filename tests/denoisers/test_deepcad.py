"""DeepCAD-RT: that it is the public network, learns, resumes, and stitches without seams."""

import json
import zipfile
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.denoisers.suite import CountingRecording, TrainedSuite
from torch.nn import functional

from freq2clean.denoisers import get_denoiser, load_model
from freq2clean.denoisers.contract import valid_frames
from freq2clean.denoisers.deepcad import DeepCAD
from freq2clean.denoisers.deepcad.checkpoint import read_checkpoint
from freq2clean.denoisers.deepcad.devices import memory_errors
from freq2clean.denoisers.deepcad.inference import Reader, Runner
from freq2clean.denoisers.deepcad.network import Network, network_of
from freq2clean.denoisers.deepcad.pairs import Patches, pair_of
from freq2clean.denoisers.deepcad.tiles import tiles_of
from freq2clean.denoisers.deepcad.training import loss_of, new_network
from freq2clean.denoisers.deepcad.units import Units, filled, measure
from freq2clean.errors import InputError

DATA = Path(__file__).resolve().parents[2] / "../shared/data"
PUBLISHED = DATA / "deepcad-rt/E_10_Iter_3500.pth"
needs_published = pytest.mark.skipif(
    not PUBLISHED.is_file(), reason="the model that the authors published is not at hand"
)

TINY = DeepCAD(
    patch_t=8,
    patch_y=16,
    patch_x=16,
    patches_per_epoch=8,
    n_epochs=1,
    batch_size=4,
    learning_rate=1e-3,
    base_channels=4,
    tile_t=40,
    tile_yx=40,
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


class TestDeepCAD(TrainedSuite):
    denoiser = TINY
    learning = LEARNING


def reference_network(weights, x):
    """The public network on (T, Y, X) in double precision, written down from its description."""

    def convolve(x, name):
        kernel, bias = (weights[f"Generator.{name}.{kind}"] for kind in ("weight", "bias"))
        return functional.conv3d(x, kernel.double(), bias.double(), padding=kernel.shape[-1] // 2)

    def block(x, name):
        for single in ("SingleConv1", "SingleConv2"):
            x = convolve(x, f"{name}.basic_module.{single}.conv").clamp(min=0)
        return x

    x = x.double()[None, None]
    levels = [block(x, "encoders.0")]
    for i in (1, 2, 3):
        levels.append(block(functional.max_pool3d(levels[-1], kernel_size=2), f"encoders.{i}"))
    x = levels.pop()
    for i in (0, 1, 2):
        skip = levels.pop()
        x = functional.interpolate(x, size=skip.shape[2:], mode="nearest")
        x = block(torch.cat([skip, x], dim=1), f"decoders.{i}")
    return convolve(x, "final_conv")[0, 0]


def random_weights(base_channels=16, seed=0):
    return new_network(base_channels, seed).state_dict()


def apply(network, frames):
    with torch.inference_mode():
        return network(torch.as_tensor(frames)[None, None])[0, 0]


class TestNetwork:
    def test_parameters_are_those_of_the_public_network(self):
        weights = random_weights()
        assert sum(value.numel() for value in weights.values()) == 1_020_337
        assert len(weights) == 30
        assert list(weights)[:2] == [
            f"Generator.encoders.0.basic_module.SingleConv1.conv.{kind}"
            for kind in ("weight", "bias")
        ]

    @pytest.mark.parametrize("shape", [(16, 24, 8), (9, 17, 30), (15, 15, 15), (8, 8, 8)])
    def test_equals_the_reference(self, shape):
        weights = random_weights()
        x = 3 * torch.randn(shape, generator=torch.Generator().manual_seed(1))
        expected = reference_network(weights, x)
        found = apply(network_of(weights, name="random"), x)
        np.testing.assert_allclose(found, expected, atol=2e-6 * float(expected.abs().max()))

    def test_gradients_equal_those_of_the_reference(self):
        network = new_network(4, 0)
        x = torch.randn((16, 8, 16), generator=torch.Generator().manual_seed(1))
        network(x[None, None]).square().sum().backward()
        weights = {k: v.detach().double().requires_grad_() for k, v in network.named_parameters()}
        reference_network(weights, x).square().sum().backward()
        for name, value in network.named_parameters():
            expected = weights[name].grad
            error = (value.grad - expected).abs().max()
            assert error < 1e-4 * expected.abs().max(), name

    @needs_published
    def test_the_published_model_loads_and_equals_the_reference(self):
        weights = torch.load(PUBLISHED, map_location="cpu", weights_only=True)
        x = 200 * torch.randn((16, 24, 20), generator=torch.Generator().manual_seed(1))
        expected = reference_network(weights, x)
        found = apply(network_of(weights, name="published"), x)
        np.testing.assert_allclose(found, expected, atol=1e-5 * float(expected.abs().max()))

    @needs_published
    def test_the_published_model_predicts_what_it_predicted(self):
        """Its first tile of 96 x 96 x 96 is kept up to where the next ones begin."""
        raw, predicted = (
            tifffile.imread(DATA / f"neurofinder-crop/{name}.tif").astype(np.float32)
            for name in ("raw", "denoised_deepcad_rt")
        )
        mean = raw.mean(dtype=np.float64)
        network = load_model("deepcad", PUBLISHED).state.network
        found = apply(network, raw[:96, :96, :96] - np.float32(mean)).numpy() + mean
        kept = np.s_[:84, :44, :44]
        assert np.abs(found[kept] - predicted[kept]).max() < 0.51

    def test_doubled_sides_equal_upsampling(self):
        network = network_of(random_weights(), name="random")
        x = torch.randn((16, 16, 16), generator=torch.Generator().manual_seed(2))
        expected = reference_network(network.state_dict(), x)
        np.testing.assert_allclose(apply(network, x), expected, atol=1e-6)


class TestTiles:
    @given(n=st.integers(1, 700), length=st.integers(1, 20), halo=st.integers(0, 9))
    def test_valid_parts_cover_the_axis_once(self, n, length, halo):
        length, halo = 8 * length, min(8 * halo, 8 * ((length - 1) // 2))
        tiles = tiles_of(n, length, halo=halo, multiple=8)
        assert [tiles[0].first, tiles[-1].last] == [0, n]
        assert all(one.last == other.first < other.last for one, other in pairwise(tiles))
        for tile in tiles:
            assert tile.start % 8 == 0
            assert tile.stop - tile.start == min(length, -(-n // 8) * 8)
            assert tile.first == 0 or tile.first - tile.start >= halo
            assert tile.last == n or tile.stop - tile.last >= halo
        assert tiles[-1].stop - n < 8


class TestInference:
    def test_tiles_with_the_whole_reach_as_halo_equal_one_run(self):
        """48 is what a value can depend on; the recording is no multiple of 8."""
        raw = np.random.default_rng(0).normal(50, 7, (20, 115, 118)).astype(np.float32)
        network = new_network(4, 3)
        options = replace(TINY, halo=48, tile_yx=104, tile_t=104, tiles_per_batch=3)
        options = replace(options, calibrate=False)
        found = Reader(network, options, 7.0, raw, [])(0, 20)
        beyond = np.pad(raw, ((0, 4), (0, 5), (0, 2)), mode="symmetric") - raw.mean()
        expected = apply(network, beyond / 7).numpy()[:20, :115, :118] * 7 + raw.mean()
        np.testing.assert_allclose(found, expected, atol=1e-4)

    def test_slabs_of_frames_equal_one_run(self):
        raw = np.random.default_rng(0).normal(50, 7, (224, 12, 9)).astype(np.float32)
        network = new_network(4, 3)
        options = replace(TINY, halo=48, tile_yx=104, tile_t=104, calibrate=False)
        found = Reader(network, options, 7.0, raw, [])(0, 224)
        beyond = np.pad(raw, ((0, 0), (0, 4), (0, 7)), mode="symmetric") - raw.mean()
        expected = apply(network, beyond / 7).numpy()[:, :12, :9] * 7 + raw.mean()
        np.testing.assert_allclose(found, expected, atol=1e-4)

    @needs_published
    def test_no_seam_is_seen_with_the_default_halo(self):
        """What tiles change beside their edges, against the noise of the raw recording."""
        raw = tifffile.imread(DATA / "neurofinder-crop/raw.tif")[:40]
        in_tiles, whole = (
            load_model(
                "deepcad", PUBLISHED, tile_yx=side, tile_t=72, calibrate=False, halo=24
            ).predict(raw)[:]
            for side in (72, 136)
        )
        cut = [tile.last for tile in tiles_of(128, 72, halo=24, multiple=8)][:-1]
        error = np.concatenate([(in_tiles - whole)[:, :, c - 1 : c + 1] for c in cut], axis=2)
        noise_sd = measure(raw).size
        assert np.sqrt(np.mean(error**2)) < 0.01 * noise_sd

    @needs_published
    def test_calibration_mends_the_scale_of_the_published_model(self):
        raw = tifffile.imread(DATA / "neurofinder-crop/raw.tif")[:100, :64, :64]
        plain, calibrated = (
            load_model("deepcad", PUBLISHED, calibrate=flag).predict(raw)[:]
            for flag in (False, True)
        )
        level = np.nanmean(valid_frames(raw), dtype=np.float64)
        assert abs(plain.mean() - level) > 0.1 * level
        assert abs(calibrated.mean() - level) < 0.01 * level

    def test_calibration_finds_gain_and_offset(self):
        """A network that passes on its input: one noisy view predicts the signal of the other."""
        rng = np.random.default_rng(1)
        signal = np.tile(rng.normal(0, 3, (16, 16)), (200, 1, 1))
        raw = (signal + rng.normal(100, 3, signal.shape)).astype(np.float32)
        network = new_network(1, 0)
        with torch.no_grad():
            for value in network.parameters():
                value.zero_()
            for name, value in network.named_parameters():
                if name.endswith("weight") and ("encoders.0" in name or "final" in name):
                    value[0, 0, value.shape[2] // 2, value.shape[3] // 2, value.shape[4] // 2] = 1
            last = network.Generator.decoders[2].basic_module
            last.SingleConv1.conv.weight[0, 0, 1, 1, 1] = 1
            last.SingleConv2.conv.weight[0, 0, 1, 1, 1] = 1
            network.Generator.encoders[0].basic_module.SingleConv1.conv.bias[0] = 50
        units = measure(raw)
        passed = apply(network, np.zeros((8, 8, 8), np.float32))
        np.testing.assert_allclose(passed, 50)
        calibrated = Reader(network, TINY, None, raw, [])(0, 200)
        gain = np.polyfit(raw.ravel(), calibrated.ravel(), 1)[0]
        share = signal.var() / raw.var()
        assert units.size == pytest.approx(3, rel=0.01)
        assert gain == pytest.approx(share, rel=0.03)
        assert calibrated.mean() == pytest.approx(raw.mean(), abs=0.01)

    def test_memory_that_runs_out_means_smaller_tiles_and_a_note(self, noisy, monkeypatch):
        model = TINY.fit(noisy)
        options = replace(TINY, halo=0, tile_yx=40, tiles_per_batch=2, calibrate=False)
        expected = Reader(model.state.network, replace(options, tile_yx=16), 30.0, noisy, [])(0, 70)
        forward = Network.forward

        def small_device(self, x):
            if x.numel() > 40 * 16 * 16:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return forward(self, x)

        monkeypatch.setattr(Network, "forward", small_device)
        smaller = replace(model, denoiser=options, state=replace(model.state, unit_size=30.0))
        predicted = smaller.predict(noisy)
        np.testing.assert_allclose(predicted[:], expected, rtol=1e-5)
        assert predicted.notes == [
            "memory ran out: went on with tiles of 16 x 16 pixels, 1 at a time"
        ]

    def test_what_pytorch_says_of_memory_here_is_understood(self):
        with pytest.raises(MemoryError), memory_errors():
            torch.empty(2**60, dtype=torch.uint8)
        with pytest.raises(RuntimeError, match="must match"), memory_errors():
            torch.zeros(2) + torch.zeros(3)

    def test_no_memory_at_all_is_an_error(self, noisy, monkeypatch):
        model = TINY.fit(noisy)

        def no_device(self, x):
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate")

        monkeypatch.setattr(Network, "forward", no_device)
        with pytest.raises(InputError, match="not enough memory for a tile of 24 x 24 pixels"):
            model.predict(noisy)[:]

    def test_other_errors_are_not_taken_for_it(self, noisy):
        runner = Runner(new_network(4, 0), TINY, [])
        with pytest.raises(RuntimeError, match="size"):
            runner.run(np.zeros((4, 16, 16), np.float32), slice(0, 4))

    def test_a_long_recording_is_read_a_slab_at_a_time(self):
        raw = np.random.default_rng(0).poisson(9, (400, 10, 10)).astype(np.uint16)
        largest = 0

        class Counting(CountingRecording):
            def _read(self, start, stop):
                nonlocal largest
                largest = max(largest, stop - start)
                return super()._read(start, stop)

        model = TINY.fit(raw)
        source = Counting(raw)
        predicted = model.predict(source)
        for frame in range(0, 400, 50):
            predicted.read(frame, frame + 1)
        assert largest <= 96
        source.n_read = 0
        predicted.read(395, 400)
        assert source.n_read == 40
        predicted.read(390, 395)
        assert source.n_read == 40


class TestPairs:
    def test_odd_and_even_frames_in_every_turn(self):
        stretch = np.random.default_rng(0).normal(size=(16, 10, 10)).astype(np.float32)
        expected = {
            np.rot90(view[first::2], k, (1, 2)).tobytes()
            for view in (stretch, stretch[:, :, ::-1])
            for first in (0, 1)
            for k in range(4)
        }
        rng = np.random.default_rng(1)
        pairs = [pair_of(stretch, rng) for _ in range(300)]
        assert {source.tobytes() for source, _ in pairs} == expected
        assert {target.tobytes() for _, target in pairs} == expected
        for source, target in pairs:
            both = np.stack([source, target], axis=1).reshape(stretch.shape)
            assert sorted(both.ravel()) == sorted(stretch.ravel())

    def test_rectangles_keep_their_sides(self):
        rng = np.random.default_rng(1)
        stretch = rng.normal(size=(16, 8, 11)).astype(np.float32)
        sources = {pair_of(stretch, rng)[0].tobytes() for _ in range(100)}
        assert len(sources) == 8
        assert pair_of(stretch, rng)[0].shape == (8, 8, 11)

    def test_what_was_not_measured_is_filled_in_the_input_and_left_out_of_the_target(self):
        stretch = np.ones((20, 9, 9), np.float32) * np.arange(20, dtype=np.float32)[:, None, None]
        stretch[6:8, 3] = np.nan
        for seed in range(8):
            source, target = pair_of(stretch, np.random.default_rng(seed))
            assert np.isfinite(source).all()
            assert np.isnan(target).sum() == 9
            np.testing.assert_allclose(np.ptp(source, axis=(1, 2)), 0, atol=1e-5)

    def test_short_sides_are_continued(self):
        stretch = np.random.default_rng(0).normal(size=(6, 3, 9)).astype(np.float32)
        source, target = pair_of(stretch, np.random.default_rng(0))
        assert source.shape == target.shape == (8, 8, 9)
        assert np.isfinite(target).sum() == 3 * 3 * 9

    def test_all_places_are_visited_and_recordings_mixed(self):
        recordings = [np.full((50, 30, 33), i, np.uint16) for i in (1, 2)]
        patches = Patches(
            recordings,
            [Units(0, 1)] * 2,
            shape=(10, 16, 16),
            overlap=0.25,
            n_patches=100,
            frames=[(0, 50), (0, 50)],
        )
        sources = [source for source, _ in patches.pairs(np.random.default_rng(0))]
        assert len(sources) == 100
        assert {source.mean() for source in sources} == {1, 2}
        corners = {(p.frame, p.row, p.column) for p in patches._places}
        assert {frame for frame, _, _ in corners} >= {0, 30}
        assert {(row, column) for _, row, column in corners} >= {(0, 0), (0, 17), (14, 0), (14, 17)}

    def test_chapters_give_the_patches_of_the_whole(self, noisy, monkeypatch):
        def sources():
            patches = Patches(
                [noisy], [Units(100, 40)], shape=(8, 20, 27), overlap=0, n_patches=40,
                frames=[(0, 70)],
            )  # fmt: skip
            drawn = [np.sort(p, axis=None) for pair in patches.pairs(rng()) for p in pair]
            return sorted(part.tobytes() for part in drawn)

        def rng():
            return np.random.default_rng(0)

        whole = sources()
        monkeypatch.setattr("freq2clean.denoisers.deepcad.pairs._CHAPTER_BYTES", 4 * 540 * 30)
        assert sources() == whole

    def test_units_are_the_mean_and_the_noise(self):
        rng = np.random.default_rng(0)
        raw = (rng.normal(500, 20, (200, 30, 30)) + 100 * rng.normal(size=(30, 30))).astype("f4")
        expected = float(raw.mean(dtype=np.float64))
        raw[3, 7] = 0
        raw[9, 3, 4] = np.nan
        units = measure(raw)
        assert units.mean == pytest.approx(expected, rel=1e-4)
        assert units.size == pytest.approx(20, rel=0.01)

    def test_holes_are_filled_from_both_sides(self):
        frames = np.arange(9, dtype=np.float32)[:, None, None] * np.ones((9, 2, 2), np.float32)
        holed = frames.copy()
        holed[4, 0, 0] = np.nan
        holed[:, 1, 1] = np.nan
        expected = frames.copy()
        expected[:, 1, 1] = 0
        np.testing.assert_allclose(filled(holed), expected, atol=1e-6)


class TestTraining:
    def test_the_loss_is_half_mse_and_half_l1(self):
        rng = np.random.default_rng(0)
        out, target = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4))
        target[0, 1] = np.nan
        d = (out - target)[np.isfinite(target)]
        expected = 0.5 * np.mean(d**2) + 0.5 * 0.3 * np.mean(np.abs(d))
        found = loss_of(torch.as_tensor(out), torch.as_tensor(target), 0.3)
        assert float(found) == pytest.approx(expected)

    def test_same_seed_same_weights_and_other_seed_others(self, noisy):
        one, same, other = (
            replace(TINY, seed=seed).fit(noisy).state.network.state_dict() for seed in (5, 5, 6)
        )
        assert all(torch.equal(one[k], same[k]) for k in one)
        assert not all(torch.equal(one[k], other[k]) for k in one)

    def test_the_global_random_state_is_left_alone(self, noisy):
        torch.manual_seed(3)
        expected = torch.rand(4)
        torch.manual_seed(3)
        TINY.fit(noisy)
        assert torch.equal(torch.rand(4), expected)

    @pytest.mark.parametrize("schedule", ["constant", "cosine"])
    def test_resumed_training_equals_uninterrupted(self, noisy, tmp_path, schedule):
        options = replace(TINY, n_epochs=4, schedule=schedule)
        path = tmp_path / "model.pth"
        expected = options.fit(noisy)

        class StopError(Exception):
            pass

        def stop(done, total):
            if done > 2 * TINY.patches_per_epoch:
                raise StopError

        with pytest.raises(StopError):
            options.fit(noisy, checkpoint=path, progress=stop)
        assert len(read_checkpoint(path).history) == 2
        resumed = options.fit(noisy, checkpoint=path, resume=True)
        weights = resumed.state.network.state_dict()
        for name, value in expected.state.network.state_dict().items():
            assert torch.equal(value, weights[name]), name
        for one, other in zip(expected.state.history, resumed.state.history, strict=True):
            assert (one["loss"], one["learning_rate"]) == (other["loss"], other["learning_rate"])
        again = options.fit(noisy, checkpoint=path, resume=True)
        assert len(again.state.history) == 4

    def test_resuming_another_training_is_refused(self, noisy, tmp_path):
        path = tmp_path / "model.pth"
        TINY.fit(noisy, checkpoint=path)
        with pytest.raises(InputError, match=r"was trained with learning_rate = 0.001; give the"):
            replace(TINY, learning_rate=1e-4).fit(noisy, checkpoint=path, resume=True)
        longer = replace(TINY, n_epochs=2).fit(noisy, checkpoint=path, resume=True)
        assert len(longer.state.history) == 2
        torch.save(random_weights(4), path)
        with pytest.raises(InputError, match="cannot be resumed: it holds weights only"):
            TINY.fit(noisy, checkpoint=path, resume=True)

    def test_the_schedule_falls_to_zero(self, noisy):
        options = replace(TINY, n_epochs=4, schedule="cosine", learning_rate=1e-3)
        rates = [epoch["learning_rate"] for epoch in options.fit(noisy).state.history]
        np.testing.assert_allclose(rates, 5e-4 * (1 + np.cos(np.pi * np.arange(4) / 4)))

    def test_training_stops_when_the_held_out_loss_falls_no_more(self, noisy):
        options = replace(TINY, n_epochs=30, patience=2, learning_rate=1e-9)
        seen = []
        model = options.fit(noisy, progress=lambda *report: seen.append(report))
        losses = [epoch["held_out_loss"] for epoch in model.state.history]
        assert len(losses) < 30
        assert min(losses[-2:]) >= min(losses[:-2])
        assert "the loss fell no more" in model.findings["notes"][-1]
        assert seen[-1] == (240, 240)

    def test_several_recordings(self, noisy):
        model = TINY.fit(noisy, noisy[:30, :18, :] // 2)
        assert model.predict(noisy)[:].shape == noisy.shape

    def test_patches_too_large_are_shrunk_and_it_is_said(self, noisy):
        model = replace(TINY, patch_t=150, patch_y=32).fit(noisy)
        assert model.findings["notes"] == [
            "patches of 150 x 32 x 16 were asked for; 35 x 20 x 16 fit into recordings of 70 "
            "frames of 20 x 27 pixels"
        ]
        json.dumps(model.findings)

    def test_divergence_is_an_error(self, noisy):
        options = replace(TINY, l1_weight=1e38)
        with pytest.raises(InputError, match="training diverged: the loss is inf; give a lower"):
            options.fit(noisy)

    def test_memory_that_runs_out_is_an_error(self, noisy, monkeypatch):
        def no_device(self, x):
            raise torch.OutOfMemoryError("CUDA out of memory")

        monkeypatch.setattr(Network, "forward", no_device)
        with pytest.raises(InputError, match="train on 4 patches of 8 x 16 x 16 at a time; give a"):
            TINY.fit(noisy)

    def test_patience_needs_frames_to_hold_out(self, noisy):
        with pytest.raises(InputError, match="give 20 frames or more, or no patience"):
            replace(TINY, patience=1).fit(noisy[:12])


class TestCheckpoints:
    def test_weights_of_the_public_package_with_its_yaml(self, noisy, tmp_path):
        weights = random_weights(4, seed=2)
        torch.save({f"module.{k}": v for k, v in weights.items()}, tmp_path / "E_01.pth")
        (tmp_path / "para.yaml").write_text(
            "GPU: '0'\npatch_t: 60\npatch_x: 40\npatch_y: 48\nscale_factor: 2\nfmap: 4\n"
        )
        model = load_model("deepcad", tmp_path / "E_01.pth", calibrate=False)
        options = model.denoiser
        assert (options.patch_t, options.patch_y, options.patch_x) == (60, 48, 40)
        beyond = np.pad(noisy, ((0, 2), (0, 4), (0, 5)), mode="symmetric").astype(np.float32)
        mean = np.float32(noisy.mean())
        expected = apply(network_of(weights, name="w"), (beyond - mean) / 2).numpy() * 2 + mean
        np.testing.assert_allclose(model.predict(noisy)[:], expected[:70, :20, :27], rtol=1e-4)

    def test_a_model_is_not_tied_to_the_device_that_it_was_trained_on(self, noisy, tmp_path):
        torch.save(random_weights(4), tmp_path / "E_01.pth")
        model = load_model("deepcad", tmp_path / "E_01.pth", device="cpu")
        model.save(tmp_path / "model.pth")
        assert load_model("deepcad", tmp_path / "model.pth").denoiser.device == "auto"

    def test_a_malicious_yaml_is_refused(self, tmp_path):
        torch.save(random_weights(4), tmp_path / "a.pth")
        trace = tmp_path / "trace"
        (tmp_path / "a.yaml").write_text(f"patch_t: !!python/object/apply:open ['{trace}', 'w']\n")
        with pytest.raises(InputError, match="beside the checkpoint cannot be read"):
            load_model("deepcad", tmp_path / "a.pth")
        assert not trace.exists()

    def test_a_malicious_tensor_file_is_refused(self, tmp_path):
        trace = tmp_path / "trace"

        class Harmful:
            def __reduce__(self):
                return open, (str(trace), "w")

        torch.save({"Generator.final_conv.weight": Harmful()}, tmp_path / "a.pth")
        with pytest.raises(InputError, match="refused because it could run code"):
            load_model("deepcad", tmp_path / "a.pth")
        assert not trace.exists()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda w: {"conv.weight": torch.zeros(3)}, "it has conv.weight"),
            (lambda w: {}, "it has nothing"),
            (lambda w: torch.zeros(3), "holds no weights but a Tensor"),
            (lambda w: dict(list(w.items())[2:]), "encoders.0.basic_module.SingleConv1.conv"),
            (lambda w: w | {"extra": torch.zeros(1)}, "extra differ from those of DeepCAD-RT"),
            (lambda w: w | {next(iter(w)): torch.zeros(2, 1, 5, 5, 5)}, "with 4 channels"),
            (lambda w: w | {list(w)[1]: w[list(w)[1]] * np.nan}, "weights that are not finite"),
        ],
    )
    def test_another_network_is_refused(self, tmp_path, change, message):
        torch.save(change(random_weights(4)), tmp_path / "a.pth")
        with pytest.raises(InputError, match=message):
            load_model("deepcad", tmp_path / "a.pth")

    def test_a_value_that_changed_on_the_disk_is_refused(self, tmp_path):
        """What PyTorch reads without a word."""
        path = tmp_path / "a.pth"
        torch.save(random_weights(4), path)
        held = bytearray(path.read_bytes())
        held[len(held) // 2] ^= 0x40
        path.write_bytes(held)
        assert torch.load(path, weights_only=True).keys() == random_weights(4).keys()
        with pytest.raises(InputError, match="it is damaged, or holds more than tensors"):
            load_model("deepcad", path)

    def test_an_incomplete_checkpoint_is_refused(self, noisy, tmp_path):
        path = tmp_path / "a.pth"
        TINY.fit(noisy).save(path)
        held = torch.load(path, weights_only=True)
        del held["history"]
        torch.save(held, path)
        with pytest.raises(InputError, match="is incomplete: it has no 'history'"):
            load_model("deepcad", path)

    def test_options_of_prediction_can_be_given_anew(self, noisy, tmp_path):
        TINY.fit(noisy).save(tmp_path / "a.pth")
        model = load_model("deepcad", tmp_path / "a.pth", tile_yx=24, calibrate=False)
        assert model.denoiser == replace(TINY, tile_yx=24, calibrate=False)

    def test_a_checkpoint_holds_tensors_and_plain_values_only(self, noisy, tmp_path):
        TINY.fit(noisy).save(tmp_path / "a.pth")
        with zipfile.ZipFile(tmp_path / "a.pth") as held:
            assert held.testzip() is None
        assert read_checkpoint(tmp_path / "a.pth").options == asdict(TINY)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch_t": 0}, "patch_t = 0; give a number from 1 up"),
        ({"patience": 0}, "patience = 0; give a number from 1 up, or None"),
        ({"overlap": 1.0}, "overlap = 1.0; give 0 to 0.95"),
        ({"learning_rate": -1}, "learning_rate = -1; give"),
        ({"l1_weight": float("nan")}, "l1_weight = nan; give 0 or more"),
        ({"schedule": "step"}, "schedule = 'step'; give constant or cosine"),
        ({"halo": 12}, "halo = 12; give a multiple of 8"),
        ({"tile_t": 48}, "tile_t = 48; give a multiple of 8 that is more than twice the halo"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        get_denoiser("deepcad", **options)


@pytest.mark.parametrize("device", ["tpu-of-my-own", "cuda:17"])
def test_a_device_that_is_not_there(noisy, device):
    with pytest.raises(InputError, match=f"device = '{device}' cannot be used"):
        replace(TINY, device=device).fit(noisy)
