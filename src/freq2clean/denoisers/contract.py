"""What every denoiser promises: fit to a recording, then predict any recording like it, lazily."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.fusion.survey import measured
from freq2clean.recordings.contract import Metadata, Recording

__all__ = [
    "BLOCK_FRAMES",
    "Denoiser",
    "Frames",
    "Model",
    "Progress",
    "blocks_of",
    "check",
    "valid_frames",
]

BLOCK_FRAMES = 64

Progress = Callable[[int, int], None]
"""Called with the work done and the work in all, in the same unit."""


class Frames(Protocol):
    """A (T, Y, X) array or recording: what denoisers take."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __getitem__(self, key: slice, /) -> NDArray[Any]: ...


class Denoiser(ABC):
    """The options of one method; subclasses are frozen dataclasses and check them when made.

    Attributes
    ----------
    name : str
        What the registry and the command line call it.
    extra : str or None
        The optional dependencies of freq2clean that it needs.
    """

    name: ClassVar[str]
    extra: ClassVar[str | None] = None

    @abstractmethod
    def fit(self, recording: Frames, /, *, progress: Progress | None = None) -> Model:
        """Learn from a recording (T, Y, X) of any real dtype what `Model.predict` needs.

        Raises
        ------
        InputError
            If the recording is not (T, Y, X), is empty, or is not of real numbers.
        """


class Model(ABC):
    """A fitted denoiser.

    Attributes
    ----------
    denoiser : Denoiser
        The options that it was fitted with.
    """

    denoiser: Denoiser

    @property
    @abstractmethod
    def findings(self) -> Mapping[str, Any]:
        """What was learned, in words and numbers that JSON can hold."""

    def predict(self, recording: Frames, /) -> Recording:
        """The denoised recording: float32, same shape and scale, computed as it is read.

        NaN in gives NaN out at that value only; lines that the detector dropped are filled.

        Raises
        ------
        InputError
            If the model cannot be used on such a recording.
        """
        check(recording)
        self._check_fits(recording)
        return _Denoised(self, recording)

    @abstractmethod
    def _check_fits(self, recording: Frames) -> None:
        """Raise InputError if the model cannot be used on this recording."""

    @abstractmethod
    def _frames(self, recording: Frames, start: int, stop: int) -> NDArray[np.float32]:
        """Denoised frames ``start`` to ``stop``; reads what it needs around them."""


class _Denoised(Recording):
    def __init__(self, model: Model, source: Frames) -> None:
        known = getattr(source, "metadata", None) or Metadata()
        options = asdict(model.denoiser)  # type: ignore[call-overload]
        self._model, self._source = model, source
        self.name = f"{getattr(source, 'name', 'recording')} ({model.denoiser.name})"
        self.shape = source.shape[0], source.shape[1], source.shape[2]
        self.dtype = np.dtype(np.float32)
        self.paths = getattr(source, "paths", ())
        self.metadata = Metadata(
            frame_rate_hz=known.frame_rate_hz,
            pixel_size_um=known.pixel_size_um,
            provenance={
                "denoiser": model.denoiser.name,
                "options": options,
                "findings": dict(model.findings),
            },
        )

    def _read(self, start: int, stop: int) -> NDArray[np.float32]:
        return self._model._frames(self._source, start, stop)


def check(recording: Frames) -> None:
    """Raise InputError unless this is a (T, Y, X) recording of real numbers."""
    shape = tuple(recording.shape)
    if len(shape) != 3 or 0 in shape:
        raise InputError(
            f"a recording of shape {shape} cannot be denoised; give (frames, rows, columns), "
            "none of them 0"
        )
    if recording.dtype.kind not in "uif":
        raise InputError(
            f"a recording of dtype {recording.dtype} cannot be denoised; "
            "give integers or floating-point numbers"
        )


def valid_frames(block: NDArray[Any], /) -> NDArray[np.float32]:
    """A copy of frames as float32, NaN where nothing was measured.

    That is where the recording is not finite, and where a line of it was dropped
    (`freq2clean.fusion.missing.missing_rows`).
    """
    frames = measured(block)
    if block.dtype.kind == "f":
        frames[~np.isfinite(frames)] = np.nan
    return frames


def blocks_of(start: int, stop: int, length: int = BLOCK_FRAMES) -> Iterator[tuple[int, int]]:
    """Ranges of at most ``length`` frames that cover a range."""
    for first in range(start, stop, length):
        yield first, min(first + length, stop)
