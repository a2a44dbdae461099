"""Whatever is typed: exit code 0 or 2, and no traceback; odd names are only names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.apps.conftest import freq2clean_here, make_pair
from tests.reliability.seeds import SEEDS

from freq2clean import create, open_recording

__all__ = ["freq2clean_here", "make_pair"]

COMMANDS = ["fuse", "inspect", "evaluate", "denoise", "simulate", "report", "render", "rois"]
OPTIONS = ["-o", "--method", "--window", "--memory", "--dtype", "--compression", "--align",
           "--channel", "--plane", "--workers", "--device", "--resume", "--report", "--overlap",
           "--frame-rate", "--json", "--help", "--version", "--no-such-option", "--"]  # fmt: skip
VALUES = ["raw.npy", "denoised.npy", "missing.tif", "out.npy", "out.bin", "out.xyz", ".", "", "-1",
          "0", "3", "1e99", "nan", "inf", "fft", "dct", "wiener", "auto", "cpu", "cuda:9", "zstd",
          "uint16", "float32", "start", "1GB", "-3MB", "é\n\"'", "\udcff", "a\0b", "%s", "::", "=",
          "raw.npy::/x", "ftp://x/y.zarr", "raw.npy/raw.npy", "x" * 300]  # fmt: skip
WORDS = st.one_of(
    st.sampled_from(OPTIONS), st.sampled_from(VALUES), st.text(max_size=8), st.integers().map(str)
)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(command=st.sampled_from(COMMANDS), words=st.lists(WORDS, max_size=7), good=st.booleans())
def test_any_words(freq2clean_here, make_pair, tmp_path, command, words, good):
    for name, frames in zip(("raw", "denoised"), make_pair((12, 10, 12)), strict=True):
        np.save(tmp_path / f"{name}.npy", frames)
    if good:
        words = ["raw.npy", "denoised.npy", "-o", "fused.npy", *words]
    done = freq2clean_here(command, *words, cwd=tmp_path)
    assert done.returncode in (0, 2), (command, words, done)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or (done.stderr + done.stdout).strip()


NAMES = [
    "a b",
    "'quoted' \"twice\"",
    "naïve-µm-細胞",
    "line\nbreak",
    "-o",
    "$(touch x); *[a]?",
    "<b>&amp;",
]
SUFFIXES = ["tif", "zarr", "ome.zarr", "h5", "npy", "avi", "bin"]


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        pytest.param(name, suffix, marks=() if i == j else pytest.mark.slow)
        for i, name in enumerate(NAMES)
        for j, suffix in enumerate(SUFFIXES)
    ],
)
def test_odd_names(freq2clean_here, make_pair, tmp_path, name, suffix):
    folder = tmp_path / name
    folder.mkdir()
    shape = (12, 10, 12)
    paths = []
    for kind, frames in zip(("raw", "denoised"), make_pair(shape), strict=True):
        path = folder / f"{kind} {name}.{suffix}"
        with create(path, shape, "uint16") as writer:
            writer.append(frames.astype(np.uint16))
        paths.append(f"{path}::10,12" if suffix == "bin" else path)
    target = folder / f"fused {name}.{suffix}"
    before = {path.name for path in folder.iterdir()}
    done = freq2clean_here("fuse", *paths, "-o", target, "--method", "fft")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder.iterdir()} == {*before, target.name}
    with open_recording(f"{target}::10,12" if suffix == "bin" else target) as fused:
        assert fused.shape == shape


def test_odd_names_of_what_is_only_read(tmp_path):
    """The other formats, by the path to their folder."""
    for name in NAMES[1:4]:
        for seed in ("nwb-timestamps", "matlab", "caiman-c", "tiff-folder", "nwb-zarr", "scanbox"):
            folder = tmp_path / name / seed
            folder.mkdir(parents=True)
            with open_recording(SEEDS[seed](folder)) as recording:
                assert recording.read(0, 1).size
