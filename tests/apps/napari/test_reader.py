"""Which paths the plugin takes for its own, and the layers that it makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml

import freq2clean.apps.napari as room
from freq2clean.apps.napari.lazy import LazyFrames
from freq2clean.apps.napari.reader import get_reader, read
from freq2clean.errors import InputError
from freq2clean.recordings import create
from freq2clean.recordings.formats import GENERAL, READABLE

MANIFEST = yaml.safe_load(Path(room.__file__).with_name("napari.yaml").read_text())


def test_the_manifest_has_the_suffixes_of_the_formats():
    """A new format belongs into napari.yaml too."""
    (reader,) = MANIFEST["contributions"]["readers"]
    assert reader["filename_patterns"] == [f"*{suffix}" for suffix in sorted(READABLE)]


@pytest.mark.parametrize("suffix", GENERAL)
def test_every_format_is_read_lazily(tmp_path, make_pair, suffix):
    movie, _ = make_pair()
    path = tmp_path / f"movie{suffix}"
    with create(path, movie.shape, movie.dtype) as writer:
        writer.append(movie)
    reader = get_reader(str(path))
    assert reader
    ((data, shown, kind),) = reader(str(path))
    assert isinstance(data, LazyFrames)
    assert (shown["name"], kind) == ("movie", "image")
    np.testing.assert_array_equal(data[:], movie)
    low, high = shown["contrast_limits"]
    assert movie.min() <= low < high <= movie.max()


def test_frame_rate_and_pixel_size_come_along(folder):
    ((_, shown, _),) = read(str(folder / "raw.tif"))
    assert shown["scale"] == (1, 1.5, 1.5)
    assert shown["units"] == ("pixel", "um", "um")
    assert shown["metadata"]["frame_rate_hz"] == 20


def test_a_folder_of_numbered_files_is_one_recording(tmp_path, make_pair):
    movie, _ = make_pair((12, 8, 9))
    for number, frame in enumerate(movie):
        tifffile.imwrite(tmp_path / f"f{number}.tif", frame, photometric="minisblack")
    reader = get_reader([str(tmp_path)])
    assert reader
    ((data, _, _),) = reader([str(tmp_path)])
    np.testing.assert_array_equal(data[:], movie)


def test_every_channel_is_a_layer(tmp_path, make_pair):
    one, other = make_pair((10, 8, 9))[0], make_pair((10, 8, 9))[0] + 5
    both = np.stack([one, other], axis=1)
    tifffile.imwrite(tmp_path / "two.tif", both, imagej=True, metadata={"axes": "TCYX"})
    layers = read(str(tmp_path / "two.tif"))
    assert [shown["name"] for _, shown, _ in layers] == ["two, channel 0", "two, channel 1"]
    np.testing.assert_array_equal(layers[1][0][:], other)


def test_what_is_no_recording_is_left_to_others(tmp_path):
    (tmp_path / "picture.png").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    for path in ("picture.png", "empty", "missing.tif"):
        assert get_reader(str(tmp_path / path)) is None
    assert get_reader(["a.tif", "b.tif"]) is None


def test_a_damaged_file_is_an_error_in_plain_words(tmp_path):
    (tmp_path / "bad.tif").write_bytes(b"no TIFF at all")
    reader = get_reader(str(tmp_path / "bad.tif"))
    assert reader
    with pytest.raises(InputError, match=r"bad\.tif"):
        reader(str(tmp_path / "bad.tif"))
