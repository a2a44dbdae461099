"""Targets that are refused before any work, and disks that are full."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from freq2clean.errors import OutputError
from freq2clean.recordings import check_target, create, open_recording


def refuse(target, match, **options):
    with pytest.raises(OutputError, match=match):
        check_target(target, **options)
    with (
        pytest.raises(OutputError, match=match),
        create(target, (2, 4, 5), "uint16", **options),
    ):
        pytest.fail("a refused target was opened")


@pytest.mark.parametrize("name", ["a.abc", "a", "a.zarr/x", "a.tif.gz"])
def test_unknown_format(tmp_path, name):
    refuse(tmp_path / name, "unknown format|targets have no path inside")


def test_known_formats_are_listed(tmp_path):
    refuse(
        tmp_path / "a.abc",
        r"known are .tif, .tiff, .zarr, .ome.zarr, .h5, .hdf5, .npy, .*.bin, .avi",
    )


def test_missing_folder(tmp_path):
    refuse(tmp_path / "no" / "a.tif", "there is no folder .*no; make it first")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "compression", "match"),
    [
        ("a.npy", "zstd", "knows no compression"),
        ("a.h5", "zstd", ".h5 knows deflate"),
        ("a.tif", "jpeg", ".tif knows deflate or zstd"),
    ],
)
def test_unknown_compression(tmp_path, name, compression, match):
    refuse(tmp_path / name, match, compression=compression)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no folder that nobody can write to")
def test_folder_that_cannot_be_written():
    refuse("/proc/self/a.tif", "cannot write into its folder")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_protected_folder_and_file(tmp_path):
    (tmp_path / "a.tif").touch(0o444)
    refuse(tmp_path / "a.tif", "is write-protected")
    tmp_path.chmod(0o555)
    refuse(tmp_path / "b.tif", "cannot write into its folder")
    tmp_path.chmod(0o755)


@pytest.mark.parametrize("name", ["a.tif", "a.h5", "a.npy", "a.zarr"])
def test_folder_as_target(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "keep").touch()
    refuse(tmp_path / name, "is a folder|is no single Zarr array")
    assert (tmp_path / name / "keep").exists()


def test_zarr_group_is_not_replaced(tmp_path):
    zarr.open_group(tmp_path / "a.zarr", mode="w").create_array("x", data=np.zeros((2, 4, 5)))
    refuse(tmp_path / "a.zarr", "is no single Zarr array")


def test_hdf5_with_more_in_it_is_not_replaced(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"] = np.zeros((2, 4, 5))
    refuse(tmp_path / "a.h5", "also holds /raw, and files are replaced as a whole")
    check_target(f"{tmp_path / 'a.h5'}::/raw")


def sources(folder, pixels):
    np.save(folder / "a.npy", pixels)
    tifffile.imwrite(folder / "a.tif", pixels)
    zarr.create_array(folder / "a.zarr", data=pixels)
    with h5py.File(folder / "a.h5", "w") as file:
        file["x"] = pixels
    return ["a.npy", "a.tif", "a.zarr", "a.h5"]


def test_target_that_is_an_input(tmp_path, movie, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in sources(tmp_path, movie()):
        target = tmp_path / name
        (tmp_path / f"link-{name}").symlink_to(target)
        same = [name, f"sub/../{name}", str(target), target, f"link-{name}"]
        if target.is_file():
            (tmp_path / f"hard-{name}").hardlink_to(target)
            same.append(f"hard-{name}")
        for one in same:
            refuse(target, "is one of the inputs", inputs=["other.tif", one])
            refuse(one, "is one of the inputs", inputs=[target])
            with open_recording(one) as recording:
                refuse(target, "is one of the inputs", inputs=[recording])


def test_target_that_holds_an_input(tmp_path, movie):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group.create_array("x", data=movie())
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = movie()
    for target, source in (("a.zarr", "a.zarr/x"), ("a.h5::/y", "a.h5"), ("a.h5::/y", "a.h5::/x")):
        refuse(tmp_path / target, "is one of the inputs", inputs=[str(tmp_path / source)])


def test_target_inside_an_input(tmp_path, movie):
    folder = tmp_path / "raw"
    folder.mkdir()
    for i, frame in enumerate(movie()):
        tifffile.imwrite(folder / f"{i}.tif", frame)
    for source in (folder, open_recording(folder)):
        refuse(folder / "fused.tif", "lies inside the input", inputs=[source])
        check_target(tmp_path / "fused.tif", inputs=[source])
    pattern = str(folder / "*.tif")
    for source in (pattern, open_recording(pattern)):
        refuse(folder / "0.tif", "is one of the inputs", inputs=[source])


def test_arrays_are_no_target(tmp_path, movie):
    np.save(tmp_path / "a.npy", movie())
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    refuse(tmp_path / "a.npy", "is one of the inputs", inputs=[mapped])
    check_target(tmp_path / "b.npy", inputs=[mapped, movie()])


def test_too_little_space(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**12, 10**12, 10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with (
        pytest.raises(OutputError, match=r"it needs 1.00 GB, and .* has 0.00 GB free"),
        create(tmp_path / "a.tif", (1000, 1000, 500), "uint16"),
    ):
        pytest.fail("a full disk was written to")
    assert not list(tmp_path.iterdir())


def test_enormous_recording_is_refused_at_once(tmp_path):
    for name in ("a.tif", "a.zarr", "a.h5", "a.npy"):
        with (
            pytest.raises(OutputError, match="it needs"),
            create(tmp_path / name, (10**6, 10**6, 10**6), "float32"),
        ):
            pytest.fail("a full disk was written to")


_FILL = """
import resource, signal, sys
import numpy as np
from freq2clean.errors import OutputError
from freq2clean.recordings import create
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
pixels = np.random.default_rng(0).integers(0, 60000, (400, 64, 64), dtype="uint16")
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
try:
    with create(sys.argv[1], pixels.shape, pixels.dtype, compression=sys.argv[2] or None) as writer:
        for start in range(0, 400, 20):
            writer.append(pixels[start : start + 20])
except OutputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on the size of a file")
@pytest.mark.parametrize("existing", [False, True])
def test_disk_that_fills_up(target, existing, movie, tmp_path):
    """A limit on the size of a file fails where a full disk does, for every format."""
    path, compression = target
    if existing:
        with create(path, movie().shape, "uint16", compression=compression) as writer:
            writer.append(movie())
    before = set(tmp_path.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", _FILL, path, compression or ""],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout == f"{path} could not be written: File too large\n"
    assert set(tmp_path.iterdir()) == before
    if existing:
        with open_recording(path) as recording:
            np.testing.assert_array_equal(recording[:], movie())
