"""A recording as napari wants its data: an index reads the frames that it names, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.recordings import Recording
from freq2clean.streaming import blocks

__all__ = ["LazyFrames"]

_FRAMES_AT_ONCE = 64


class LazyFrames:
    """The frames of a recording behind the indices of an array.

    Parameters
    ----------
    recording : Recording (T, Y, X)
    source : dict
        ``path``, and ``channel`` where there are several: what to open in another process.

    Examples
    --------
    >>> from freq2clean.recordings import open_recording
    >>> frames = LazyFrames(open_recording(np.arange(24).reshape(2, 3, 4)), {})
    >>> frames[1, 0, 1:3].tolist(), frames[:, 2, 3].tolist(), frames.ndim
    ([13, 14], [11, 23], 3)
    """

    ndim = 3

    def __init__(self, recording: Recording, source: dict[str, Any]) -> None:
        self.recording = recording
        self.source = source
        self.shape = recording.shape
        self.dtype = recording.dtype
        self.size = int(np.prod(self.shape))
        self.nbytes = self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        first, *place = self._full(key if isinstance(key, tuple) else (key,))
        frames = np.arange(len(self))[first]
        if frames.ndim == 0:
            pixels: NDArray[Any] = self.recording[int(frames)][tuple(place)]
            return pixels
        return self._several(frames, place)

    def _full(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        """The index with all axes in the place of an ellipsis, or of nothing."""
        at = next((i for i, part in enumerate(key) if part is Ellipsis), len(key))
        rest = key[at + 1 :]
        missing = self.ndim - at - len(rest)
        return key[:at] + (slice(None),) * missing + rest

    def _several(self, frames: NDArray[np.intp], place: Sequence[Any]) -> NDArray[Any]:
        """Blocks of frames, cut to what is wanted before the next is read."""
        index = (slice(None), *place)
        parts = []
        for start, stop in blocks(0, len(frames), _FRAMES_AT_ONCE):
            wanted = frames[start:stop]
            if wanted[-1] - wanted[0] == len(wanted) - 1:
                block = self.recording.read(int(wanted[0]), int(wanted[-1]) + 1)
            else:
                block = np.stack([self.recording[int(frame)] for frame in wanted])
            parts.append(block[index].copy())
        return np.concatenate(parts) if parts else np.empty((0, *self.shape[1:]), self.dtype)[index]
