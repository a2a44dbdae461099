"""A processed series in a copy of the raw recording's NWB file."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest

from freq2clean.errors import MissingExtraError, OutputError
from freq2clean.recordings import Metadata, check_target, create, open_recording

SERIES = "::/processing/ophys/ProcessedMovie"


@pytest.fixture
def raw(tmp_path, movie, nwb_file, add_series, write_nwb):
    """A raw file, as users have them."""

    def make(**options):
        file = nwb_file(grid_spacing=[0.5e-6, 1e-6], grid_spacing_unit="meters")
        pixels = options.pop("pixels", movie())
        add_series(
            file, pixels, **({"pmt_gain": 3.0, "conversion": 2.0, "comments": "dark"} | options)
        )
        return write_nwb(tmp_path / "raw.nwb", file)

    return make


def write(target, source, pixels, *, compression=None, provenance=None):
    with open_recording(source) as recording:
        known = Metadata(
            recording.metadata.frame_rate_hz,
            recording.metadata.pixel_size_um,
            provenance or {"method": "wiener"},
            recording.metadata.origin,
        )
        with create(
            target,
            pixels.shape,
            pixels.dtype,
            metadata=known,
            inputs=[recording],
            compression=compression,
        ) as writer:
            writer.append(pixels[:4])
            writer.append(pixels[4:])


@pytest.mark.parametrize("dtype", ["float32", "uint16"])
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_a_series_more(raw, tmp_path, movie, dtype, compression):
    source, fused = raw(), movie(dtype, seed=7)
    write(tmp_path / "out.nwb", source, fused, compression=compression)
    with open_recording(f"{tmp_path / 'out.nwb'}{SERIES}") as recording:
        np.testing.assert_array_equal(recording[:], fused)
        assert recording.metadata.frame_rate_hz == 30
        assert recording.metadata.pixel_size_um == pytest.approx((1.0, 0.5))
        assert recording.metadata.provenance == {"method": "wiener"}
    with open_recording(f"{tmp_path / 'out.nwb'}::/acquisition/Movie") as recording:
        np.testing.assert_array_equal(recording[:], movie())


def test_what_pynwb_reads(raw, tmp_path, movie):
    import pynwb

    write(tmp_path / "out.nwb", raw(one_photon=True, pmt_gain=None, power=2.0), movie("float32"))
    with pynwb.NWBHDF5IO(tmp_path / "out.nwb", "r") as io:
        file = io.read()
        series = file.processing["ophys"]["ProcessedMovie"]
        acquired = file.acquisition["Movie"]
        assert isinstance(series, pynwb.ophys.OnePhotonSeries)
        assert series.data.shape == (9, 47, 33)
        assert series.imaging_plane is acquired.imaging_plane
        assert series.imaging_plane.device.name == "Microscope"
        assert (series.rate, series.starting_time, series.unit) == (30.0, 0.0, "a.u.")
        assert (series.conversion, series.power) == (2.0, 2.0)
        assert "Frames of Movie, processed by freq2clean" in series.description
    errors = pynwb.validate(path=str(tmp_path / "out.nwb"))
    assert not errors


def test_times_are_shared(raw, tmp_path, movie):
    import pynwb

    times = np.cumsum(np.random.default_rng(0).uniform(0.02, 0.05, 9))
    write(tmp_path / "out.nwb", raw(timestamps=times), movie("float32"))
    with pynwb.NWBHDF5IO(tmp_path / "out.nwb", "r") as io:
        file = io.read()
        np.testing.assert_array_equal(
            file.processing["ophys"]["ProcessedMovie"].timestamps[:], times
        )


def test_rows_first_stays_rows_first(raw, tmp_path, movie):
    """A file that holds rows before columns, against the standard, is read and written as it is."""
    source = raw(pixels=movie().swapaxes(1, 2)) + "::/acquisition/Movie/data"
    write(tmp_path / "out.nwb", source, movie("float32", seed=3))
    with open_recording(f"{tmp_path / 'out.nwb'}{SERIES}/data") as recording:
        np.testing.assert_array_equal(recording[:], movie("float32", seed=3))


def test_names(raw, tmp_path, movie):
    source = raw()
    write(f"{tmp_path / 'out.nwb'}::/processing/ophys/Fused", source, movie())
    with open_recording(f"{tmp_path / 'out.nwb'}::/processing/ophys/Fused") as recording:
        assert recording.metadata.provenance == {"method": "wiener"}
        assert recording.shape == (9, 33, 47)
    with pytest.raises(OutputError, match="processed series are kept in /processing/ophys"):
        write(f"{tmp_path / 'out.nwb'}::/acquisition/Fused", source, movie())
    again = f"{tmp_path / 'out.nwb'}::/processing/ophys/Fused"
    with pytest.raises(OutputError, match="holds a series Fused already: name another"):
        write(f"{tmp_path / 'b.nwb'}::/processing/ophys/Fused", again, movie())
    write(f"{tmp_path / 'b.nwb'}::/processing/ophys/Twice", again, movie(seed=4))
    with open_recording(f"{tmp_path / 'b.nwb'}::/processing/ophys/Twice") as recording:
        np.testing.assert_array_equal(recording[:], movie(seed=4))


def test_long_provenance(raw, tmp_path, movie):
    provenance = {"weights": list(range(40_000))}
    write(tmp_path / "out.nwb", raw(), movie(), provenance=provenance)
    with open_recording(f"{tmp_path / 'out.nwb'}{SERIES}") as recording:
        assert recording.metadata.provenance == provenance


def test_what_is_replaced(raw, tmp_path, movie):
    source = raw()
    for seed in range(2):
        write(tmp_path / "out.nwb", source, movie(seed=seed))
    with open_recording(f"{tmp_path / 'out.nwb'}{SERIES}") as recording:
        np.testing.assert_array_equal(recording[:], movie(seed=1))
    (tmp_path / "raw.nwb").rename(tmp_path / "other.nwb")
    with pytest.raises(OutputError, match="freq2clean did not write it"):
        check_target(tmp_path / "other.nwb")
    with (
        open_recording(tmp_path / "other.nwb") as recording,
        pytest.raises(OutputError, match="is one of the inputs"),
    ):
        check_target(tmp_path / "other.nwb", inputs=[recording])


def test_what_cannot_be_a_copy(raw, tmp_path, movie):
    with pytest.raises(OutputError, match="a copy of the raw recording's, which has to be NWB"):
        check_target(tmp_path / "out.nwb", inputs=[open_recording(movie())])
    with (
        pytest.raises(OutputError, match="a copy of the raw recording's, which has to be NWB"),
        create(tmp_path / "out.nwb", (9, 33, 47), "uint16"),
    ):
        pytest.fail("a copy of nothing was written")
    with pytest.raises(OutputError, match="7 frames have no times of their own"):
        write(tmp_path / "out.nwb", raw(), movie()[:7])
    assert [file.name for file in tmp_path.iterdir()] == ["raw.nwb"]


def test_without_pynwb(raw, tmp_path, monkeypatch):
    source = raw()
    monkeypatch.setitem(sys.modules, "pynwb", None)
    with (
        open_recording(source) as recording,
        pytest.raises(MissingExtraError, match=r'pip install "freq2clean\[nwb\]"'),
    ):
        check_target(tmp_path / "out.nwb", inputs=[recording])


def test_nwbinspector_finds_nothing_that_was_not_there(raw, tmp_path, movie):
    nwbinspector = pytest.importorskip("nwbinspector", reason="needs nwbinspector")
    source = raw(pixels=movie(shape=(60, 33, 47)))
    write(tmp_path / "out.nwb", source, movie("float32", (60, 33, 47)))
    found = []
    for path in (source, tmp_path / "out.nwb"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            messages = list(nwbinspector.inspect_nwbfile(nwbfile_path=path))
        found.append({(one.check_function_name, one.object_name) for one in messages})
    assert not found[1] - found[0]
    assert not any(name == "ProcessedMovie" for _, name in found[1])


def test_fused_in_one_call(raw, tmp_path):
    import pynwb

    from freq2clean import fuse

    pixels = np.random.default_rng(0).poisson(9, (60, 32, 24)).astype(np.uint16)
    source = raw(pixels=pixels)
    np.save(tmp_path / "denoised.npy", np.full(pixels.shape, 9, np.float32))
    fuse(source, tmp_path / "denoised.npy", out=tmp_path / "out.nwb", method="wiener")
    expected = fuse(pixels, np.full(pixels.shape, 9, np.float32), method="wiener")
    with open_recording(f"{tmp_path / 'out.nwb'}{SERIES}") as recording:
        np.testing.assert_array_equal(recording[:], expected)
        assert recording.metadata.provenance["method"] == "wiener"
    assert not pynwb.validate(path=str(tmp_path / "out.nwb"))
