"""Makers' files through roiextractors: files where they can be written, its own doubles else."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import scipy.io
import tifffile

from freq2clean.errors import InputError, MissingExtraError
from freq2clean.recordings import open_recording
from freq2clean.recordings.vendors import VENDORS, VendorRecording, vendor_of


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("scanimage:/a/b.tif", ("scanimage", "/a/b.tif")),
        ("Bruker:folder", ("bruker", "folder")),
        ("a/b.sbx", ("scanbox", "a/b.sbx")),
        ("a.mesc", ("femtonics", "a.mesc")),
        ("a.isxd", ("inscopix", "a.isxd")),
        ("a/b.tif", ("", "a/b.tif")),
        ("https://a/b.tif", ("", "https://a/b.tif")),
        ("nobody:a.tif", ("", "nobody:a.tif")),
    ],
)
def test_which_maker(source, expected):
    assert vendor_of(source) == expected


def test_every_maker_is_known_to_roiextractors():
    from roiextractors import extractorlist

    for vendor in VENDORS.values():
        assert hasattr(extractorlist, vendor.extractor)


@pytest.fixture
def scanbox(tmp_path, movie):
    """As Scanbox writes: inverted uint16, column by column, and a .mat beside it."""
    pixels = movie(shape=(12, 20, 32))
    inverted = np.iinfo(np.uint16).max - pixels
    (tmp_path / "a.sbx").write_bytes(inverted.tobytes())
    info = {
        "channels": 2,
        "scanmode": 1,
        "recordsPerBuffer": 20,
        "bytesPerBuffer": 20 * 32 * 2 * 2,
        "sz": np.array([20, 32]),
        "resfreq": 8000,
        "config": {"lines": 20},
        "otwave": [],
    }
    scipy.io.savemat(tmp_path / "a.mat", {"info": info})
    return tmp_path / "a.sbx", pixels


def test_scanbox(scanbox):
    path, pixels = scanbox
    for source in (path, f"scanbox:{path}"):
        with open_recording(source) as recording:
            assert recording.shape == pixels.shape
            assert recording.dtype == np.uint16
            assert recording.metadata.frame_rate_hz == 400
            np.testing.assert_array_equal(recording[:], pixels)
            np.testing.assert_array_equal(recording.read(3, 5), pixels[3:5])


@pytest.fixture
def thor(tmp_path, movie):
    """As ThorImage writes: OME-TIFF and an Experiment.xml."""
    pixels = movie(shape=(6, 2, 24, 30))
    tifffile.imwrite(tmp_path / "a.tif", pixels, ome=True, metadata={"axes": "TCYX"})
    (tmp_path / "Experiment.xml").write_text(
        '<ThorImageExperiment><Date uTime="1700000000"/><LSM frameRate="15.5"/><Wavelengths>'
        '<Wavelength name="ChanA"/><Wavelength name="ChanB"/></Wavelengths></ThorImageExperiment>'
    )
    return tmp_path / "a.tif", pixels


def test_thor(thor):
    path, pixels = thor
    with open_recording(f"thor:{path}", channel=1) as recording:
        np.testing.assert_array_equal(recording[:], pixels[:, 1])
        assert recording.metadata.frame_rate_hz == 15.5
    with pytest.raises(InputError, match=r"has channels 0 \(ChanA\), 1 \(ChanB\): choose one"):
        open_recording(f"thor:{path}")
    with pytest.raises(InputError, match="choose one with --channel"):
        open_recording(f"thor:{path}", channel=2)


@pytest.fixture
def dummy():
    from roiextractors.testing import generate_dummy_imaging_extractor

    return generate_dummy_imaging_extractor


def test_any_extractor(dummy, tmp_path):
    extractor = dummy(num_rows=11, num_columns=7, num_samples=9, sampling_frequency=12.5)
    recording = VendorRecording(extractor, tmp_path)
    whole = extractor.get_series(0, 9)
    assert recording.shape == (9, 11, 7)
    assert recording.metadata.frame_rate_hz == 12.5
    for start in range(9):
        for stop in range(start + 1, 10):
            np.testing.assert_array_equal(recording.read(start, stop), whole[start:stop])


def test_volumes(dummy, tmp_path):
    extractor = dummy(num_rows=11, num_columns=7, num_samples=9, num_planes=3)
    recording = VendorRecording(extractor, tmp_path, plane=2)
    assert recording.shape == (9, 11, 7)
    np.testing.assert_array_equal(recording[2:6], extractor.get_series(2, 6)[..., 2])
    with pytest.raises(InputError, match=r"give --plane 0\.\.2"):
        VendorRecording(extractor, tmp_path)


@pytest.mark.parametrize("maker", sorted(VENDORS))
def test_what_no_maker_wrote(maker, tmp_path):
    path = tmp_path / f"a{VENDORS[maker].suffix or '.tif'}"
    path.write_bytes(b"nothing of that kind" * 20)
    with pytest.raises((InputError, MissingExtraError), match=r"cannot be read|lacks a library"):
        open_recording(f"{maker}:{path}")
    with pytest.raises(InputError, match="does not exist"):
        open_recording(f"{maker}:{tmp_path / 'none'}")


def test_without_roiextractors(scanbox, monkeypatch):
    monkeypatch.setitem(sys.modules, "roiextractors", None)
    with pytest.raises(MissingExtraError, match=r'pip install "freq2clean\[vendors\]"'):
        open_recording(scanbox[0])


def test_frames_that_cannot_be_read(dummy, tmp_path, monkeypatch):
    extractor = dummy()
    recording = VendorRecording(extractor, tmp_path)
    monkeypatch.setattr(extractor, "get_series", lambda *_: 1 / 0)
    with pytest.raises(InputError, match=r"frames 2:4 cannot be read \(division by zero\)"):
        recording.read(2, 4)
