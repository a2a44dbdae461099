"""TIFF files of more bytes than 32 bits count, and of more pages than anyone turns."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import tifffile

from freq2clean.recordings import open_recording

N_PAGES = 100_000
SIDE = 16
READING = """
import re, sys, time
from pathlib import Path
import numpy as np, tifffile
from freq2clean.recordings import open_recording

def peak_mb():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

before, began = peak_mb(), time.process_time()
with open_recording(sys.argv[1]) as recording:
    opened = time.process_time() - began
    assert recording.shape == (100_000, 16, 16), recording.shape
    for start in range(0, 100_000, 1000):
        frames = recording.read(start, start + 1000)
        assert (frames[:, 3, 4] == np.arange(start, start + 1000) % 65536).all()
print(opened, time.process_time() - began, peak_mb() - before)
"""


def write_contiguous(path, frames, **options):
    tifffile.imwrite(path, frames, photometric="minisblack", **options)


def write_page_by_page(path, frames, **options):
    compression = options.pop("compression", None)
    with tifffile.TiffWriter(path, **options) as writer:
        for frame in frames:
            writer.write(frame, photometric="minisblack", compression=compression)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("options", [{}, {"bigtiff": True}], ids=["classic", "bigtiff"])
@pytest.mark.parametrize(
    ("write", "compression"),
    [(write_contiguous, None), (write_page_by_page, None), (write_page_by_page, "zlib")],
    ids=["contiguous", "page by page", "page by page, compressed"],
)
def test_a_hundred_thousand_pages(tmp_path, write, compression, options):
    frames = np.zeros((N_PAGES, SIDE, SIDE), np.uint16)
    frames[:, 3, 4] = np.arange(N_PAGES) % 65536
    write(tmp_path / "long.tif", frames, compression=compression, **options)
    words = [sys.executable, "-c", READING, str(tmp_path / "long.tif")]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    opened_s, all_s, grown_mb = map(float, told.split())
    print(f"{opened_s:.1f} s to open, {all_s:.1f} s to read, {grown_mb:.0f} MB more")
    assert all_s < 120
    assert grown_mb < 500


def test_a_tiff_beyond_4_gb_is_read_in_parts(tmp_path):
    """Its first and its last frame, of 4 GB and one frame; a file with holes takes no space."""
    path = tmp_path / "long.tif"
    frames, side = 2**32 // 2 // 512**2 + 1, 512
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        place, _ = writer.write(
            shape=(frames, side, side), dtype="uint16", photometric="minisblack", returnoffset=True
        )
    with path.open("r+b") as file:
        file.truncate(place + frames * side * side * 2)
        file.seek(-2, 2)
        file.write(b"\1\2")
    assert path.stat().st_blocks * 512 < 2**30
    with open_recording(path) as recording:
        assert recording.shape == (frames, side, side)
        assert recording[-1][-1, -1] == 0x0201
        assert recording[0].max() == 0
