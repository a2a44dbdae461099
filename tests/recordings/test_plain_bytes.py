"""Plain files are read at their places, and one that is cut short is an error, not a crash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from freq2clean.errors import InputError
from freq2clean.recordings.plain_bytes import read_pieces, read_segments

SHAPE = (24, 128, 128)


@pytest.fixture
def numbered(tmp_path) -> Path:
    """A file of 256 bytes, each its place."""
    path = tmp_path / "a"
    path.write_bytes(bytes(range(256)))
    return path


@pytest.mark.parametrize(
    "offsets", [[0], [8, 12, 16], [100, 40, 44, 48, 4], [252, 0], list(range(0, 256, 4))]
)
def test_pieces_wherever_they_lie(numbered, offsets):
    out = np.empty((len(offsets), 2, 2), np.uint8)
    read_pieces(numbered, offsets, out)
    assert [piece.ravel().tolist() for piece in out] == [list(range(o, o + 4)) for o in offsets]


def test_segments_of_any_length(numbered):
    assert read_segments(numbered, [3, 0, 250], [2, 0, 6]) == [b"\3\4", b"", bytes(range(250, 256))]


@pytest.mark.parametrize("offset", [253, 256, 2**40])
def test_what_the_file_does_not_have(numbered, offset):
    with pytest.raises(InputError, match=r"it ends . bytes before .* changed meanwhile"):
        read_pieces(numbered, [0, offset], np.empty((2, 4), np.uint8))
    with pytest.raises(InputError, match=r"it ends . bytes before"):
        read_segments(numbered, [offset], [4])


@pytest.mark.parametrize("name", ["a.npy", "a.tif", "lzw.tif", "a.zarr", "a.bin", "a.mmap"])
def test_a_file_cut_short_while_it_is_read(tmp_path, name):
    """In a process of its own, which a bus error would end: one thread reads, another cuts."""
    pixels = np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE)
    path, file = write(tmp_path, name, pixels)
    whole = file.read_bytes()
    code = f"""
import os, threading, time
from pathlib import Path
from freq2clean.errors import InputError
from freq2clean.recordings import open_recording
recording, file = open_recording({str(path)!r}), {str(file)!r}
whole = Path(file).read_bytes()
stop, n_failed, n_read = time.monotonic() + 1, 0, 0
def cut():
    while time.monotonic() < stop:
        os.truncate(file, len(whole) // 3)
        Path(file).write_bytes(whole)
cutter = threading.Thread(target=cut)
cutter.start()
while time.monotonic() < stop:
    try:
        recording.read(0, 24).sum()
        n_read += 1
    except InputError:
        n_failed += 1
cutter.join()
assert n_failed and n_read + n_failed > 5, (n_read, n_failed)
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ, timeout=60)
    assert file.read_bytes() == whole


def write(folder: Path, name: str, pixels) -> tuple[Path, Path]:
    """A recording, and the file that its pixels are in."""
    path = folder / name
    if name.endswith(".npy"):
        np.save(path, pixels)
    elif name.endswith(".tif"):
        tifffile.imwrite(path, pixels, compression="lzw" if name == "lzw.tif" else None)
    elif name.endswith(".zarr"):
        zarr.create_array(path, data=pixels, chunks=SHAPE, compressors=None)
        return path, path / "c" / "0" / "0" / "0"
    elif name.endswith(".mmap"):
        path = folder / "a_d1_128_d2_128_d3_1_order_F_frames_24.mmap"
        path.write_bytes(pixels.astype("<f4").tobytes())
    else:
        path.write_bytes((pixels // 2).astype("<i2").tobytes())
        return Path(f"{path}::128,128"), path
    return path, path
