"""Arrays that live elsewhere, and devices to compute on."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.fusion.spaces import HOST, Space, is_elsewhere, space_of, torch_space
from freq2clean.recordings import Metadata, Recording
from freq2clean.recordings.pixels import pixel_dtype
from freq2clean.recordings.view import FrameRange

__all__ = [
    "DEVICES",
    "FramesOn",
    "Places",
    "check_no_device",
    "choose_places",
    "fetching",
    "wrapped",
]

_MOST_FRAMES = 256

DEVICES = "auto, cpu, cuda, cuda:N or mps"

Room = Callable[[int, int], Any]
Write = Callable[[NDArray[np.float32]], None]


class ArrayElsewhere(Recording):
    """A recording that is an array of another library; read as NumPy, or where it is."""

    def __init__(self, array: Any) -> None:
        self.name = "array"
        self.shape = tuple(int(n) for n in array.shape)  # type: ignore[assignment]
        self.dtype = pixel_dtype(str(array.dtype).rsplit(".", 1)[-1], name=self.name)
        self.metadata = Metadata()
        if len(self.shape) != 3:
            raise InputError(f"{self.name} has shape {self.shape}; (T, Y, X) is needed")
        self.array = array

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        return space_of(self.array).host(self.array[start:stop, ...])


def wrapped(source: Any) -> Any:
    """An array that lives elsewhere as a recording; anything else as it is."""
    return ArrayElsewhere(source) if is_elsewhere(source) else source


@dataclass(frozen=True)
class Places:
    """Where frames are fused, and where the result goes, if it is an array."""

    compute: Space = HOST
    result: Space = HOST
    notes: tuple[str, ...] = ()

    def block_frames(self, shape: tuple[int, int, int], memory_bytes: int) -> int | None:
        """Frames per block for arrays that need not be moved; None where blocks are read."""
        if self.result.is_host:
            return None
        return max(1, min(_MOST_FRAMES, memory_bytes // (12 * shape[1] * shape[2])))


def choose_places(raw: Any, denoised: Any, device: str | None, *, register: bool) -> Places:
    """Where to fuse, for sources that went through `wrapped`.

    Raises
    ------
    InputError
        Where the sources are in different places, or the device is not there.
    """
    arrays = [source for source in (raw, denoised) if isinstance(source, ArrayElsewhere)]
    if arrays:
        space = _space_of_arrays(arrays, device)
        if not register:
            return Places(space, space)
        warnings.warn(
            f"register computes on the host: the recordings are brought there from {space}, and "
            "the result back",
            stacklevel=3,
        )
        return Places(HOST, space)
    if device in (None, "cpu"):
        return Places()
    there = torch_space(str(device), known=DEVICES)
    if there is None:
        return _on_the_cpu("device auto: PyTorch sees no CUDA or MPS device")
    if register:
        return _on_the_cpu(f"registered recordings are not fused on {there.device}")
    return Places(there, HOST, (f"computed on {there.device}",))


def check_no_device(device: str | None) -> None:
    """Refuse a device where Dask computes."""
    if device not in (None, "cpu"):
        raise InputError(f"device = {device!r}: Dask computes on the CPU; leave device out")


def _on_the_cpu(why: str) -> Places:
    return Places(notes=(f"computed on the CPU: {why}",))


def _space_of_arrays(arrays: list[ArrayElsewhere], device: str | None) -> Space:
    space = space_of(arrays[0].array)
    if len(arrays) == 1:
        raise InputError(
            f"one recording is an array of {space} and the other is not; bring them to one device"
        )
    space_of(*(source.array for source in arrays))
    if device not in (None, "auto", str(space.device)):
        raise InputError(
            f"device = {device!r}, and the arrays are of {space}, where they are fused; leave "
            "device out, or bring them there"
        )
    return space


class FramesOn:
    """The frames of a recording in a space, as blocks to compute with."""

    def __init__(self, recording: Recording, space: Space) -> None:
        self.name, self.shape, self.dtype = recording.name, recording.shape, recording.dtype
        self._space = space
        self._start, self._source = 0, recording
        if isinstance(recording, FrameRange):
            self._start, self._source = recording.start, recording.source

    def read(self, start: int, stop: int) -> Any:
        """Frames ``start`` to ``stop``."""
        first, last = self._start + start, self._start + stop
        if isinstance(self._source, ArrayElsewhere) and not self._space.is_host:
            return self._space.frames(self._source.array[first:last, ...])
        return self._space.frames(self._space.send(HOST.frames(self._source.read(first, last))))

    def __getitem__(self, frames: slice) -> Any:
        return self.read(*frames.indices(self.shape[0])[:2])


def fetching(space: Space, room: Room, write: Write | None) -> tuple[Room, Write]:
    """Where to fuse on a device, and what brings it into ``room`` on the host, then writes it."""
    out: Any = None

    def room_there(start: int, stop: int) -> Any:
        nonlocal out
        out = room(start, stop)
        return space.empty(out.shape)

    def fetch(fused: Any) -> None:
        space.fetch(fused, out=out)
        if write:
            write(out)

    return room_there, fetch
