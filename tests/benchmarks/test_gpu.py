"""The benchmark for GPUs runs without one, small; its study path is the closed form."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import freq2clean

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def gpu():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(Path(__file__).parents[2] / "benchmarks"), *sys.path])
        yield import_module("gpu")


def test_all_figures_are_there(gpu, tmp_path, capsys):
    path = tmp_path / "gpu.json"
    size = ["--frames", "40", "--size", "24", "--repeats", "1"]
    gpu.main([*size, "--device", "cpu", "--json", str(path)])
    found = json.loads(path.read_text())
    assert found["shape"] == [40, 24, 24]
    paths = found["in_memory"]["paths"]
    methods = ["`fft`", "`dct`", "`wiener`", "`subspace`", "`auto`"]
    assert list(paths) == [*(f"ours, {method}" for method in methods), "study's `fft`, PyTorch"]
    assert all(figure["seconds"] > 0 for figure in paths.values())
    assert found["in_memory"]["bytes_moved"] == 40 * 24 * 24 * (2 + 3 * 4)
    assert list(found["file_to_file"]) == [f"{method}, cpu" for method in methods]
    printed = capsys.readouterr().out
    assert "## 40 x 24 x 24 on cpu" in printed
    assert "x floor" in printed


def test_the_study_path_is_what_ours_does_in_closed_form(gpu):
    raw, denoised = gpu.pair_on("cpu", 60, 24)
    ours = freq2clean.fuse(raw, denoised, method="fft", matching="histogram", rescale=False)
    whole = gpu.study_path(raw, denoised)
    np.testing.assert_allclose(whole, ours, atol=1e-2 * float(denoised.max() - denoised.min()))
