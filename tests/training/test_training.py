"""Training and exporting the network that ships, on tiny recordings for some steps."""

import sys

import numpy as np
import pytest
import torch
from training import export, pretrained

from freq2clean.denoisers.pretrained import Pretrained
from freq2clean.denoisers.pretrained.views import look
from freq2clean.simulation import simulate


@pytest.fixture
def tiny(monkeypatch):
    for name, value in {
        "SIDE": 24, "N_FRAMES": (16, 40, 60), "PATCH": (24, 16, 16), "PATCHES_PER_RECORDING": 4,
        "BUFFER": 8, "CELL_DIAMETER_PX": (6.0, 8.0),
    }.items():  # fmt: skip
        monkeypatch.setattr(pretrained, name, value)


def test_examples_are_what_the_network_is_given_and_ought_to_give(tiny):
    seed = 100_003
    options, n_frames = pretrained.random_recording(seed)
    recording = simulate((n_frames, 24, 24), seed=seed, **options)
    examples = list(pretrained.examples_of(seed))
    views = look(recording.raw[:])
    for example in examples:
        assert example.inputs.shape == (3, *example.target.shape)
        assert example.target.shape[0] in (16, 24)
        noise = example.inputs[0] - example.target
        assert noise.std() == pytest.approx(1, abs=0.25)
        assert example.inputs[2].max() <= views.activity.max()
        assert abs(noise.mean()) < 0.1
        assert (np.ptp(example.inputs[1:], axis=1) == 0).all()
    assert len(examples) == 4
    assert examples[0].weight == pytest.approx(10 ** (-options["snr_db"] / 20))


def test_seeds_draw_from_the_whole_domain():
    drawn = [pretrained.random_recording(seed) for seed in range(100_000, 100_300)]
    snrs = np.array([options["snr_db"] for options, _ in drawn])
    diameters = np.array([12 / options["pixel_size_um"] for options, _ in drawn])
    lengths = np.array([n for _, n in drawn])
    for values, (low, high) in (
        (snrs, pretrained.SNR_DB), (diameters, pretrained.CELL_DIAMETER_PX),
        (lengths, (pretrained.N_FRAMES[0], pretrained.N_FRAMES[-1])),
    ):  # fmt: skip
        assert low <= values.min() < low + 0.2 * (high - low)
        assert high - 0.2 * (high - low) < values.max() <= high


def test_training_goes_on_where_it_stopped_and_is_exported(tiny, tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pth"
    pretrained.train(path, minutes=0.02, base_channels=4)
    first = torch.load(path, weights_only=True)
    pretrained.train(path, minutes=0.05, base_channels=4)
    second = torch.load(path, weights_only=True)
    assert second["step"] > first["step"] > 0
    assert second["spent_s"] >= 3
    assert second["seed"] >= first["seed"] > 100_000
    monkeypatch.setattr(sys, "argv", ["export", str(path), str(tmp_path)])
    export.main()
    noisy = np.random.default_rng(0).poisson(9, (40, 20, 24)).astype(np.uint16)
    found, expected = (
        Pretrained(network=str(tmp_path / "network"), runtime=runtime).fit(noisy).predict(noisy)[:]
        for runtime in ("onnx", "torch")
    )
    np.testing.assert_allclose(found, expected, atol=1e-4 * noisy.std())
