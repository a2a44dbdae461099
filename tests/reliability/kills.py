"""Writers killed at random moments: under the target's name stands a whole recording, or nothing.

    python -m tests.reliability.kills --count 200

Writers take turns. Half of the kills hit the first writing of a target, the others its replacement.
What is killed is a forked child, so that one kill costs a fraction of a second.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tests.recordings.conftest import add_nwb_series, make_nwb_file, write_nwb_file

from freq2clean import fuse
from freq2clean.recordings import create, open_recording, resuming
from freq2clean.recordings import zarr as zarr_room

__all__ = ["SHAPE", "WRITERS", "campaign", "make_source", "value_of"]

SHAPE = (30, 64, 64)
WRITERS: dict[str, tuple[str, str | None]] = {
    "TIFF": ("fused.tif", None),
    "TIFF, compressed": ("fused.tif", "zstd"),
    "Zarr": ("fused.zarr", "zstd"),
    "OME-Zarr": ("fused.ome.zarr", None),
    "HDF5": ("fused.h5", "deflate"),
    "NumPy": ("fused.npy", None),
    "AVI": ("fused.avi", None),
    "Suite2p binary": ("fused.bin", None),
    "NWB": ("fused.nwb", None),
}
"""By name: the target and its compression. MATLAB files and memory maps are not written."""
RESUMED = "--resume"
_INSIDE = {".bin": "::64,64", ".nwb": "::/processing/ophys/ProcessedMovie"}


def make_source(folder: Path) -> Path:
    """An NWB file, of which an NWB target is a copy."""
    file = make_nwb_file()
    add_nwb_series(file, np.zeros(SHAPE, np.uint16))
    return Path(write_nwb_file(folder / "raw.nwb", file))


def value_of(target: Path) -> int:
    """The one value of a recording that was written whole."""
    with open_recording(f"{target}{_INSIDE.get(target.suffix, '')}") as recording:
        assert recording.shape == SHAPE
        pixels = recording[:]
    np.testing.assert_array_equal(pixels, pixels.flat[0])
    return int(pixels.flat[0])


def _write_forever(target: Path, compression: str | None, source: Path, told: int) -> None:
    """Recordings of ones, then of twos, and so on; a byte for each that is whole."""
    metadata = open_recording(source).metadata
    dtype = "int16" if target.suffix == ".bin" else "uint16"
    for value in itertools.count(1):
        with create(target, SHAPE, dtype, metadata=metadata, compression=compression) as writer:
            for _ in range(SHAPE[0]):
                writer.append(np.full((1, *SHAPE[1:]), value, dtype))
        os.write(told, b".")


def _fork(work: Callable[[], None]) -> int:
    """A process that does some work, and ends with 1 where that fails."""
    process = os.fork()
    if process:
        return process
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _succeeds(work: Callable[[], None]) -> bool:
    return os.waitpid(_fork(work), 0)[1] == 0


def _kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)
    status = os.waitpid(process, 0)[1]
    assert os.WIFSIGNALED(status), "the writer ended by itself"


def _kill_a_writer(name: str, folder: Path, replaces: bool, rng: random.Random) -> str:
    """What stands under the target's name after a kill: nothing, or a whole recording."""
    target, compression = folder / WRITERS[name][0], WRITERS[name][1]
    source = folder.parent / "raw.nwb"
    reading, telling = os.pipe()
    began = time.monotonic()
    process = _fork(lambda: _write_forever(target, compression, source, telling))
    os.close(telling)
    n_whole = 0
    if replaces:
        n_whole = len(os.read(reading, 1))
        time.sleep(rng.uniform(0, time.monotonic() - began))
    else:
        time.sleep(rng.uniform(0, 0.15))
    _kill(process)
    while told := os.read(reading, 100):
        n_whole += len(told)
    os.close(reading)

    def check() -> None:
        assert value_of(target) in (n_whole, n_whole + 1)

    if target.exists():
        assert _succeeds(check), f"{name}: what stands there is not whole"
        return "replaced" if replaces else "whole"
    assert n_whole == 0, f"{name}: it has gone"
    return "absent"


def _kill_a_resumed_fusion(folder: Path, rng: random.Random) -> str:
    """Twice killed, it goes on, and ends with what one run gives."""
    shape = (240, 24, 28)
    raw, denoised = folder / "raw.npy", folder / "denoised.npy"
    zarr_room._CHUNK_BYTES = 9 * 4 * shape[1] * shape[2]
    resuming._STEP_SECONDS = 0
    noise = np.random.default_rng(rng.randrange(1000)).normal(100, 10, shape).astype(np.float32)
    np.save(raw, noise)
    np.save(denoised, np.full_like(noise, 100))

    def run(name: str, *, resume: bool) -> None:
        fuse(raw, denoised, out=folder / name, method="fft", window=60, resume=resume)

    began = time.monotonic()
    assert _succeeds(lambda: run("whole.zarr", resume=False))
    seconds = time.monotonic() - began
    for _ in range(2):
        process = _fork(lambda: run("fused.zarr", resume=True))
        time.sleep(rng.uniform(0, seconds))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)

    def go_on() -> None:
        if not (folder / "fused.zarr").exists():
            run("fused.zarr", resume=True)
        one, other = (open_recording(folder / f"{name}.zarr")[:] for name in ("whole", "fused"))
        np.testing.assert_array_equal(one, other)

    before = "whole" if (folder / "fused.zarr").exists() else "absent"
    assert _succeeds(go_on), "what went on differs from what one run gives"
    return before


def campaign(count: int, folder: Path, *, seed: int = 0) -> tuple[Counter[tuple[str, str]], int]:
    """So many kills of writers in turn.

    Returns
    -------
    Counter
        By writer, how often what stood under the target's name: nothing, a first whole recording,
        or one in the place of another.
    int
        How often a hidden unfinished file stood beside it: the kill fell into the writing.
    """
    found: Counter[tuple[str, str]] = Counter()
    n_amid = 0
    make_source(folder)
    for number in range(count):
        name = [*WRITERS, RESUMED][number % (len(WRITERS) + 1)]
        rng = random.Random(f"{seed} {number}")
        place = folder / str(number)
        place.mkdir()
        if name == RESUMED:
            state = _kill_a_resumed_fusion(place, rng)
        else:
            state = _kill_a_writer(name, place, bool(number // (len(WRITERS) + 1) % 2), rng)
        found[name, state] += 1
        n_amid += any(place.glob(".*"))
        shutil.rmtree(place)
    return found, n_amid


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found, n_amid = campaign(given.count, Path(folder), seed=given.seed)
    for (name, state), times in sorted(found.items()):
        print(f"{name:20}{state:10}{times:5}")
    print(f"{n_amid} times in the midst of writing")
    print(f"{found.total()} kills, no partial and no lost recording")


if __name__ == "__main__":
    sys.exit(main())
