"""A denoiser that is a function of Python, for pipelines that have one already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from freq2clean.denoisers.contract import Frames, Read
from freq2clean.denoisers.external import External, ExternalModel, not_numbers
from freq2clean.errors import InputError, OutputError

__all__ = ["Function", "FunctionModel"]


@dataclass(frozen=True)
class Function(External):
    """Call a function with the whole recording.

    Parameters
    ----------
    function : callable
        Takes an array (T, Y, X) and gives the denoised one, of the same shape and scale. Both are
        held in memory.

    Examples
    --------
    >>> import numpy as np
    >>> raw = np.random.default_rng(0).poisson(5, (60, 8, 8))
    >>> halved = Function(lambda frames: frames / 2)
    >>> bool(halved.fit(raw).predict(raw)[:].mean() == np.float32(raw.mean() / 2))
    True
    """

    name: ClassVar[str] = "function"

    function: Callable[[NDArray[Any]], Any]

    def options(self) -> dict[str, Any]:
        """What the function is called."""
        return {"function": getattr(self.function, "__qualname__", repr(self.function))}

    def _model(self) -> FunctionModel:
        return FunctionModel(self)

    @classmethod
    def _load(cls, path: Path) -> FunctionModel:
        raise InputError(f"{path}: a function is not kept in a file; give the function itself")


@dataclass(frozen=True)
class FunctionModel(ExternalModel):
    """A function.

    Parameters
    ----------
    denoiser : Function
    """

    denoiser: Function

    def save(self, path: str | Path, /) -> None:
        raise OutputError(f"{path}: a function cannot be saved as a model; keep its source")

    def _reader(self, recording: Frames, notes: list[str]) -> Read:
        return _Reader(self.denoiser.function, recording)


class _Reader:
    """Calls the function when frames are first asked for."""

    def __init__(self, function: Callable[[NDArray[Any]], Any], recording: Frames) -> None:
        self._function = function
        self._recording = recording

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        return self._denoised[start:stop]

    @cached_property
    def _denoised(self) -> NDArray[np.float32]:
        raw = np.asarray(self._recording[:])
        result = np.asarray(self._function(raw))
        if result.shape != raw.shape or result.dtype.kind not in "uif":
            raise InputError(
                f"the function gave {result.dtype} of shape {result.shape} for a recording of "
                f"shape {raw.shape}; it has to give real numbers of the same shape"
            )
        denoised = result.astype(np.float32)
        denoised[not_numbers(raw, 0, len(raw))] = np.nan
        return denoised
