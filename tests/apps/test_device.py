"""--device computes elsewhere, or says why not."""

from __future__ import annotations

import json

import numpy as np
import pytest

from freq2clean.fusion.spaces import torch_devices


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    raw = np.random.default_rng(0).poisson(5, (40, 24, 24)).astype(np.uint16)
    np.save(folder / "raw.npy", raw)
    np.save(folder / "denoised.npy", np.full(raw.shape, 5, np.float32))
    return [folder / "raw.npy", folder / "denoised.npy"]


def test_auto_computes_somewhere_and_says_where(inputs, tmp_path, freq2clean_here):
    how = ["--method", "fft", "--device", "auto", "--json"]
    done = freq2clean_here("fuse", *inputs, "-o", tmp_path / "a.npy", *how)
    assert done.returncode == 0, done.stderr
    words = (
        f"computed on {torch_devices()[0]}" if torch_devices() else "computed on the CPU: device"
    )
    assert json.loads(done.stdout)["notes"][0].startswith(words)
    freq2clean_here("fuse", *inputs, "-o", tmp_path / "b.npy", "--method", "fft")
    np.testing.assert_allclose(*(np.load(tmp_path / f"{name}.npy") for name in "ab"), atol=1e-4)


def test_a_device_that_is_not_there(inputs, tmp_path, freq2clean_here):
    done = freq2clean_here("fuse", *inputs, "-o", tmp_path / "a.npy", "--device", "cuda:99")
    assert done.returncode == 2
    assert done.stderr.startswith("error: device = 'cuda:99': PyTorch sees ")
    assert not list(tmp_path.iterdir())
