"""Suite2p's ``data.bin``: int16 frames without a header, their shape in the files beside it.

Those files (``ops.npy``; ``db.npy`` and ``settings.npy`` of Suite2p 1.x) are pickles, and pickles
are programs: they are never loaded. Numbers stand in them in the clear, and are looked up.
"""

from __future__ import annotations

import pickletools
import re
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from freq2clean.errors import InputError, OutputError
from freq2clean.recordings.contract import Layout, Sink
from freq2clean.recordings.plain_bytes import read_into
from freq2clean.recordings.provenance import metadata_from
from freq2clean.recordings.spare_memory import SpareMemory
from freq2clean.recordings.stored import StoredArray, opener

__all__ = ["Suite2pSink", "int16_frames", "open_suite2p"]

_SETTINGS = ("ops.npy", "db.npy", "settings.npy")
_DTYPE = np.dtype("<i2")
_TEXT = {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"}
_NUMBER = {"BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "FLOAT", "BINFLOAT"}
_KEPT = {"MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"}


@opener
def open_suite2p(path: Path, inside: str) -> StoredArray:
    """The frames of a binary, their shape told by ``inside`` (``Y,X``) or by Suite2p's files."""
    known = _settings(path.parent)
    height, width = _frame_shape(path, inside, known)
    return StoredArray(
        _Frames(path, height, width), str(path), metadata_from({"frame_rate_hz": known.get("fs")})
    )


def int16_frames(frames: NDArray[Any]) -> NDArray[np.int16]:
    """Integers as Suite2p stores them: uint16 are halved, others stay."""
    if frames.dtype == np.uint16:
        frames = frames // 2
    return frames.astype(np.int16)


class Suite2pSink(Sink):
    """Writes a binary as Suite2p does."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self.inside = f"{layout.shape[1]},{layout.shape[2]}"
        if layout.inside not in ("", self.inside):
            raise OutputError(
                f"frames of {self.inside} pixels are no {layout.inside}: leave it out"
            )
        self._file = path.open("wb")

    def stored(self, frames: NDArray[Any]) -> NDArray[np.int16]:
        return int16_frames(frames)

    def append(self, block: NDArray[Any]) -> None:
        self._file.write(self.stored(block).astype(_DTYPE, order="C", copy=False).data)

    def close(self) -> None:
        self._file.close()


class _Frames:
    """The frames of a binary."""

    dtype = _DTYPE

    def __init__(self, path: Path, height: int, width: int) -> None:
        self._frame_bytes = 2 * height * width
        n_frames, rest = divmod(path.stat().st_size, self._frame_bytes)
        if rest or not n_frames:
            raise InputError(
                f"{path} has {path.stat().st_size} bytes, no whole number of frames of {height} x "
                f"{width} int16: give its true shape, as in {path}::512,796, or is it truncated?"
            )
        self.shape = (n_frames, height, width)
        self._path = path
        self._memory = SpareMemory()

    def __getitem__(self, key: tuple[slice]) -> NDArray[Any]:
        (frames,) = key
        out = self._memory.empty((frames.stop - frames.start, *self.shape[1:]), self.dtype)
        read_into(self._path, frames.start * self._frame_bytes, out)
        return out


def _frame_shape(path: Path, given: str, known: dict[str, float]) -> tuple[int, int]:
    if given:
        found = re.fullmatch(r"\s*/?(\d+)\s*[,x]\s*(\d+)\s*", given)
        if found and int(found[1]) and int(found[2]):
            return int(found[1]), int(found[2])
        raise InputError(
            f"{path}::{given}: give rows and columns of a frame, as in {path}::512,796"
        )
    height, width = (int(known.get(name, 0)) for name in ("Ly", "Lx"))
    if height > 0 and width > 0:
        return height, width
    raise InputError(
        f"{path} has no header, and no {', '.join(_SETTINGS)} beside it tells its shape: give rows "
        f"and columns of a frame, as in {path}::512,796"
    )


def _settings(folder: Path) -> dict[str, float]:
    """The numbers that Suite2p's files in a folder tell, by name."""
    known: dict[str, float] = {}
    for name in _SETTINGS:
        file = folder / name
        if file.is_file():
            with file.open("rb") as opened:
                known = _pickled_numbers(opened, ("Ly", "Lx", "fs")) | known
    return known


def _pickled_numbers(file: IO[bytes], names: tuple[str, ...]) -> dict[str, float]:
    """Plain numbers that follow their names in the pickle of a .npy file; nothing is loaded."""
    found: dict[str, float] = {}
    last = None
    try:
        npy_format.read_magic(file)
        npy_format.read_array_header_1_0(file)
        for opcode, value, _ in pickletools.genops(file):
            if opcode.name in _KEPT:
                continue
            if last in names and opcode.name in _NUMBER:
                found.setdefault(str(last), float(value))  # type: ignore[arg-type]
            last = value if opcode.name in _TEXT else None
    except Exception:  # damaged, or no pickle: what was found before counts
        return found
    return found
