"""Reading a long recording leaves no more of it in memory than the blocks in use."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

_READ = """
import sys
from freq2clean.recordings import open_recording

def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

recording = open_recording(sys.argv[1])
recording.read(0, 10).sum()
before = resident_bytes()
peak = 0
for start in range(0, len(recording), 10):
    block = recording.read(start, start + 10)
    block.sum()
    peak = max(peak, resident_bytes() - before)
print(peak)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.parametrize("name", ["a.tif", "a.npy", "a.h5", "a.zarr"])
def test_memory_is_bounded(tmp_path, name):
    from freq2clean.recordings import create

    frames = np.arange(10 * 256 * 256, dtype=np.uint16).reshape(10, 256, 256)
    with create(tmp_path / name, (1000, 256, 256), "uint16") as writer:
        for _ in range(100):
            writer.append(frames)
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 60e6  # of 131 MB in the file
