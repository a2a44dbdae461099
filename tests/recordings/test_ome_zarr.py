"""OME-Zarr: images that ome-zarr wrote, and what we write for its readers."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr

from freq2clean.errors import InputError, OutputError
from freq2clean.recordings import Metadata, check_target, create, open_recording

DATA = Path(__file__).parent / "data"
PIXELS = np.arange(7 * 2 * 3 * 12 * 10, dtype=np.uint16).reshape(7, 2, 3, 12, 10)
"""Time, channel, plane, row, column: what data/make.py wrote."""


@pytest.fixture(params=["0.4", "0.5"])
def store(request, tmp_path):
    """An image as ome-zarr 0.18 writes it, under a name that says nothing of OME."""
    shutil.unpack_archive(DATA / f"ome-{request.param}.zarr.zip", tmp_path / "a.zarr")
    return tmp_path / "a.zarr"


def test_channel_and_plane_of_the_finest_level(store):
    with open_recording(store, channel=1, plane=2) as recording:
        np.testing.assert_array_equal(recording[:], PIXELS[:, 1, 2])
        assert recording.metadata.frame_rate_hz == 25
        assert recording.metadata.pixel_size_um == (0.5, 0.25)
    with pytest.raises(InputError, match=r"give --channel 0\.\.1 and --plane 0\.\.2"):
        open_recording(store)


def test_a_coarser_level(store):
    with open_recording(store / "s1", channel=0, plane=0) as recording:
        assert recording.shape == (7, 6, 5)
        assert recording.metadata.pixel_size_um == (1.0, 0.5)


def test_an_image_inside(store, tmp_path):
    """As bioformats2raw lays them out: the images are in groups 0, 1 ..."""
    outer = zarr.open_group(tmp_path / "b.zarr", mode="w", zarr_format=3)
    outer.attrs["ome"] = {"version": "0.5", "bioformats2raw.layout": 3}
    shutil.copytree(store, tmp_path / "b.zarr" / "0")
    with open_recording(tmp_path / "b.zarr" / "0", channel=1, plane=2) as recording:
        np.testing.assert_array_equal(recording[:], PIXELS[:, 1, 2])
    with pytest.raises(InputError, match="holds no OME-Zarr image: name one inside"):
        open_recording(tmp_path / "b.zarr")


@pytest.mark.parametrize("damage", ["axes", "datasets", "coordinateTransformations"])
def test_damaged_descriptions(tmp_path, movie, damage):
    path = tmp_path / "a.ome.zarr"
    with create(path, movie().shape, "uint16") as writer:
        writer.append(movie())
    group = zarr.open_group(path, mode="r+")
    ome = group.attrs["ome"]
    (image,) = ome["multiscales"]
    image[damage] = (
        7 if damage != "coordinateTransformations" else [{"type": "scale", "scale": "a"}]
    )
    group.attrs["ome"] = ome
    with pytest.raises(InputError, match="description as an OME-Zarr image is damaged"):
        open_recording(path)


@pytest.fixture
def written(tmp_path, movie):
    path = tmp_path / "a.ome.zarr"
    metadata = Metadata(30.0, (1.5, 0.75), {"method": "wiener"})
    pixels = movie(shape=(5, 523, 301))
    with create(path, pixels.shape, "uint16", metadata=metadata) as writer:
        writer.append(pixels[:2])
        writer.append(pixels[2:])
    return path, pixels, metadata


def test_levels_are_means(written):
    path, pixels, metadata = written
    with open_recording(path) as recording:
        np.testing.assert_array_equal(recording[:], pixels)
        assert recording.metadata == metadata
    with open_recording(path / "1") as recording:
        means = pixels[:, :522, :300].reshape(5, 261, 2, 150, 2).mean(axis=(2, 4))
        np.testing.assert_array_equal(recording[:], np.rint(means).astype(np.uint16))
    assert zarr.open_array(path / "2").shape == (5, 130, 75)
    assert not (path / "3").exists()


def test_description_of_what_is_written(written):
    path, _, _ = written
    ome = dict(zarr.open_group(path, mode="r").attrs)["ome"]
    (image,) = ome["multiscales"]
    assert ome["version"] == "0.5"
    assert [(axis["name"], axis["unit"]) for axis in image["axes"]] == [
        ("t", "second"), ("y", "micrometer"), ("x", "micrometer"),
    ]  # fmt: skip
    scale, shift = image["datasets"][2]["coordinateTransformations"]
    assert scale["scale"] == pytest.approx([1 / 30, 6.0, 3.0])
    assert shift["translation"] == pytest.approx([0, 2.25, 1.125])
    assert zarr.open_array(path / "0").metadata.dimension_names == ("t", "y", "x")


def test_models_of_ome_zarr_take_it(written):
    models = pytest.importorskip("ome_zarr_models", reason="needs ome-zarr-models")
    image = models.open_ome_zarr(zarr.open_group(written[0], mode="r"))
    assert len(image.attributes.ome.multiscales[0].datasets) == 3


def test_only_images_are_replaced(written):
    path, _, _ = written
    check_target(path)
    zarr.open_group(path, mode="r+").create_group("labels")
    with pytest.raises(OutputError, match="is no single OME-Zarr image"):
        check_target(path)
