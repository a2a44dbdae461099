"""NWB files as pynwb writes them: which series, its axes, and what is known of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from freq2clean.errors import InputError
from freq2clean.recordings import open_recording

DATA = Path(__file__).parent / "data"


@pytest.fixture
def nwb(tmp_path, movie, nwb_file, add_series, write_nwb):
    """A file with one series of 9 frames; options are those of the series and of its plane."""

    def make(plane=None, **options):
        file = nwb_file(**(plane or {}))
        add_series(file, movie(), **options)
        return write_nwb(tmp_path / "a.nwb", file)

    return make


def metadata(path):
    with open_recording(path) as recording:
        return recording.metadata


def test_rate_and_grid_of_the_imaging_plane(nwb):
    """grid_spacing is x, y, in metres unless it says otherwise."""
    grid = {"grid_spacing": [0.65e-6, 1.02e-6], "grid_spacing_unit": "meters"}
    found = metadata(nwb(grid, rate=15.5))
    assert found.frame_rate_hz == 15.5
    assert found.pixel_size_um == pytest.approx((1.02, 0.65))
    grid = {"grid_spacing": [0.5, 2.0], "grid_spacing_unit": "micrometers"}
    assert metadata(nwb(grid)).pixel_size_um == (2.0, 0.5)
    grid = {"grid_spacing": [0.5, 2.0], "grid_spacing_unit": "furlongs"}
    assert metadata(nwb(grid)).pixel_size_um is None


def test_field_of_view_where_there_is_no_grid(nwb):
    """It is width, height; the movie has 33 rows and 47 columns."""
    path = nwb(field_of_view=[47e-6, 66e-6])
    assert metadata(path).pixel_size_um == pytest.approx((2.0, 1.0))
    assert metadata(f"{path}::/acquisition/Movie/data").pixel_size_um == pytest.approx(
        (66 / 47, 47 / 33)
    )


def test_timestamps(nwb):
    assert metadata(nwb(timestamps=np.arange(9) / 12.5)).frame_rate_hz == pytest.approx(12.5)
    gap = np.arange(9) / 12.5 + 100 * (np.arange(9) > 4)
    assert metadata(nwb(timestamps=gap)).frame_rate_hz == pytest.approx(12.5)
    assert metadata(nwb(timestamps=np.zeros(9))).frame_rate_hz is None


def test_one_of_several(tmp_path, movie, nwb_file, add_series, write_nwb):
    file = nwb_file()
    for seed, name in enumerate(("Green", "Red")):
        add_series(file, movie(seed=seed), name=name)
    path = write_nwb(tmp_path / "a.nwb", file)
    for inside in ("/acquisition/Red", "acquisition/Red/"):
        with open_recording(f"{path}::{inside}") as recording:
            np.testing.assert_array_equal(recording[:], movie(seed=1))
            assert recording.name == f"{path}::/acquisition/Red"
    with pytest.raises(InputError, match=r"several series, /acquisition/Green, /acquisition/Red: "
                       "say which, as in .*::/acquisition/Green"):  # fmt: skip
        open_recording(path)
    with pytest.raises(InputError, match="has no series /acquisition/Blue; it has /acq"):
        open_recording(f"{path}::/acquisition/Blue")


def test_volumes(tmp_path, movie, nwb_file, write_nwb):
    """Four axes are frame, x, y, z."""
    from pynwb.ophys import TwoPhotonSeries

    pixels = movie(shape=(5, 3, 12, 17))
    file = nwb_file()
    file.add_acquisition(
        TwoPhotonSeries(
            name="Movie",
            data=pixels.transpose(0, 3, 2, 1),
            imaging_plane=file.imaging_planes["ImagingPlane"],
            rate=3.0,
            unit="a.u.",
        )
    )
    path = write_nwb(tmp_path / "a.nwb", file)
    with open_recording(path, plane=2) as recording:
        np.testing.assert_array_equal(recording.read(1, 4), pixels[1:4, 2])
    with pytest.raises(InputError, match=r"give --plane 0\.\.2"):
        open_recording(path)
    with open_recording(f"{path}::/acquisition/Movie/data", plane=1) as recording:
        np.testing.assert_array_equal(recording[:], pixels[:, 1].swapaxes(1, 2))


def test_frames_in_other_files(tmp_path, nwb_file, write_nwb):
    from pynwb.ophys import OnePhotonSeries

    file = nwb_file()
    file.add_acquisition(
        OnePhotonSeries(
            name="Movie",
            external_file=["msCam1.avi", "msCam2.avi"],
            starting_frame=[0, 1000],
            format="external",
            imaging_plane=file.imaging_planes["ImagingPlane"],
            rate=30.0,
            num_samples=2000,
        )
    )
    path = write_nwb(tmp_path / "a.nwb", file)
    with pytest.raises(InputError, match=r"open msCam1\.avi, msCam2\.avi instead"):
        open_recording(path)


def test_files_without_series(tmp_path, nwb_file, write_nwb):
    path = write_nwb(tmp_path / "a.nwb", nwb_file())
    with pytest.raises(InputError, match="holds no OnePhotonSeries or TwoPhotonSeries"):
        open_recording(path)
    (tmp_path / "b.nwb").write_bytes(b"no HDF5 at all")
    with pytest.raises(InputError, match="cannot be read as NWB"):
        open_recording(tmp_path / "b.nwb")
    with h5py.File(tmp_path / "c.nwb", "w") as file:
        file["x"] = np.zeros((3, 4, 5))
    with pytest.raises(InputError, match="holds no OnePhotonSeries"):
        open_recording(tmp_path / "c.nwb")


def test_only_the_frames_asked_for_are_read(nwb, monkeypatch):
    recording = open_recording(nwb())
    asked = []
    read = h5py.Dataset.__getitem__
    monkeypatch.setattr(
        h5py.Dataset, "__getitem__", lambda self, key: asked.append(key) or read(self, key)
    )
    recording.read(2, 4)
    assert asked == [(slice(2, 4), slice(None), slice(None))]


def test_zarr_as_hdmf_zarr_writes_it(tmp_path):
    """Links are attributes there. What data/make.py wrote."""
    shutil.unpack_archive(DATA / "session.nwb.zarr.zip", tmp_path / "a.nwb.zarr")
    path = tmp_path / "a.nwb.zarr"
    pixels = np.arange(7 * 2 * 3 * 12 * 10, dtype=np.uint16).reshape(7, 2, 3, 12, 10)[:, 0, 0]
    with open_recording(f"{path}::/acquisition/Red") as recording:
        np.testing.assert_array_equal(recording[:], pixels + 1)
        assert recording.metadata.frame_rate_hz == 25
        assert recording.metadata.pixel_size_um == pytest.approx((0.5, 0.25))
    with open_recording(path / "acquisition" / "Green") as recording:
        np.testing.assert_array_equal(recording.read(2, 5), pixels[2:5])
    with pytest.raises(InputError, match="several series, /acquisition/Green, /acquisition/Red"):
        open_recording(path)
