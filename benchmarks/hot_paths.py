"""Whether a hot path has become twice as slow, against a reference in the same run: ``make test``.

python benchmarks/hot_paths.py [name ...]

Each path is timed in turn with a reference that does the same in a plain way, on one thread and
several times, and the median of the ratios is compared with the one kept in `RATIOS`. A path
that seems slow is timed once more before it fails. ``--record`` prints the ratios of this machine.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import scipy.fft
import tifffile
import zarr
from bench_ssim3d import OPTIONS, dense_ssim3d
from recording import make_pair

from freq2clean import fuse, open_recording
from freq2clean.metrics import ssim3d
from freq2clean.threads import at_most

RATIOS = {
    "fft": 0.34,
    "dct": 0.39,
    "wiener": 1.65,
    "subspace": 4.5,
    "ssim3d": 0.1,
    "plain tif": 1.25,
    "plain zarr": 1.5,
    "zstd tif": 1.4,
    "zstd zarr": 1.2,
}
"""Seconds of ours over seconds of the reference, as measured."""

FACTOR = 2.0
LEAST_ROUNDS = 7
LEAST_SECONDS = 0.3

Job = Callable[[], object]


class HotPath(NamedTuple):
    """What is timed, what with, and the ratio that it had."""

    name: str
    ours: Job
    reference: Job
    ratio: float


def ratio_of(path: HotPath) -> float:
    """Seconds of ours over seconds of the reference: the median of some rounds of one each."""
    path.ours(), path.reference()
    ratios: list[float] = []
    began = time.perf_counter()
    while len(ratios) < LEAST_ROUNDS or time.perf_counter() - began < LEAST_SECONDS:
        ratios.append(_seconds(path.ours) / _seconds(path.reference))
    return median(ratios)


def is_slow(path: HotPath) -> bool:
    """Whether it takes `FACTOR` times as long as it did, twice in a row."""
    return all(ratio_of(path) > FACTOR * path.ratio for _ in range(2))


def _seconds(job: Job) -> float:
    began = time.perf_counter()
    job()
    return time.perf_counter() - began


def study_fft(denoised):
    """The study's way: a full transform, forward and back."""
    spectrum = np.fft.rfft(denoised, axis=0)
    spectrum[0] *= 1.1
    return np.fft.irfft(spectrum, n=len(denoised), axis=0)


def study_dct(denoised):
    """The same with cosines, in three dimensions."""
    return scipy.fft.idctn(scipy.fft.dctn(denoised, norm="ortho"), norm="ortho")


def hot_paths(folder: Path) -> list[HotPath]:
    """All of them; files go into a folder."""
    return [
        HotPath(name, ours, reference, RATIOS[name])
        for name, ours, reference in (*_fusions(), *_metrics(), *_files(folder))
    ]


def _fusions() -> Iterable[tuple[str, Job, Job]]:
    raw, denoised = make_pair(240, 128)
    small = raw[:, :64, :64].copy(), denoised[:, :64, :64].copy()
    references = {"fft": study_fft, "dct": study_dct, "wiener": study_fft, "subspace": study_fft}
    for method, reference in references.items():
        pair = small if method == "subspace" else (raw, denoised)
        yield (
            method,
            lambda method=method, pair=pair: fuse(*pair, method=method),
            lambda reference=reference: reference(denoised),
        )


def _metrics() -> Iterable[tuple[str, Job, Job]]:
    x, y = np.random.default_rng(0).random((2, 16, 96, 96), np.float32)
    few = x[:, :32, :32].copy(), y[:, :32, :32].copy()
    yield "ssim3d", lambda: ssim3d(x, y, **OPTIONS), lambda: dense_ssim3d(*few)


def _files(folder: Path) -> Iterable[tuple[str, Job, Job]]:
    raw, denoised = make_pair(200, 128)
    np.save(folder / "denoised.npy", denoised)
    tifffile.imwrite(folder / "plain.tif", denoised)
    tifffile.imwrite(folder / "zstd.tif", raw, compression="zstd", predictor=True)
    for name, frames, compressors in (("plain", denoised, None), ("zstd", raw, "auto")):
        chunks = 16, *frames.shape[1:]
        zarr.create_array(
            folder / f"{name}.zarr", data=frames, chunks=chunks, compressors=compressors
        )

    def sum_up(name: str) -> Job:
        def read() -> None:
            with open_recording(folder / name) as recording:
                for start in range(0, len(recording), 64):
                    recording.read(start, min(start + 64, len(recording))).sum()

        return read

    yield "plain tif", sum_up("plain.tif"), lambda: np.load(folder / "denoised.npy").sum()
    yield "plain zarr", sum_up("plain.zarr"), lambda: np.load(folder / "denoised.npy").sum()
    yield (
        "zstd tif",
        sum_up("zstd.tif"),
        lambda: tifffile.imread(folder / "zstd.tif", maxworkers=1).sum(),
    )
    yield "zstd zarr", sum_up("zstd.zarr"), lambda: zarr.open(folder / "zstd.zarr")[:].sum()  # noqa: PLW0108


def main(arguments: list[str]) -> None:
    recording = "--record" in arguments
    names = set(arguments) - {"--record"}
    with tempfile.TemporaryDirectory() as folder, at_most(1):
        paths = [path for path in hot_paths(Path(folder)) if path.name in names or not names]
        if recording:
            for path in paths:
                print(f'    "{path.name}": {ratio_of(path):.3g},')
            return
        slow = [path.name for path in paths if is_slow(path)]
    if slow:
        raise SystemExit(
            f"{', '.join(slow)}: over {FACTOR:g} times as slow as before, against the reference. "
            "If that has to be, write the new ratios into benchmarks/hot_paths.py (--record)"
        )
    print(f"{len(paths)} hot paths are as fast as they were")


if __name__ == "__main__":
    main(sys.argv[1:])
