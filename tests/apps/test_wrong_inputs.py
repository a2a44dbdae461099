"""Every wrong input ends with exit code 2, one message, and nothing written."""

from __future__ import annotations

import os
import resource
import signal
import struct
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

RNG = np.random.default_rng(0)


def movie(*shape: int, dtype: str = "uint16") -> np.ndarray:
    return RNG.integers(1, 200, shape).astype(dtype)


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Every path below a folder with its size and time of change."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found[str(path)] = (status.st_size, 0 if path.is_dir() else status.st_mtime_ns)
    return found


def assert_refused(done: subprocess.CompletedProcess[str], *says: str) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error:") == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1, done.stderr
    for text in says:
        assert text.lower() in done.stderr.lower()


def assert_bad_usage(done: subprocess.CompletedProcess[str], *says: str) -> None:
    """What the parser of the command line itself refuses."""
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("Usage: freq2clean")
    assert done.stderr.count("Error") == 1
    for text in says:
        assert text in done.stderr


# Each writes a bad recording into a folder and returns its path.
def missing(folder: Path) -> Path:
    return folder / "absent.tif"


def truncated_tiff(folder: Path) -> Path:
    path = folder / "truncated.tif"
    tifffile.imwrite(path, movie(40, 24, 28), photometric="minisblack")
    os.truncate(path, path.stat().st_size * 2 // 3)
    return path


def truncated_paged_tiff(folder: Path) -> Path:
    path = folder / "paged.tif"
    tifffile.imwrite(path, movie(40, 24, 28), photometric="minisblack", compression="zlib")
    os.truncate(path, path.stat().st_size * 2 // 3)
    return path


def too_many_frames(folder: Path) -> Path:
    path = folder / "many.tif"
    tifffile.imwrite(path, movie(40, 24, 28), imagej=True, metadata={"axes": "TYX"})
    data = path.read_bytes()
    assert data.count(b"=40") == 2
    path.write_bytes(data.replace(b"images=40", b"images=99").replace(b"frames=40", b"frames=99"))
    return path


def gigantic_pixels(folder: Path) -> Path:
    path = folder / "gigantic.tif"
    tifffile.imwrite(path, movie(1, 24, 28), photometric="minisblack", metadata=None)
    for tag in ("ImageWidth", "ImageLength"):
        with tifffile.TiffFile(path) as tif:
            entry = tif.pages[0].tags[tag]
            offset, order = entry.offset, tif.byteorder
        with path.open("r+b") as file:
            file.seek(offset + 2)
            file.write(struct.pack(f"{order}HII", 4, 1, 10**9))
    return path


def garbage_tiff(folder: Path) -> Path:
    path = folder / "garbage.tif"
    path.write_bytes(b"II*\0" + bytes(RNG.integers(0, 256, 5000, dtype=np.uint8)))
    return path


def other_frame_size(folder: Path) -> Path:
    path = folder / "other.tif"
    tifffile.imwrite(path, movie(40, 24, 30), photometric="minisblack")
    return path


def longer(folder: Path) -> Path:
    path = folder / "longer.tif"
    tifffile.imwrite(path, movie(44, 24, 28), photometric="minisblack")
    return path


def shorter(folder: Path) -> Path:
    path = folder / "shorter.tif"
    tifffile.imwrite(path, movie(36, 24, 28), photometric="minisblack")
    return path


def flat_image(folder: Path) -> Path:
    path = folder / "flat.tif"
    tifffile.imwrite(path, movie(24, 28))
    return path


def rgb(folder: Path) -> Path:
    path = folder / "rgb.tif"
    tifffile.imwrite(path, movie(40, 24, 28, 3, dtype="uint8"), photometric="rgb")
    return path


def complex_npy(folder: Path) -> Path:
    path = folder / "complex.npy"
    np.save(path, movie(40, 24, 28).astype(np.complex64))
    return path


def pickled_npy(folder: Path) -> Path:
    path = folder / "pickled.npy"
    np.save(path, np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
    return path


def truncated_npy(folder: Path) -> Path:
    path = folder / "truncated.npy"
    np.save(path, movie(40, 24, 28))
    os.truncate(path, path.stat().st_size // 2)
    return path


def empty_hdf5(folder: Path) -> Path:
    path = folder / "empty.h5"
    h5py.File(path, "w").close()
    return path


def damaged_hdf5(folder: Path) -> Path:
    path = folder / "damaged.h5"
    with h5py.File(path, "w") as file:
        file["movie"] = movie(40, 24, 28)
    os.truncate(path, path.stat().st_size // 2)
    return path


def hdf5_of_two(folder: Path) -> Path:
    path = folder / "two.h5"
    with h5py.File(path, "w") as file:
        file["a"], file["b"] = movie(40, 24, 28), movie(40, 24, 28)
    return path


def zero_bytes(folder: Path) -> Path:
    path = folder / "zero.tif"
    path.touch()
    return path


def unknown_format(folder: Path) -> Path:
    path = folder / "movie.avi"
    path.write_bytes(b"RIFF")
    return path


def folder_without_tiffs(folder: Path) -> Path:
    path = folder / "notes"
    path.mkdir()
    (path / "notes.txt").write_text("no movie")
    return path


def damaged_zarr(folder: Path) -> Path:
    path = folder / "damaged.zarr"
    path.mkdir()
    (path / "zarr.json").write_text("{")
    return path


BAD_RECORDINGS = {
    missing: "does not exist",
    truncated_tiff: "truncated",
    truncated_paged_tiff: "truncated",
    too_many_frames: "99 frames",
    gigantic_pixels: "1000000000 x 1000000000",
    garbage_tiff: "garbage.tif",
    other_frame_size: "24 x 30",
    flat_image: "2-D",
    rgb: "grey",
    complex_npy: "complex64",
    pickled_npy: "pickled",
    truncated_npy: "truncated",
    empty_hdf5: "no dataset",
    damaged_hdf5: "HDF5",
    hdf5_of_two: "::/a",
    zero_bytes: "empty",
    unknown_format: ".avi",
    folder_without_tiffs: "without TIFF",
    damaged_zarr: "Zarr",
}


@pytest.mark.parametrize("make", BAD_RECORDINGS, ids=lambda make: make.__name__)
def test_a_bad_recording_is_refused(make, freq2clean, pair):
    bad = make(pair)
    before = snapshot(pair)
    done = freq2clean("fuse", "raw.tif", bad, "-o", "fused.tif", cwd=pair)
    assert_refused(done, BAD_RECORDINGS[make])
    assert snapshot(pair) == before


@pytest.mark.parametrize("make", [missing, truncated_tiff, rgb, pickled_npy, folder_without_tiffs])
@pytest.mark.parametrize("words", ["fuse {} denoised.tif -o o.tif", "inspect {}",
                                   "evaluate {} raw.tif --data-range 100",
                                   "denoise {} -o o.tif", "run {} -o o.tif",
                                   "train {} -o m.pth"])  # fmt: skip
def test_every_command_refuses_a_bad_raw_recording(make, words, freq2clean_here, pair):
    bad = make(pair)
    before = snapshot(pair)
    done = freq2clean_here(*(bad if word == "{}" else word for word in words.split()), cwd=pair)
    assert_refused(done, BAD_RECORDINGS[make])
    assert snapshot(pair) == before


def test_fewer_frames_are_refused_with_both_lengths_and_the_way_out(freq2clean, pair):
    shorter(pair)
    before = snapshot(pair)
    done = freq2clean("fuse", "raw.tif", "shorter.tif", "-o", "fused.tif", cwd=pair)
    assert_refused(done, "40", "36", "--align start, end or center")
    assert snapshot(pair) == before


def test_more_frames_than_the_raw_recording_are_refused(freq2clean, pair):
    longer(pair)
    before = snapshot(pair)
    done = freq2clean("fuse", "raw.tif", "longer.tif", "-o", "o.tif", "--align", "end", cwd=pair)
    assert_refused(done, "44", "40", "swapped")
    assert snapshot(pair) == before


def test_swapped_arguments_are_refused(freq2clean, pair):
    before = snapshot(pair)
    done = freq2clean("fuse", "denoised.tif", "raw.tif", "-o", "fused.tif", cwd=pair)
    assert_refused(done, "swapped", "--no-rescale")
    assert snapshot(pair) == before


BAD_TARGETS = {
    "raw.tif": "one of the inputs",
    "./sub/../denoised.tif": "one of the inputs",
    "link.tif": "one of the inputs",
    "fused.mpg": ".mpg",
    "fused": "unknown format",
    "absent/fused.tif": "no folder",
    "raw.tif/fused.tif": "no folder",
    "/proc/fused.tif": "cannot write",
    "sub": "unknown format",
    "folder.tif": "folder",
    "fused.tif::/inside": "have no path inside",
    "mine.h5": "also holds",
}


@pytest.mark.parametrize("target", BAD_TARGETS)
def test_a_bad_target_is_refused(target, freq2clean_here, pair):
    (pair / "sub").mkdir()
    (pair / "folder.tif").mkdir()
    (pair / "link.tif").symlink_to("raw.tif")
    with h5py.File(pair / "mine.h5", "w") as file:
        file["results"] = np.arange(3)
    before = snapshot(pair)
    done = freq2clean_here("fuse", "raw.tif", "denoised.tif", "-o", target, cwd=pair)
    assert_refused(done, BAD_TARGETS[target])
    assert snapshot(pair) == before


BAD_OPTIONS = {
    "--alpha 1.5 --method fft": "0 to 1",
    "--alpha -0.1 --method fft": "0 to 1",
    "--alpha nan --method fft": "0 to 1",
    "--alpha much --method fft": "alpha = 'much'",
    "--alpha 0.85": "auto has no option alpha",
    "--matching histogram": "no option matching",
    "--bins 3 --method fft": "no option n_bins",
    "--raw-average 10 --method fft": "no option raw_average",
    "--raw-mean window --method dct": "no option raw_mean",
    "--pixel-size-um 0.5": "no option pixel_size_um",
    "--window 0": "window = 0",
    "--overlap 1": "0.9",
    "--bins 0": "n_bins = 0",
    "--memory lots": "500MB",
    "--memory 1MB": "100MB",
    "--memory -1GB": "500MB",
    "--dtype uint3": "uint3",
    "--dtype complex64": "complex64",
    "--compression zstd -o fused.h5": "deflate",
    "--compression deflate -o fused.npy": "no compression",
    "--channel 1": "channel 1",
    "--plane 2": "plane 2",
}


@pytest.mark.parametrize("options", BAD_OPTIONS)
def test_a_bad_option_is_refused(options, freq2clean_here, pair):
    before = snapshot(pair)
    words = options.split()
    target = [] if "-o" in words else ["-o", "fused.tif"]
    done = freq2clean_here("fuse", "raw.tif", "denoised.tif", *target, *words, cwd=pair)
    assert_refused(done, BAD_OPTIONS[options])
    assert snapshot(pair) == before


BAD_WORDS = {
    "fuse raw.tif denoised.tif -o o.tif --method magic": "magic",
    "fuse raw.tif denoised.tif -o o.tif --align left": "left",
    "fuse raw.tif denoised.tif -o o.tif --window many": "--window",
    "fuse raw.tif denoised.tif -o o.tif --compression rar": "rar",
    "fuse raw.tif denoised.tif -o o.tif --sharpen": "--sharpen",
    "fuse raw.tif denoised.tif": "--output",
    "fuse raw.tif": "denoised",
    "evaluate raw.tif denoised.tif": "--data-range",
    "denoise raw.tif -o o.tif --model magic": "magic",
    "simulate out --frames 0": "--frames",
    "mend raw.tif": "mend",
}


@pytest.mark.parametrize("words", BAD_WORDS)
def test_bad_usage_is_refused(words, freq2clean_here, pair):
    before = snapshot(pair)
    assert_bad_usage(freq2clean_here(*words.split(), cwd=pair), BAD_WORDS[words])
    assert snapshot(pair) == before


BAD_EVALUATIONS = {
    "--data-range 0": "data_range",
    "--data-range -5": "data_range",
    "--data-range nan": "data_range",
    "--data-range q101": "q101",
    "--data-range wide": "wide",
    "--data-range 100 --normalisation mine": "mine",
    "--data-range q99.9 --normalisation none": "data_range",
    "--data-range 100 --stride 0": "stride",
    "--data-range 100 --masks absent.tif": "absent.tif",
    "--data-range 100 --masks absent.npy": "absent.npy",
    "--data-range 100 --masks small.tif": "masks",
    "--data-range 100 --masks pickled.npy": "pickled.npy",
}


@pytest.mark.parametrize("options", BAD_EVALUATIONS)
def test_a_bad_evaluation_is_refused(options, freq2clean_here, pair):
    tifffile.imwrite(pair / "small.tif", np.ones((5, 5), np.uint8))
    pickled_npy(pair)
    done = freq2clean_here("evaluate", "raw.tif", "denoised.tif", *options.split(), cwd=pair)
    assert_refused(done, BAD_EVALUATIONS[options])


@pytest.mark.parametrize(
    "options", ["--snr-db nan", "--gain 0", "--bleaching 2", "--bleed 2", "--read-noise -1"]
)
def test_a_bad_simulation_is_refused_and_makes_no_folder(options, freq2clean_here, tmp_path):
    words = [tmp_path / "out", "--frames", 20, "--height", 32, "--width", 32, *options.split()]
    assert_refused(freq2clean_here("simulate", *words))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", ["simulate raw.tif --frames 5", "demo raw.tif"])
def test_a_file_where_a_folder_is_wanted_is_refused(words, freq2clean_here, pair):
    before = snapshot(pair)
    assert_refused(freq2clean_here(*words.split(), cwd=pair), "raw.tif")
    assert snapshot(pair) == before


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 200 kB, mounted for one test."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a small file system needs rights that this user lacks")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


TARGETS = ["fused.tif", "fused.zarr", "fused.h5", "fused.npy"]
COMPRESSED = [
    pytest.param(target, marks=pytest.mark.slow)
    for target in (
        "fused.tif --compression zstd",
        "fused.zarr --compression zstd",
        "fused.h5 --compression deflate",
    )
]


@pytest.fixture
def large_pair(tmp_path: Path, make_pair) -> Path:
    """A pair whose fused recording takes a megabyte, and does not compress."""
    for name, frames in zip(("raw", "denoised"), make_pair((100, 48, 56)), strict=True):
        tifffile.imwrite(tmp_path / f"{name}.tif", frames, photometric="minisblack")
    return tmp_path


@pytest.mark.parametrize("target", TARGETS + COMPRESSED)
def test_a_full_disk_leaves_nothing(target, freq2clean, large_pair, small_disk):
    name, *options = target.split()
    words = ["raw.tif", "denoised.tif", "-o", small_disk / name, *options]
    assert_refused(freq2clean("fuse", *words, cwd=large_pair), name)
    assert list(small_disk.iterdir()) == []


def test_a_read_only_disk_is_refused(freq2clean, pair, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    words = ["raw.tif", "denoised.tif", "-o", small_disk / "fused.tif"]
    assert_refused(freq2clean("fuse", *words, cwd=pair), "read-only")


@pytest.mark.parametrize("target", TARGETS + COMPRESSED)
def test_a_disk_that_fills_up_meanwhile_leaves_nothing(target, freq2clean, large_pair):
    """A limit on the size of files stands for the disk: nothing foretells it."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    name, *options = target.split()
    before = snapshot(large_pair)
    words = ["raw.tif", "denoised.tif", "-o", name, *options]
    done = freq2clean("fuse", *words, cwd=large_pair, preexec_fn=limit)
    assert_refused(done, name)
    assert snapshot(large_pair) == before


def test_a_full_disk_leaves_the_old_target_alone(freq2clean, pair, small_disk):
    target = small_disk / "fused.npy"
    np.save(target, movie(2, 24, 28))
    before = target.read_bytes()
    for frames in ("raw", "denoised"):
        old = tifffile.imread(pair / f"{frames}.tif")
        tifffile.imwrite(pair / f"{frames}.tif", np.tile(old, (3, 1, 1)), photometric="minisblack")
    words = ["raw.tif", "denoised.tif", "-o", target]
    assert_refused(freq2clean("fuse", *words, cwd=pair), "fused.npy")
    assert target.read_bytes() == before
    assert list(small_disk.iterdir()) == [target]
