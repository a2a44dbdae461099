"""Writers killed, or out of disk: the formats that tests/recordings leaves out.

tests/recordings/test_atomicity.py and test_targets.py do the same for TIFF, Zarr, OME-Zarr, HDF5
and NumPy; tests/apps/test_resuming.py kills ``--resume``.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from tests.recordings.conftest import add_nwb_series, make_nwb_file, write_nwb_file

from freq2clean.recordings import open_recording

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals and limits")

SHAPE = (30, 64, 64)
TARGETS = ["fused.avi", "fused.bin", "fused.nwb"]
PROGRAM = """
import itertools, resource, signal, sys
import numpy as np
from freq2clean.errors import OutputError
from freq2clean.recordings import create, open_recording
target, source, limit = sys.argv[1:]
if int(limit):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
metadata = open_recording(source).metadata
noise = np.random.default_rng(0).integers(0, 256, (30, 64, 64)).astype("uint16")
dtype = "int16" if target.endswith("bin") else "uint16"
try:
    for n in itertools.count(1):
        with create(target, noise.shape, dtype, metadata=metadata) as writer:
            for frame in noise if int(limit) else np.full_like(noise, n):
                writer.append(frame[np.newaxis].astype(dtype))
        print(n, flush=True)
except OutputError as error:
    print(error, file=sys.stderr)
"""


@pytest.fixture
def start(tmp_path):
    source = tmp_path / "inputs" / "raw.nwb"
    source.parent.mkdir()
    file = make_nwb_file()
    add_nwb_series(file, np.zeros(SHAPE, np.uint16))
    write_nwb_file(source, file)
    (tmp_path / "results").mkdir()

    def run(name: str, *, limit: int = 0) -> tuple[subprocess.Popen[bytes], Path]:
        target = tmp_path / "results" / name
        words = [sys.executable, "-c", PROGRAM, str(target), str(source), str(limit)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return process, target

    return run


def value_of(target: Path) -> int:
    """The one value of a recording that was written whole."""
    inside = {".bin": "::64,64", ".nwb": "::/processing/ophys/ProcessedMovie"}
    with open_recording(f"{target}{inside.get(target.suffix, '')}") as recording:
        assert recording.shape == SHAPE
        pixels = recording[:]
    np.testing.assert_array_equal(pixels, pixels.flat[0])
    return int(pixels.flat[0])


def kill_at_a_moment(start, name: str, seed: int) -> None:
    process, target = start(name)
    written = [process.stdout.readline()]
    time.sleep(random.Random(f"{name} {seed}").uniform(0, 0.15))
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL
    last = int((b"".join(written) + rest).split()[-1])
    assert value_of(target) in (last, last + 1)


@pytest.mark.parametrize("name", TARGETS)
def test_killed_while_replacing(start, name):
    kill_at_a_moment(start, name, 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 21))
@pytest.mark.parametrize("name", TARGETS)
def test_killed_at_many_moments(start, name, seed):
    kill_at_a_moment(start, name, seed)


@pytest.mark.parametrize("name", TARGETS)
def test_disk_that_fills_up(start, name):
    process, target = start(name, limit=50_000)
    written, told = process.communicate()
    assert process.returncode == 0, told.decode()
    assert written == b""
    assert f"{target} could not be written" in told.decode()
    assert list(target.parent.iterdir()) == []


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
