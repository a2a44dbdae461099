"""The network that ships: what it sees, what runs it, and that it does better than PCA."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.denoisers.suite import CountingRecording, DenoiserSuite
from training.export import write_onnx, write_weights

from freq2clean.denoisers.deepcad.network import Network
from freq2clean.denoisers.deepcad.tiles import tiles_of
from freq2clean.denoisers.pca import PCA
from freq2clean.denoisers.pretrained import Pretrained
from freq2clean.denoisers.pretrained import denoiser as module
from freq2clean.denoisers.pretrained.runtimes import open_network, runtime_of
from freq2clean.denoisers.pretrained.views import N_CHANNELS, as_channels, look
from freq2clean.errors import InputError, MissingExtraError
from freq2clean.simulation.simulator import simulate

SHIPPED = Path(module.__file__).with_name("network")


class TestPretrained(DenoiserSuite):
    denoiser = Pretrained()
    mean_within = 1e-2  # not calibrated: see the limits in docs/model-card.md


class TestOnnx(DenoiserSuite):
    denoiser = Pretrained(runtime="onnx")
    mean_within = 1e-2  # not calibrated: see the limits in docs/model-card.md


@pytest.fixture(scope="module")
def random_network(tmp_path_factory):
    """The stem of a network with random weights, in both formats."""
    stem = tmp_path_factory.mktemp("random") / "network"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Network(4, N_CHANNELS)
    write_weights(network, stem.with_suffix(".pth"))
    write_onnx(network, stem.with_suffix(".onnx"))
    return stem


class TestRuntimes:
    @pytest.mark.parametrize("shape", [(8, 8, 8), (24, 40, 16), (64, 48, 48)])
    def test_both_give_the_same(self, random_network, shape):
        rng = np.random.default_rng(1)
        volumes = rng.normal(0, 2, (2, N_CHANNELS, *shape)).astype(np.float32)
        for stem in (SHIPPED, random_network):
            found, expected = (
                open_network(stem, runtime=runtime, device="cpu")(volumes)
                for runtime in ("onnx", "torch")
            )
            assert expected.shape == (2, *shape)
            assert expected.std() > 0
            np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())

    def test_both_denoise_the_same(self, noisy):
        found, expected = (
            Pretrained(runtime=runtime).fit(noisy).predict(noisy)[:]
            for runtime in ("onnx", "torch")
        )
        np.testing.assert_allclose(found, expected, atol=1e-4 * noisy.std())

    def test_without_torch(self, noisy, tmp_path):
        np.save(tmp_path / "raw.npy", noisy)
        code = (
            "import sys, numpy as np, freq2clean\n"
            "raw = np.load('raw.npy')\n"
            "np.save('out.npy', freq2clean.denoise(raw, model='pretrained', runtime='onnx'))\n"
            "assert 'torch' not in sys.modules\n"
        )
        subprocess.run(
            [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, check=True, timeout=120
        )
        expected = Pretrained(runtime="torch").fit(noisy).predict(noisy)[:]
        np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, atol=1e-4 * noisy.std())

    def test_auto_takes_what_is_installed(self, monkeypatch):
        there = {"torch", "onnxruntime"}
        monkeypatch.setattr(
            "freq2clean.denoisers.contract.find_spec", lambda name: name in there or None
        )
        assert runtime_of("auto") == "torch"
        there.remove("torch")
        assert runtime_of("auto") == "onnx"
        with pytest.raises(MissingExtraError, match=r"needs torch; .*freq2clean\[torch\]"):
            runtime_of("torch")
        there.clear()
        with pytest.raises(MissingExtraError, match=r"torch or onnxruntime; .*\[onnx\]"):
            Pretrained.check_installed()

    @pytest.mark.parametrize("runtime", ["torch", "onnx"])
    def test_other_files_are_refused(self, runtime, noisy, random_network, tmp_path):
        suffix = {"torch": ".pth", "onnx": ".onnx"}[runtime]
        path = tmp_path / f"network{suffix}"
        model = Pretrained(network=str(tmp_path / "network"), runtime=runtime).fit(noisy)
        with pytest.raises(InputError, match="no such file; give"):
            model.predict(noisy)
        for content in (
            b"",
            b"not a network",
            random_network.with_suffix(suffix).read_bytes()[:999],
        ):
            path.write_bytes(content)
            with pytest.raises(InputError, match="could not be read"):
                model.predict(noisy)
        write = {"torch": write_weights, "onnx": write_onnx}[runtime]
        write(Network(4, 1), path)
        with pytest.raises(InputError, match=r"another network|that takes .*; give"):
            model.predict(noisy)

    @pytest.mark.parametrize(
        "error",
        [
            torch.OutOfMemoryError("CUDA out of memory"),
            RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"),
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"),
            RuntimeError("could not create a primitive"),
        ],
    )
    def test_memory_that_runs_out(self, noisy, monkeypatch, error):
        forward, most = Network.forward, 3 * 72 * 24 * 24

        def small_device(self, x):
            if x.numel() > most:
                raise error
            return forward(self, x)

        monkeypatch.setattr(Network, "forward", small_device)
        options = Pretrained(runtime="torch", device="cpu", halo=0)
        expected = replace(options, tile_yx=24).fit(noisy).predict(noisy)[:]
        predicted = options.fit(noisy).predict(noisy)
        np.testing.assert_allclose(predicted[:], expected, rtol=1e-5)
        assert predicted.notes == [
            "memory ran out: went on with tiles of 24 x 24 pixels, 1 at a time"
        ]
        most = 0
        with pytest.raises(InputError, match="not enough memory for a tile of 8 x 8 pixels"):
            options.fit(noisy).predict(noisy)[:]

    def test_what_ships_is_small(self):
        files = [SHIPPED.with_suffix(suffix) for suffix in (".pth", ".onnx")]
        assert sum(file.stat().st_size for file in files) <= 4_000_000
        weights = torch.load(files[0], weights_only=True)
        assert 1e5 <= sum(value.numel() for value in weights.values()) <= 1e6


class TestViews:
    def test_what_they_hold(self):
        rng = np.random.default_rng(2)
        t = np.arange(512)[:, None, None]
        amplitude = np.zeros((6, 7))
        amplitude[2:4, 3] = 40.0
        raw = 300 + amplitude * np.sin(t / 40) + rng.normal(0, 20, (512, 6, 7))
        views = look(raw.astype(np.float32))
        np.testing.assert_allclose(views.mean, raw.mean(axis=0), rtol=1e-5)
        assert views.level == pytest.approx(raw.mean(), rel=1e-5)
        assert views.noise_sd == pytest.approx(20, rel=0.02)
        np.testing.assert_allclose(
            views.activity[2:4, 3], np.std(40 * np.sin(t / 40)) / 20, rtol=0.05
        )
        assert np.abs(views.activity[amplitude == 0] ** 2).max() < 5 / 8 / np.sqrt(64)

    def test_activity_is_the_covariance_of_successive_bins(self, noisy):
        bins = noisy[:64].reshape(8, 8, 20, 27).mean(axis=1)
        bins -= noisy.mean(axis=0)
        views = look(noisy)
        variance = np.mean(bins[1:] * bins[:-1], axis=0) / views.noise_sd**2
        np.testing.assert_allclose(
            views.activity, np.sign(variance) * np.sqrt(abs(variance)), atol=1e-4
        )

    def test_inputs_are_reflected_at_the_end_and_have_no_holes(self, noisy):
        frames = noisy[:5].astype(np.float32)
        views = look(noisy)
        whole = views.inputs(frames, 5)
        frames[3, 2, 2] = np.nan
        padded = views.inputs(frames, 16)
        assert padded.shape == (18, 20, 27)
        assert np.isfinite(padded).all()
        assert padded[3, 2, 2] == pytest.approx((whole[2, 2, 2] + whole[4, 2, 2]) / 2, rel=1e-5)
        order = [0, 1, 2, 3, 4, 4, 3, 2, 1, 0, 0, 1, 2, 3, 4, 4]
        np.testing.assert_array_equal(padded[:16], padded[order])
        np.testing.assert_array_equal(padded[-2:], whole[-2:])
        channels = as_channels(padded[None])
        assert channels.shape == (1, N_CHANNELS, 16, 20, 27)
        np.testing.assert_array_equal(channels[0, 0], padded[:16])
        np.testing.assert_array_equal(channels[0, 1:, 7], padded[-2:])

    def test_outputs_are_what_differs_from_the_mean(self, noisy):
        views = look(noisy)
        inputs = views.inputs(noisy[:4].astype(np.float32), 4)
        np.testing.assert_allclose(views.values(inputs[:4]), noisy[:4], rtol=1e-5)

    @pytest.mark.parametrize("snr_db", [-10.0, -5.5, 0.0, 5.0])
    def test_the_snr_is_measured(self, snr_db):
        raw = simulate((300, 64, 64), seed=77, snr_db=snr_db).raw[:]
        model = Pretrained().fit(raw)
        assert model.snr_db == pytest.approx(snr_db, abs=1.0)
        assert "within the -12 to 6 dB" in model.findings["domain"]


def test_what_lies_outside_the_domain_is_said():
    raw = simulate((200, 48, 48), seed=77, snr_db=14.0, gain=10.0, offset=40.0).raw[:]
    model = Pretrained().fit(raw)
    assert model.snr_db == pytest.approx(14.0, abs=1.5)
    assert "outside the -12 to 6 dB" in model.domain
    flat = np.random.default_rng(0).normal(100, 5, (40, 16, 16)).astype(np.float32)
    unknown = replace(Pretrained().fit(flat), snr_db=None)
    assert "could not be measured" in unknown.findings["domain"]


def test_better_than_pca_on_recordings_it_has_not_seen(psnr):
    """At -5.5 dB, with seeds far from those of training."""
    gains = []
    for seed in (11, 5, 3):
        recording = simulate((300, 64, 64), seed=seed)
        raw, truth = recording.raw[:], recording.truth[:]
        network, pca = (kind.fit(raw).predict(raw)[:] for kind in (Pretrained(), PCA()))
        gains.append(psnr(truth, network) - psnr(truth, pca))
    assert np.mean(gains) > 1.0


def test_no_seam_is_seen():
    """What tiles change beside their edges, against the noise of the raw recording."""
    raw = simulate((160, 96, 160), seed=3).raw[:]
    model = Pretrained().fit(raw)
    whole = replace(model, denoiser=Pretrained(tile_t=160, tile_yx=160, halo=48)).predict(raw)[:]
    tiled = replace(model, denoiser=Pretrained(tile_t=96, tile_yx=64)).predict(raw)[:]
    error = (tiled - whole) / model.views.noise_sd
    for axis, length in ((0, 96), (1, 64), (2, 64)):
        cuts = [tile.last for tile in tiles_of(raw.shape[axis], length, halo=16, multiple=8)][:-1]
        beside = np.concatenate([np.take(error, (c - 1, c), axis=axis).ravel() for c in cuts])
        assert np.sqrt(np.mean(beside**2)) < 0.02


def test_a_long_recording_is_read_a_slab_at_a_time():
    raw = np.random.default_rng(0).poisson(9, (400, 10, 10)).astype(np.uint16)
    largest = 0

    class Counting(CountingRecording):
        def _read(self, start, stop):
            nonlocal largest
            largest = max(largest, stop - start)
            return super()._read(start, stop)

    source = Counting(raw)
    predicted = Pretrained(tile_t=64).fit(source).predict(source)
    source.n_read = 0
    whole = predicted[:]
    assert largest == 64
    assert source.n_read < 2.1 * len(raw)
    source.n_read = 0
    np.testing.assert_array_equal(predicted[399:], whole[399:])
    assert source.n_read <= 64


def test_another_field_is_refused(noisy):
    model = Pretrained().fit(noisy)
    with pytest.raises(InputError, match=r"frames of \(20, 27\) pixels, and these have \(20, 26\)"):
        model.predict(noisy[:, :, :26])


@pytest.mark.parametrize(
    "options",
    [{"runtime": "abacus"}, {"halo": 12}, {"halo": -8}, {"tile_t": 32}, {"tile_yx": 100}],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(InputError, match=f"{next(iter(options))} = .*; give"):
        Pretrained(**options)
