"""``--register`` as a user meets it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

from freq2clean import fuse
from freq2clean.simulation.motion import margin_for, view

FUSE = ["fuse", "raw.tif", "denoised.tif", "-o", "fused.tif", "--method", "wiener", "--register"]


@pytest.fixture
def shaken(tmp_path):
    """A folder with raw.tif and denoised.tif of a scene that shakes, and how it does."""
    rng = np.random.default_rng(6)
    shifts = rng.normal(0, 1, (60, 2))
    margin = margin_for(shifts)
    scene = gaussian_filter(rng.standard_normal((36 + 2 * margin, 40 + 2 * margin)), 1)
    scene = (60 + 25 * scene / scene.std()).clip(1).astype(np.float32)
    truth = np.stack([view(scene, shift, margin) for shift in shifts])
    raw, denoised = rng.poisson(truth).astype(np.uint16), gaussian_filter(truth, (0, 2, 2))
    tifffile.imwrite(tmp_path / "raw.tif", raw, photometric="minisblack")
    tifffile.imwrite(tmp_path / "denoised.tif", denoised, photometric="minisblack")
    return tmp_path, raw, denoised, shifts


def test_the_process_names_the_shifts(freq2clean, shaken):
    folder, raw, denoised, shifts = shaken
    done = freq2clean(*FUSE, "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)["findings"]["registration"]
    assert found["registered"] is True
    assert np.std(np.array(found["shifts_px"]) - shifts, axis=0).max() < 0.1
    expected = fuse(raw, denoised, method="wiener", register=True)
    np.testing.assert_allclose(tifffile.imread(folder / "fused.tif"), expected, atol=1e-3)


def test_words_say_what_moved(freq2clean_here, shaken):
    folder, *_ = shaken
    done = freq2clean_here(*FUSE, cwd=folder)
    assert done.returncode == 0
    assert "registered: frames lie" in " ".join(done.stdout.split())


def test_run_registers_too(freq2clean_here, shaken):
    folder, *_ = shaken
    words = [
        "run",
        "raw.tif",
        "-o",
        "fused.tif",
        "--model",
        "gaussian",
        "--method",
        "wiener",
        "--register",
        "--json",
    ]
    done = freq2clean_here(*words, cwd=folder)
    assert done.returncode == 0
    assert json.loads(done.stdout)["fused"]["findings"]["registration"]["registered"] is True
