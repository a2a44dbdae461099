"""What every denoiser promises: fit to a recording, then predict any recording like it, lazily."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError, MissingExtraError
from freq2clean.fusion.spaces import space_of
from freq2clean.fusion.survey import measured
from freq2clean.recordings.contract import Metadata, Recording

__all__ = [
    "BLOCK_FRAMES",
    "Denoised",
    "Denoiser",
    "Frames",
    "Model",
    "Progress",
    "Read",
    "blocks_of",
    "bridge",
    "check",
    "check_numbers",
    "is_installed",
    "valid_frames",
]

BLOCK_FRAMES = 64

Progress = Callable[[int, int], None]
"""Called with the work done and the work in all, in the same unit."""

Read = Callable[[int, int], NDArray[np.float32]]
"""Gives frames from the first to the one before the second number."""


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
    needs : tuple of str
        The modules that the extra brings.
    prediction_options : tuple of str
        Options that may be given anew when a model is loaded; the others are the model's own.
    least_frames : int
        Fewest frames that it can be fitted to.
    trains_long : bool
        Whether the command line fits it only where that is asked for.
    """

    name: ClassVar[str]
    extra: ClassVar[str | None] = None
    needs: ClassVar[tuple[str, ...]] = ()
    prediction_options: ClassVar[tuple[str, ...]] = ()
    least_frames: ClassVar[int] = 1
    trains_long: ClassVar[bool] = False

    def options(self) -> dict[str, Any]:
        """Its options by name, JSON-serialisable."""
        return asdict(self)  # type: ignore[call-overload,no-any-return]

    @abstractmethod
    def fit(self, recording: Frames, /, *, progress: Progress | None = None) -> Model:
        """Learn from a recording (T, Y, X) of any real dtype what `Model.predict` needs.

        Raises
        ------
        InputError
            If the recording is not (T, Y, X), is empty, or is not of real numbers.
        MissingExtraError
            If the denoiser needs a library that is not installed.
        """

    def train(
        self,
        recordings: Sequence[Frames],
        path: str | Path,
        /,
        *,
        resume: bool = False,
        progress: Progress | None = None,
    ) -> Model:
        """Fit to recordings and save the model.

        Parameters
        ----------
        recordings : sequence of arrays or recordings (T, Y, X)
        path : path
            Where to write; a denoiser that trains for long writes there as it goes on.
        resume : bool
            Go on with what stands there.
        progress : callable, optional

        Raises
        ------
        InputError
            As `fit`, or if the denoiser takes one recording only, or cannot be resumed.
        OutputError
            If the model cannot be written.
        """
        if len(recordings) != 1:
            raise InputError(f"{self.name} is fitted to one recording; {len(recordings)} are given")
        if resume:
            raise InputError(f"{self.name} is fitted in one go; leave resume away")
        model = self.fit(recordings[0], progress=progress)
        model.save(path)
        return model

    @classmethod
    def load(cls, path: str | Path, /, **options: Any) -> Model:
        """The model that `Model.save` wrote, with some options of prediction given anew.

        Raises
        ------
        InputError
            If the file is not one, or an option is the model's own.
        MissingExtraError
            If the denoiser needs a library that is not installed.
        """
        own = [option for option in options if option not in cls.prediction_options]
        if own:
            free = ", ".join(cls.prediction_options) or "none"
            raise InputError(
                f"{', '.join(own)}: fixed when {cls.name} was fitted; options that can be given "
                f"with a fitted model are {free}"
            )
        cls.check_installed()
        if not Path(path).is_file():
            raise InputError(f"{path}: there is no such file; give a model that was saved")
        model = cls._load(Path(path))
        return replace(model, denoiser=replace(model.denoiser, **options))  # type: ignore[type-var]

    @classmethod
    @abstractmethod
    def _load(cls, path: Path) -> Model:
        """The model in this file, which exists."""

    @classmethod
    def check_installed(cls) -> None:
        """Raise MissingExtraError unless the libraries that this denoiser needs are there."""
        missing = [module for module in cls.needs if not is_installed(module)]
        if missing:
            raise MissingExtraError(
                f"{cls.name} needs {' and '.join(missing)}; install with "
                f'pip install "freq2clean[{cls.extra}]"'
            )


class Model(ABC):
    """A fitted denoiser; subclasses are frozen dataclasses.

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

    @abstractmethod
    def save(self, path: str | Path, /) -> None:
        """Write the model for `Denoiser.load`, all of it or nothing.

        Raises
        ------
        OutputError
            If it cannot be written.
        """

    def predict(self, recording: Frames, /) -> Denoised:
        """The denoised recording: float32, same shape and scale, computed as it is read.

        NaN in gives NaN out at that value only; lines that the detector dropped are filled.

        Raises
        ------
        InputError
            If the model cannot be used on such a recording.
        """
        check(recording)
        self._check_fits(recording)
        return Denoised(self, recording)

    @abstractmethod
    def _check_fits(self, recording: Frames) -> None:
        """Raise InputError if the model cannot be used on this recording."""

    @abstractmethod
    def _reader(self, recording: Frames, notes: list[str]) -> Read:
        """What gives denoised frames of this recording; reads what it needs around them.

        It may be called from several threads, and adds to the notes what a user should know.
        """


class Denoised(Recording):
    """What `Model.predict` gives.

    Attributes
    ----------
    notes : list of str
        What had to be done while frames were read, in plain words.
    """

    def __init__(self, model: Model, source: Frames) -> None:
        known = getattr(source, "metadata", None) or Metadata()
        self.notes: list[str] = []
        self._denoise = model._reader(source, self.notes)
        self.name = f"{getattr(source, 'name', 'recording')} ({model.denoiser.name})"
        self.shape = source.shape[0], source.shape[1], source.shape[2]
        self.dtype = np.dtype(np.float32)
        self.paths = getattr(source, "paths", ())
        self.metadata = Metadata(
            frame_rate_hz=known.frame_rate_hz,
            pixel_size_um=known.pixel_size_um,
            provenance={
                "denoiser": model.denoiser.name,
                "options": model.denoiser.options(),
                "findings": dict(model.findings),
            },
        )

    def _read(self, start: int, stop: int) -> NDArray[np.float32]:
        return self._denoise(start, stop)


def is_installed(module: str) -> bool:
    """Whether a top-level module could be imported."""
    return find_spec(module) is not None


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


def check_numbers(recording: Frames) -> None:
    """Raise InputError unless one value at least is a finite number; reads until there is one."""
    blocks = blocks_of(0, recording.shape[0])
    if recording.dtype.kind == "f" and not any(
        _has_number(recording[start:stop]) for start, stop in blocks
    ):
        name = getattr(recording, "name", "the recording")
        raise InputError(f"not a single value of {name} is a finite number; give another")


def _has_number(block: Any) -> bool:
    space = space_of(block)
    return not space.holds(~space.finite(block))


def valid_frames(block: NDArray[Any], /) -> NDArray[np.float32]:
    """A copy of frames as float32, NaN where nothing was measured.

    That is where the recording is not finite, and where a line of it was dropped
    (`freq2clean.fusion.missing.missing_rows`).
    """
    frames: NDArray[np.float32] = measured(block)
    if block.dtype.kind == "f":
        frames[~np.isfinite(frames)] = np.nan
    return frames


def bridge(frames: NDArray[np.float32], missing: NDArray[np.bool_]) -> None:
    """Put the mean of the frames before and after where a value is missing, if they have it.

    Zeros there would look like components of their own.
    """
    if not missing.any():
        return
    total, count = np.zeros_like(frames), np.zeros(frames.shape, np.int8)
    for here, there in ((np.s_[1:], np.s_[:-1]), (np.s_[:-1], np.s_[1:])):
        total[here] += frames[there]
        count[here] += ~missing[there]
    frames[missing] = (total[missing] / np.maximum(count[missing], 1)).astype(np.float32)


def blocks_of(start: int, stop: int, length: int = BLOCK_FRAMES) -> Iterator[tuple[int, int]]:
    """Ranges of at most ``length`` frames that cover a range."""
    for first in range(start, stop, length):
        yield first, min(first + length, stop)
