"""Peak memory does not grow with the length of the recording."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

from freq2clean import InputError
from freq2clean.pipeline.memory import block_frames, parse_bytes
from freq2clean.recordings import open_recording

MEASURE = """
import json, resource, subprocess, sys
subprocess.run([sys.executable, "-m", "freq2clean", *sys.argv[1:]], check=True,
               stdout=subprocess.DEVNULL)
print(json.dumps(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
"""


def write_pair(folder: Path, shape: tuple[int, int, int]) -> None:
    """A long recording from a few noise images, shifted at random, frame by frame."""
    rng = np.random.default_rng(0)
    n_pixels = shape[1] * shape[2]
    scene = (150 + 100 * gaussian_filter(rng.standard_normal(shape[1:]), 1)).astype(np.float32)
    blurred = gaussian_filter(scene, 3)
    noise = rng.normal(0, 30, (8, *shape[1:])).astype(np.float32)
    for name, base, gain, dtype in (("raw", scene, 1, "uint16"), ("denoised", blurred, 0.05, "f4")):
        with tifffile.TiffWriter(folder / f"{name}.tif", bigtiff=True) as file:
            frames = (
                (base + gain * np.roll(noise[i % 8], rng.integers(n_pixels))).clip(0).astype(dtype)
                for i in range(shape[0])
            )
            file.write(frames, shape=shape, dtype=dtype, photometric="minisblack")


def peak_bytes(folder: Path, method: str) -> int:
    words = ["fuse", "raw.tif", "denoised.tif", "-o", "fused.tif", "--method", method]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *words, "--memory", "1GB"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=900,
    )
    (folder / "fused.tif").unlink()
    return 1024 * int(json.loads(done.stdout))


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units elsewhere")
@pytest.mark.parametrize("method", ["wiener", "fft"])
def test_peak_memory_of_a_small_recording_of_any_length(method, tmp_path):
    peaks = []
    for n_frames in (300, 2400):
        write_pair(tmp_path, (n_frames, 128, 128))
        peaks.append(peak_bytes(tmp_path, method))
    assert max(peaks) < 0.5e9
    assert peaks[1] - peaks[0] < 2100 * 128 * 128 * 4  # not even the denoised recording once


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units elsewhere")
@pytest.mark.parametrize("n_frames", [600, 2400, 6000])
def test_peak_memory_at_512_x_512_is_below_1_gb(n_frames, tmp_path):
    write_pair(tmp_path, (n_frames, 512, 512))
    peaks = {method: peak_bytes(tmp_path, method) for method in ("wiener", "fft", "dct")}
    print({method: f"{peak / 1e6:.0f} MB" for method, peak in peaks.items()})
    assert max(peaks.values()) < 1e9


@pytest.mark.parametrize(
    ("text", "expected"),
    [("500MB", 500e6), ("2 GB", 2e9), ("1.5gib", 1.5 * 2**30), ("300M", 3e8), (10**9, 1e9)],
)
def test_sizes_are_read(text, expected):
    assert parse_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "GB", "1..2GB", "-1GB", "1 XB", "nan", "inf", "99MB", "0"])
def test_strange_sizes_are_refused(text):
    with pytest.raises(InputError, match="memory"):
        parse_bytes(text)


def test_blocks_fit_and_keep_chunks_whole():
    recording = open_recording(np.zeros((1000, 64, 64), np.uint16))
    recording.chunk_frames = 30
    assert block_frames(recording, memory_bytes=10**9) == 240
    recording.chunk_frames = 1000
    assert block_frames(recording, memory_bytes=10**9) == 256
    large = open_recording(np.zeros((4, 3000, 3000), np.uint8))
    assert block_frames(large, memory_bytes=10**8) == 1
