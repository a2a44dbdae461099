"""MATLAB files: its axes, and which versions."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.io

from freq2clean.errors import InputError
from freq2clean.recordings import open_recording


def test_rows_columns_frames_of_matlab(tmp_path, movie):
    """A variable (Y, X, Z, T) of MATLAB is stored with its axes reversed."""
    variable = movie(shape=(12, 17, 3, 5))
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file["movie"] = variable.T
    with open_recording(tmp_path / "a.mat", plane=2) as recording:
        assert recording.shape == (5, 12, 17)
        np.testing.assert_array_equal(recording.read(1, 3)[1], variable[:, :, 2, 2])


def test_several_variables(tmp_path, movie):
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file["one"], file["two"] = movie().T, movie(seed=1).transpose(0, 2, 1)
    with open_recording(f"{tmp_path / 'a.mat'}::two") as recording:
        np.testing.assert_array_equal(recording[:], movie(seed=1))
    with pytest.raises(InputError, match=r"say which, as in .*a\.mat::/one"):
        open_recording(tmp_path / "a.mat")
    with pytest.raises(InputError, match="has no dataset three"):
        open_recording(f"{tmp_path / 'a.mat'}::three")


def test_older_versions(tmp_path, movie):
    scipy.io.savemat(tmp_path / "a.mat", {"movie": movie()})
    with pytest.raises(InputError, match=r"version 7 or older.*save\('a.mat', '-v7.3'\)"):
        open_recording(tmp_path / "a.mat")
    (tmp_path / "a.mat").write_bytes(b"no MATLAB file")
    with pytest.raises(InputError, match="cannot be read as MATLAB"):
        open_recording(tmp_path / "a.mat")
