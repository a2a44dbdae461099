"""Blocks of NaN and infinity, in every format: lost are these voxels, and no others."""

from __future__ import annotations

import numpy as np
import pytest
from tests.apps.conftest import make_pair
from tests.recordings.conftest import SOURCES, SOURCES_OF_SOME_DTYPES, TARGETS

from freq2clean import fuse, open_recording

__all__ = ["make_pair"]

NAN, INFINITE = np.s_[5:8, 3:9, 4:12], np.s_[20:23, 2:6, 10:14]
WRITERS = {name: write for name, write in SOURCES.items() if name not in ("array", "lazy-array")}
WRITERS |= {
    name: write for name, (write, held) in SOURCES_OF_SOME_DTYPES.items() if "float32" in held
}


@pytest.fixture(scope="module")
def recordings(make_pair):
    """Raw with a block of NaN, denoised with one of infinities, and what they give as arrays."""
    raw, denoised = (np.ascontiguousarray(r, np.float32) for r in make_pair((40, 22, 26))[:2])
    raw[NAN], denoised[INFINITE] = np.nan, np.inf
    return raw, denoised, fuse(raw, denoised, method="wiener")


def check(fused) -> None:
    lost = np.zeros(fused.shape, bool)
    lost[NAN] = lost[INFINITE] = True
    np.testing.assert_array_equal(~np.isfinite(fused), lost)


def test_as_arrays(recordings):
    check(recordings[2])


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_as_files(name, recordings, tmp_path):
    paths = []
    for kind, pixels in zip(("raw", "denoised"), recordings[:2], strict=True):
        (tmp_path / kind).mkdir()
        paths.append(WRITERS[name](tmp_path / kind, pixels))
    fuse(*paths, out=tmp_path / "fused.npy", method="wiener")
    fused = np.load(tmp_path / "fused.npy")
    check(fused)
    np.testing.assert_allclose(fused, recordings[2], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_as_results(name, recordings, tmp_path):
    path, compression = TARGETS[name]
    fuse(*recordings[:2], out=tmp_path / path, method="wiener", compression=compression)
    with open_recording(tmp_path / path) as fused:
        np.testing.assert_array_equal(fused[:], recordings[2])


@pytest.mark.parametrize("name", ["fused.avi", "fused.bin"])
def test_as_results_that_hold_integers(name, recordings, tmp_path):
    """What is no number becomes 0, and is counted."""
    raw, denoised, whole = recordings
    result = fuse(raw, denoised, out=tmp_path / name, method="wiener")
    with open_recording(
        f"{tmp_path / name}::22,26" if name.endswith("bin") else result.path
    ) as fused:
        pixels = fused[:]
    known = np.isfinite(whole)
    np.testing.assert_array_equal(pixels[NAN], 0)
    np.testing.assert_allclose(pixels[known], np.clip(whole[known], 0, None), atol=0.5)
    assert result.n_clipped == np.count_nonzero(~known)
