"""Writers killed; and out of disk: the formats that tests/recordings leaves out.

tests/recordings/test_targets.py fills the disk for TIFF, Zarr, OME-Zarr, HDF5 and NumPy.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.reliability.kills import RESUMED, WRITERS, make_source, value_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals and limits")

ROOT = Path(__file__).parents[2]
PROGRAM = """
import resource, signal, sys
import numpy as np
from freq2clean.errors import OutputError
from freq2clean.recordings import create, open_recording
target, source, limit, existing = sys.argv[1:]
metadata = open_recording(source).metadata
dtype = "int16" if target.endswith("bin") else "uint16"

def write(pixels):
    with create(target, pixels.shape, dtype, metadata=metadata) as writer:
        for frame in pixels:
            writer.append(frame[np.newaxis].astype(dtype))

noise = np.random.default_rng(0).integers(0, 256, (30, 64, 64))
if existing == "True":
    write(np.full_like(noise, 7))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    write(noise)
    print("written")
except OutputError as error:
    print(error, file=sys.stderr)
"""
LIMITS = [
    ("fused.avi", 50_000), ("fused.bin", 50_000), ("fused.nwb", 50_000), ("fused.nwb", 500_000)
]  # fmt: skip
"""The second one of NWB ends not the copy of the raw file, but the result that goes into it."""


def kill(count: int, seed: int) -> str:
    """A campaign in a process of its own, which may fork: it has no threads."""
    words = ["-m", "tests.reliability.kills", "--count", str(count), "--seed", str(seed)]
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_killed():
    """Every writer at its first attempt, and while it replaces."""
    told = kill(20, seed=1)
    assert told.endswith("20 kills, no partial and no lost recording\n")
    assert all(f"{name} " in told for name in [*WRITERS, RESUMED])
    assert told.count(" replaced ") == len(WRITERS)


@pytest.mark.slow
def test_killed_at_many_moments():
    assert kill(200, seed=2).endswith("200 kills, no partial and no lost recording\n")


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize(("name", "limit"), LIMITS)
def test_disk_that_fills_up(tmp_path, name, limit, existing):
    source, target = make_source(tmp_path), tmp_path / "results" / name
    target.parent.mkdir()
    words = [sys.executable, "-c", PROGRAM, target, source, limit, existing]
    done = subprocess.run(list(map(str, words)), check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert f"{target} could not be written" in done.stderr
    assert list(target.parent.iterdir()) == ([target] if existing else [])
    if existing:
        assert value_of(target) == 7
