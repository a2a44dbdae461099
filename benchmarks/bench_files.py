"""File to file: fusion against reading both files and writing one with the same library.

python benchmarks/bench_files.py [frames] [size]
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import tifffile
import zarr
from recording import make_pair
from timing import table

from freq2clean import fuse

ROUNDS = 3
FLUSHED = "library, flushed to disk"


def flush(path: Path) -> None:
    """Wait until a file or a folder of files is on the disk, as `fuse` does."""
    for file in [path] if path.is_file() else filter(Path.is_file, path.rglob("*")):
        with file.open("rb") as opened:
            os.fsync(opened.fileno())


def copy_tiff(folder: Path) -> None:
    """Read both and write one, whole, as the library does it best."""
    tifffile.imread(folder / "raw.tif")
    tifffile.imwrite(folder / "copy.tif", tifffile.imread(folder / "denoised.tif"))


def copy_zarr(folder: Path) -> None:
    """The same with Zarr."""
    zarr.open_array(folder / "raw.zarr", mode="r")[:]
    denoised = zarr.open_array(folder / "denoised.zarr", mode="r")
    create_zarr(folder / "copy.zarr", denoised[:])


def create_zarr(path: Path, values) -> None:
    """Uncompressed, 16 frames to a chunk."""
    target = zarr.create_array(
        path,
        shape=values.shape,
        chunks=(16, *values.shape[1:]),
        dtype=values.dtype,
        compressors=None,
        overwrite=True,
    )
    target[:] = values


def main(n_frames: int, size: int) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label, values in zip(("raw", "denoised"), make_pair(n_frames, size), strict=True):
            tifffile.imwrite(folder / f"{label}.tif", values)
            create_zarr(folder / f"{label}.zarr", values)
        for suffix, copy in (("tif", copy_tiff), ("zarr", copy_zarr)):
            seconds: dict[str, list[float]] = {}
            for _ in range(ROUNDS):
                began = time.perf_counter()
                copy(folder)
                seconds.setdefault("library", []).append(time.perf_counter() - began)
                flush(folder / f"copy.{suffix}")
                seconds.setdefault(FLUSHED, []).append(time.perf_counter() - began)
                for method in ("fft", "dct", "wiener"):
                    result = fuse(
                        folder / f"raw.{suffix}",
                        folder / f"denoised.{suffix}",
                        out=folder / f"fused.{suffix}",
                        method=method,
                    )
                    seconds.setdefault(method, []).append(result.seconds)
            medians = {what: statistics.median(values) for what, values in seconds.items()}
            rows += [
                (
                    suffix,
                    what,
                    f"{value:.2f}",
                    f"{value / medians['library']:.2f}",
                    f"{value / medians[FLUSHED]:.2f}",
                )
                for what, value in medians.items()
            ]
    print(f"## File to file, {n_frames} x {size} x {size}, uncompressed\n")
    print(
        "`library` reads both files and writes one with tifffile or zarr alone; `fuse` also waits "
        f"until its output is on the disk, and verifies it. Medians of {ROUNDS} rounds, files in "
        "the page cache.\n"
    )
    print(table(("format", "what", "seconds", "x library", "x library, flushed"), rows))


if __name__ == "__main__":
    sizes = [int(argument) for argument in sys.argv[1:]]
    main(*(sizes + [1500, 512][len(sizes) :]))
