"""Input that is no recording: one clear sentence each, and nothing else on the screen."""

from __future__ import annotations

import struct

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from freq2clean.errors import InputError
from freq2clean.recordings import open_recording


def refuse(source, match, **choice):
    with pytest.raises(InputError, match=match) as caught:
        open_recording(source, **choice)
    message = str(caught.value)
    assert "\n" not in message
    assert "Traceback" not in message


@pytest.fixture(autouse=True)
def _quiet(capfd):
    yield
    captured = capfd.readouterr()
    assert captured.err == ""
    assert captured.out == ""


@pytest.mark.parametrize("name", ["a.tif", "a.h5", "a.npy", "a.zarr", "a.zarr/b", "folder"])
def test_missing(tmp_path, name):
    refuse(tmp_path / name, "does not exist")


@pytest.mark.parametrize("name", ["a.tif", "a.h5", "a.npy"])
def test_empty_file(tmp_path, name):
    (tmp_path / name).touch()
    refuse(tmp_path / name, "is empty")


@pytest.mark.parametrize("name", ["a.tif", "a.h5", "a.npy", "a.zarr"])
def test_other_content(tmp_path, name):
    (tmp_path / name).write_bytes(b"this is no recording" * 50)
    refuse(tmp_path / name, "cannot be read as|is no .npy file")


def test_unknown_suffix(tmp_path):
    (tmp_path / "a.abc").write_bytes(b"x")
    refuse(tmp_path / "a.abc", r"unknown format '.abc'; known are .*.btf, .h5")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"metadata": None},
        {"imagej": True},
        {"ome": True},
        {"bigtiff": True},
        {"truncate": True},
        {"compression": "zlib"},
        {"compression": "zlib", "metadata": None},
        {"compression": "zlib", "ome": True},
        {"tile": (16, 16)},
        {"tile": (16, 16), "metadata": None},
    ],
)
@pytest.mark.parametrize("kept", [0.05, 0.5, 0.9])
def test_truncated_tiff(tmp_path, movie, options, kept):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, movie(shape=(40, 33, 47)), photometric="minisblack", **options)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    refuse(path, "is truncated|cannot be read as TIFF|is damaged")
    path.write_bytes(content[:-100])
    try:
        pixels = open_recording(path)[:]
    except InputError:
        return
    np.testing.assert_array_equal(pixels, movie(shape=(40, 33, 47)))


@pytest.mark.parametrize("options", [{"metadata": None}, {}, {"compression": "zlib"}])
@pytest.mark.parametrize("block", [1, 3])
def test_truncated_tiff_that_was_appended_to(tmp_path, movie, options, block):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for start in range(0, 9, block):
            frames = movie()[start : start + block].squeeze()
            writer.write(frames, photometric="minisblack", **options)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refuse(path, "is truncated|cannot be read as TIFF")


@pytest.mark.parametrize("at", [1, 2, 5, 7])
@pytest.mark.parametrize("part", [np.s_[:, 5:], np.s_[5:]])
@pytest.mark.parametrize("options", [{}, {"metadata": None}, {"compression": "zlib"}])
def test_one_page_that_differs(tmp_path, movie, at, part, options):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for i, frame in enumerate(movie()):
            writer.write(frame[part] if i == at else frame, **options)
    refuse(path, "unequal shapes|differs from page 0 in size or format|incompatible")


@pytest.mark.parametrize("promise", ["images=500", "images=500\nframes=500"])
def test_imagej_promises_more_frames_than_the_file_holds(tmp_path, movie, promise):
    path = tmp_path / "a.tif"
    description = f"ImageJ=1.54f\n{promise}\n"
    tifffile.imwrite(path, movie()[0], metadata=None, description=description)
    refuse(path, "claims 500 frames of 33 x 47 pixels; its .* bytes hold 1")
    tifffile.imwrite(path, movie(), metadata=None, description=description)
    refuse(path, "claims 500 frames of 33 x 47 pixels; its .* bytes hold 9")


def test_tifffile_promises_more_frames_than_the_file_holds(tmp_path, movie):
    path = tmp_path / "a.tif"
    description = '{"shape": [500, 33, 47]}'
    for compression in (None, "zlib"):
        tifffile.imwrite(
            path, movie(), metadata=None, description=description, compression=compression
        )
        refuse(path, "claims 500 frames of 33 x 47 pixels; its .* bytes hold 9")


@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize("tiled", [False, True])
def test_enormous_header(tmp_path, compression, tiled):
    """10^9 x 10^9 pixels in a file of 200 bytes."""
    side = 10**9
    tags = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 16), (259, 3, 1, compression)]
    tags += [(262, 3, 1, 1), (277, 3, 1, 1)]
    if tiled:
        tags += [(322, 4, 1, side - 8), (323, 4, 1, side - 8), (324, 4, 1, 8), (325, 4, 1, 100)]
    else:
        tags += [(273, 4, 1, 8), (278, 4, 1, side), (279, 4, 1, 100)]
    tags.sort()
    content = b"II*\0" + struct.pack("<IH", 8, len(tags))
    content += b"".join(struct.pack("<HHII", *tag) for tag in tags) + struct.pack("<I", 0)
    (tmp_path / "a.tif").write_bytes(content + bytes(64))
    refuse(tmp_path / "a.tif", "1000000000 x 1000000000 pixels")


def test_enormous_npy(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        header = {"descr": "<u2", "fortran_order": False, "shape": (10**9, 10**9, 10**9)}
        np.lib.format.write_array_header_1_0(file, header)
    refuse(tmp_path / "a.npy", "is truncated")


def test_truncated_npy(tmp_path, movie):
    np.save(tmp_path / "a.npy", movie())
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(content[:-1])
    refuse(tmp_path / "a.npy", "is truncated: its header claims shape")


def test_pickled_npy(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}, None], object), allow_pickle=True)
    refuse(tmp_path / "a.npy", "pickled")


def write_all(folder, pixels):
    """The same pixels in every format."""
    np.save(folder / "a.npy", pixels)
    tifffile.imwrite(folder / "a.tif", pixels, photometric="minisblack")
    zarr.create_array(folder / "a.zarr", data=pixels)
    with h5py.File(folder / "a.h5", "w") as file:
        file["x"] = pixels
    return [folder / "a.npy", folder / "a.tif", folder / "a.zarr", f"{folder / 'a.h5'}::/x", pixels]


def test_two_dimensional_image(tmp_path, movie):
    for source in write_all(tmp_path, movie(shape=(20, 30))):
        refuse(source, r"is a single 2-D image \(20 x 30\)")
    tifffile.imwrite(tmp_path / "a.tif", movie(shape=(20, 30)), imagej=True)
    refuse(tmp_path / "a.tif", "is a single 2-D image")
    tifffile.imwrite(tmp_path / "a.tif", movie(shape=(20, 30)), ome=True)
    refuse(tmp_path / "a.tif", "is a single 2-D image")


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex(tmp_path, movie, dtype):
    for source in write_all(tmp_path, movie(dtype)):
        refuse(source, "its pixels are complex")


def test_bool(tmp_path, movie):
    for source in write_all(tmp_path, movie() > 50):
        refuse(source, "its pixels are bool|cannot be read as TIFF")


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colours(tmp_path, planar):
    shape = (6, 20, 30, 3) if planar == "contig" else (6, 3, 20, 30)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros(shape, np.uint8), photometric="rgb", planarconfig=planar)
    refuse(path, "convert it to grey first")


def test_too_many_axes(movie):
    refuse(movie(shape=(2, 2, 2, 2, 4, 5)), "reorder its axes first")
    refuse(movie(shape=(12,)), "a recording is")
    refuse(np.float32(1), "a recording is")


def test_no_pixels():
    refuse(np.zeros((0, 4, 5)), "is empty")
    refuse(np.zeros((4, 0, 5)), "is empty")


def test_no_array():
    refuse([[1, 2], [3, 4]], "a list is no recording")
    refuse(None, "a NoneType is no recording")
    refuse(np.ma.masked_array(np.zeros((2, 3, 4)), mask=True), "masked")
    refuse(np.zeros((2, 3, 4), object), "its pixels are object")


def test_nothing_in_hdf5(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        refused_as = "holds no dataset of three axes"
        file.attrs["a"] = 1
    refuse(tmp_path / "a.h5", refused_as)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["empty"] = h5py.Empty("f4")
        file["words"] = np.array(["a", "b"], dtype="S1").reshape(1, 1, 2)
    refuse(tmp_path / "a.h5", refused_as)
    refuse(f"{tmp_path / 'a.h5'}::/b", r"has no dataset /b; it has /empty")


def test_several_in_hdf5(tmp_path, movie):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw/one"] = movie()
        file["raw/two"] = movie()
    refuse(tmp_path / "a.h5", r"/raw/one \(9, 33, 47\) uint16, /raw/two .*: say which.*::/raw/one")


def test_truncated_hdf5(tmp_path, movie):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = movie()
    content = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(content[: len(content) // 2])
    refuse(tmp_path / "a.h5", "cannot be read as HDF5")


def test_several_in_zarr(tmp_path, movie):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    refuse(tmp_path / "a.zarr", "holds no array of three axes .*; it has none")
    for name in ("one", "two"):
        group.create_array(name, data=movie())
    refuse(tmp_path / "a.zarr", r"one \(9, 33, 47\) uint16.*say which, as in .*a.zarr/(one|two)")
    refuse(tmp_path / "a.zarr" / "three", "cannot be read as Zarr")


def test_folder_without_tiffs(tmp_path):
    (tmp_path / "a.txt").touch()
    refuse(tmp_path, r"is a folder without TIFF files and videos \(1 others\)")
    refuse(tmp_path / "*.tif", "matches no file")
    refuse(tmp_path / "*.txt", "which is none: a glob names")


def test_files_that_differ(tmp_path, movie):
    tifffile.imwrite(tmp_path / "f1.tif", movie()[0])
    for strange in (movie("uint8")[0], movie()[0, 1:]):
        tifffile.imwrite(tmp_path / "f2.tif", strange)
        refuse(tmp_path, r"its files differ: .*f1.tif has .*\(33, 47\) uint16, .*f2.tif")


def test_pages_that_differ(tmp_path, movie):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, movie()[0])
    tifffile.imwrite(path, movie()[0, 1:], append=True)
    refuse(path, r"unequal shapes, dtypes or compressions \(YX = \(33, 47\) uint16, YX = \(32")


def test_needless_choice(movie):
    refuse(movie(), "leave --plane out", plane=2)
    refuse(movie(), "leave --channel out", channel=1)
    assert open_recording(movie(), channel=0, plane=0).shape == (9, 33, 47)


def test_path_inside_a_tiff(tmp_path, movie):
    tifffile.imwrite(tmp_path / "a.tif", movie())
    refuse(f"{tmp_path / 'a.tif'}::/x", "only Zarr, .* files have a path inside")


def test_damaged_page_is_named(tmp_path, movie):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, movie(), compression="zlib")
    with tifffile.TiffFile(path) as tif:
        page = tif.pages[4]
        offset, count = page.dataoffsets[0], page.databytecounts[0]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * count)
    recording = open_recording(path)
    np.testing.assert_array_equal(recording.read(0, 4), movie()[:4])
    with pytest.raises(InputError, match=r"a.tif: frame 4 cannot be decoded"):
        recording.read(2, 7)


def test_damaged_chunk_is_named(tmp_path, movie):
    compressor = zarr.codecs.ZstdCodec()
    zarr.create_array(tmp_path / "a.zarr", data=movie(), chunks=(3, 33, 47), compressors=compressor)
    (tmp_path / "a.zarr" / "c" / "1" / "0" / "0").write_bytes(b"\xff" * 50)
    recording = open_recording(tmp_path / "a.zarr")
    np.testing.assert_array_equal(recording.read(0, 3), movie()[:3])
    with pytest.raises(InputError, match=r"a.zarr: frames 2:5 cannot be read"):
        recording.read(2, 5)


def test_file_that_shrinks_after_opening(tmp_path, movie):
    np.save(tmp_path / "a.npy", movie())
    recording = open_recording(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", movie()[:2])
    with pytest.raises(InputError, match="was it changed meanwhile"):
        recording.read(7, 9)
    (tmp_path / "a.npy").unlink()
    with pytest.raises(InputError, match="has gone"):
        recording.read(0, 1)


@pytest.mark.parametrize("seed", range(60))
def test_any_damage_to_a_tiff_is_refused_or_read(tmp_path, movie, seed):
    """Bytes changed anywhere: an InputError or pixels, never another exception."""
    rng = np.random.default_rng(seed)
    path = tmp_path / "a.tif"
    options = [{}, {"compression": "zlib"}, {"imagej": True}, {"ome": True}, {"tile": (16, 16)}]
    tifffile.imwrite(path, movie(shape=(5, 20, 20)), **options[seed % 5])
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tif:
        heads = [page.offset for page in tif.pages]
    for _ in range(4):
        place = int(rng.choice(heads) + rng.integers(0, 150))
        content[place % len(content)] = int(rng.integers(256))
    path.write_bytes(content)
    try:
        recording = open_recording(path)
        assert recording.read(0, len(recording)).shape == recording.shape
    except InputError:
        pass
