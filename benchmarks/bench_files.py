"""File to file: fusion against reading both files and writing one, byte for byte.

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
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import tifffile
import zarr
from recording import make_pair
from timing import table

from freq2clean import fuse

ROUNDS = 7
BLOCK_BYTES = 2**25
CASES = (("new", ("fft", "dct", "wiener", "subspace")), ("replaced", ("fft",)))


def flush(path: Path) -> None:
    """Wait until a file, or a folder with all in it, is on the disk, as `fuse` does."""
    for one in [path, *path.rglob("*")]:
        descriptor = os.open(one, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def copy(folder: Path, suffix: str) -> None:
    """Read both and write one, file by file, in blocks of bytes: what any fusion has to do."""
    buffer = memoryview(bytearray(BLOCK_BYTES))
    for name in ("raw", "denoised"):
        source = folder / f"{name}.{suffix}"
        for file in files_of(source):
            target = folder / f"copy.{suffix}" / file.relative_to(source)
            with ExitStack() as stack:
                read = stack.enter_context(file.open("rb", buffering=0))
                written = None
                if name == "denoised":
                    target.parent.mkdir(parents=True, exist_ok=True)
                    written = stack.enter_context(target.open("wb", buffering=0))
                while n_bytes := read.readinto(buffer):
                    if written:
                        written.write(buffer[:n_bytes])
    flush(folder / f"copy.{suffix}")


def files_of(path: Path) -> list[Path]:
    """A file, or all in a folder."""
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())


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


def jobs(
    folder: Path, suffix: str, methods: tuple[str, ...]
) -> dict[str, tuple[Path, Callable[[], object]]]:
    """What is timed: the file that each job writes, and the job."""
    copied, fused = (folder / f"{name}.{suffix}" for name in ("copy", "fused"))
    pair = folder / f"raw.{suffix}", folder / f"denoised.{suffix}"

    def fusion(method: str) -> Callable[[], object]:
        return lambda: fuse(*pair, out=fused, method=method)

    return {
        "copy": (copied, lambda: copy(folder, suffix)),
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
            np.save(folder / f"{label}.npy", values)
            tifffile.imwrite(folder / f"{label}.tif", values)
            create_zarr(folder / f"{label}.zarr", values)
        for suffix in ("npy", "tif", "zarr"):
            for target, methods in CASES:
                seconds = time_jobs(folder, suffix, methods, replace=target == "replaced")
                for what, values in seconds.items():
                    ratios = [a / b for a, b in zip(values, seconds["copy"], strict=True)]
                    median, ratio = statistics.median(values), statistics.median(ratios)
                    rows.append((suffix, target, what, f"{median:.2f}", f"{ratio:.2f}"))
    print(f"## File to file, {n_frames} x {size} x {size}, uncompressed\n")
    print(
        "`copy` reads both files and writes one, byte for byte, in blocks of 32 MB. All wait until "
        "their output is\non the disk; `fuse` also verifies it, and keeps what stood under its "
        f"name until then. Medians of {ROUNDS}\nrounds, and of the ratios within a round; files in "
        "the page cache.\n"
    )
    print(table(("format", "target", "what", "seconds", "x copy"), rows))


if __name__ == "__main__":
    sizes = [int(argument) for argument in sys.argv[1:]]
    main(*(sizes + [500, 512][len(sizes) :]))
