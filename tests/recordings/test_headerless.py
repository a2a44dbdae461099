"""Files that do not say their shape in a header: Suite2p's binary and CaImAn's memory maps."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from freq2clean.errors import InputError, OutputError
from freq2clean.recordings import check_target, create, open_recording
from freq2clean.recordings.suite2p import int16_frames


def refuse(source, match, **options):
    with pytest.raises(InputError, match=match):
        open_recording(source, **options)


@pytest.fixture
def binary(tmp_path, movie):
    movie("int16").tofile(tmp_path / "data.bin")
    return tmp_path / "data.bin"


def test_shape_of_a_binary_in_every_spelling(binary, movie):
    sources = [f"{binary}::33,47", f"{binary}::33x47", f"{binary}:: 33 , 47"]
    for recording in (*map(open_recording, sources), open_recording(binary, shape=(33, 47))):
        np.testing.assert_array_equal(recording[:], movie("int16"))


def test_binary_that_nobody_knows_the_shape_of(binary, tmp_path, movie):
    refuse(binary, r"no ops.npy, db.npy, settings.npy beside it tells .*data.bin::512,796")
    refuse(f"{binary}::33", "give rows and columns")
    refuse(f"{binary}::0,47", "give rows and columns")
    refuse(f"{binary}::33,48", "no whole number of frames of 33 x 48 int16")
    np.save(tmp_path / "a.npy", movie())
    refuse(tmp_path / "a.npy", "says its shape itself", shape=(33, 47))


@pytest.mark.parametrize("protocol", range(6))
def test_shape_from_a_pickle_that_is_not_loaded(binary, tmp_path, movie, protocol, monkeypatch):
    """The settings hold a trap that goes off when they are loaded."""

    class Trap:
        def __reduce__(self):
            return pytest.fail, ("a pickle was loaded",)

    ops = {"save_path": "a", "fs": 15.5, "nframes": 9, "trap": Trap(), "Lx": 47, "Ly": 33}
    with (tmp_path / "ops.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|O", "fortran_order": False, "shape": ()}
        )
        pickle.dump(np.array(ops), file, protocol=protocol)
    with open_recording(binary) as recording:
        np.testing.assert_array_equal(recording[:], movie("int16"))
        assert recording.metadata.frame_rate_hz == 15.5


def test_settings_of_suite2p_1(binary, tmp_path, movie):
    np.save(tmp_path / "db.npy", np.array({"Ly": 33, "Lx": 47, "nframes": 9}))
    np.save(tmp_path / "settings.npy", np.array({"fs": 7.5, "tau": 1.0}))
    with open_recording(binary) as recording:
        assert recording.shape == (9, 33, 47)
        assert recording.metadata.frame_rate_hz == 7.5


@pytest.mark.parametrize("content", [b"", b"no numpy", b"\x93NUMPY\x01\x00\xff\xff"])
def test_damaged_settings(binary, tmp_path, content):
    (tmp_path / "ops.npy").write_bytes(content)
    refuse(binary, "beside it tells its shape")


def test_written_as_suite2p_does(tmp_path):
    """uint16 halved, other integers as they are; no other dtypes."""
    values = np.array([0, 1, 7, 4095, 65535], np.uint16).reshape(1, 1, 5)
    with create(tmp_path / "data.bin", values.shape, "uint16") as writer:
        writer.append(values)
    with open_recording(tmp_path / "data.bin", shape=(1, 5)) as recording:
        assert recording[:].ravel().tolist() == [0, 0, 3, 2047, 32767]
    assert int16_frames(np.array([-5, 5], np.int8)).tolist() == [-5, 5]
    check_target(f"{tmp_path / 'data.bin'}::1,5")
    with (
        pytest.raises(OutputError, match="holds int16, uint16, uint8, int8, and no float32"),
        create(tmp_path / "b.bin", (1, 1, 5), "float32"),
    ):
        pytest.fail("a float was written")
    with (
        pytest.raises(OutputError, match="frames of 1,5 pixels are no 2,2"),
        create(f"{tmp_path / 'b.bin'}::2,2", (1, 1, 5), "int16"),
    ):
        pytest.fail("a wrong shape was written")


def caiman(folder, volumes, order, *, end=".mmap"):
    """Write volumes (T, Z, Y, X) as CaImAn does: x slower than y, z slower than x."""
    n_frames, depth, height, width = volumes.shape
    columns = volumes.transpose(0, 2, 3, 1).reshape(n_frames, -1, order="F").T
    name = f"a_d1_{height}_d2_{width}_d3_{depth}_order_{order}_frames_{n_frames}{end}"
    (folder / name).write_bytes(columns.astype("<f4").tobytes(order))
    return folder / name


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("end", [".mmap", "_.mmap", "_remove_2.mmap"])
def test_memory_map_of_volumes(tmp_path, movie, order, end):
    volumes = movie("float32", (11, 3, 5, 7))
    path = caiman(tmp_path, volumes, order, end=end)
    with open_recording(path, plane=2) as recording:
        for start, stop in ((0, 11), (3, 4), (5, 9)):
            np.testing.assert_array_equal(recording.read(start, stop), volumes[start:stop, 2])
    refuse(path, r"give --plane 0\.\.2")


def test_memory_map_is_read_in_parts(tmp_path, movie, monkeypatch):
    """Never more of it is mapped at a time than is allowed, or one trace."""
    from freq2clean.recordings import caiman as module

    mapped = []
    map_bytes = module.map_bytes
    monkeypatch.setattr(module, "_MAPPED_BYTES", 400)
    monkeypatch.setattr(
        module, "map_bytes", lambda path, a, b: mapped.append(b - a) or map_bytes(path, a, b)
    )
    volumes = movie("float32", (30, 1, 9, 8))
    with open_recording(caiman(tmp_path, volumes, "C")) as recording:
        np.testing.assert_array_equal(recording.read(4, 21), volumes[4:21, 0])
    assert max(mapped) == 360
    assert sum(mapped) == volumes.nbytes


def test_memory_map_that_does_not_fit_its_name(tmp_path, movie):
    path = caiman(tmp_path, movie("float32", (4, 1, 5, 7)), "C")
    path.write_bytes(path.read_bytes()[:-1])
    refuse(path, r"has 559 bytes; by its name, 4 frames of 5 x 7 x 1 pixels, it should have 560")
    path.rename(tmp_path / "renamed.mmap")
    refuse(tmp_path / "renamed.mmap", "give it its name back")
