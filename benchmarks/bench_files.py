"""File to file: fusion against reading both files and writing one with the same library.

python benchmarks/bench_files.py [frames] [size]
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import tifffile
import zarr
from recording import make_pair
from timing import table

from freq2clean import fuse

ROUNDS = 7
CASES = (("new", ("fft", "dct", "wiener", "subspace")), ("replaced", ("fft",)))


def flush(path: Path) -> None:
    """Wait until a file, or a folder with all in it, is on the disk, as `fuse` does."""
    for one in [path, *path.rglob("*")]:
        descriptor = os.open(one, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


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


COPIES = {"tif": copy_tiff, "zarr": copy_zarr}


def jobs(
    folder: Path, suffix: str, methods: tuple[str, ...]
) -> dict[str, tuple[Path, Callable[[], object]]]:
    """What is timed: the file that each job writes, and the job."""
    copy, fused = (folder / f"{name}.{suffix}" for name in ("copy", "fused"))
    pair = folder / f"raw.{suffix}", folder / f"denoised.{suffix}"

    def library() -> None:
        COPIES[suffix](folder)
        flush(copy)

    def fusion(method: str) -> Callable[[], object]:
        return lambda: fuse(*pair, out=fused, method=method)

    return {
        "library": (copy, library),
        **{method: (fused, fusion(method)) for method in methods},
    }


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def time_jobs(
    folder: Path, suffix: str, methods: tuple[str, ...], *, replace: bool
) -> dict[str, list[float]]:
    """Seconds of every job, in rounds of one each, after a round that does not count."""
    seconds: dict[str, list[float]] = {}
    for _ in range(1 + ROUNDS):
        for what, (target, job) in jobs(folder, suffix, methods).items():
            if not replace:
                remove(target)
            began = time.perf_counter()
            job()
            seconds.setdefault(what, []).append(time.perf_counter() - began)
    return {what: values[1:] for what, values in seconds.items()}


def main(n_frames: int, size: int) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label, values in zip(("raw", "denoised"), make_pair(n_frames, size), strict=True):
            tifffile.imwrite(folder / f"{label}.tif", values)
            create_zarr(folder / f"{label}.zarr", values)
        for suffix in COPIES:
            for target, methods in CASES:
                seconds = time_jobs(folder, suffix, methods, replace=target == "replaced")
                for what, values in seconds.items():
                    ratios = [a / b for a, b in zip(values, seconds["library"], strict=True)]
                    median, ratio = statistics.median(values), statistics.median(ratios)
                    rows.append((suffix, target, what, f"{median:.2f}", f"{ratio:.2f}"))
    print(f"## File to file, {n_frames} x {size} x {size}, uncompressed\n")
    print(
        "`library` reads both files and writes one with tifffile or zarr alone. All wait until "
        "their output is\non the disk; `fuse` also verifies it, and keeps what stood under its "
        f"name until then. Medians of {ROUNDS}\nrounds, and of the ratios within a round; files in "
        "the page cache.\n"
    )
    print(table(("format", "target", "what", "seconds", "x library"), rows))


if __name__ == "__main__":
    sizes = [int(argument) for argument in sys.argv[1:]]
    main(*(sizes + [500, 512][len(sizes) :]))
