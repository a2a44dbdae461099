"""What denoisers have in common that are made elsewhere and learn nothing here."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.denoisers.contract import Denoiser, Frames, Model, Progress, check

__all__ = ["External", "ExternalModel", "not_numbers"]


class External(Denoiser):
    """One that is called with the whole recording when the first frame is read."""

    def fit(self, recording: Frames, /, *, progress: Progress | None = None) -> ExternalModel:
        """Nothing is learned: see that it is there."""
        check(recording)
        model = self._model()
        if progress is not None:
            progress(1, 1)
        return model

    @abstractmethod
    def _model(self) -> ExternalModel:
        """What predicts. Raises InputError if there is nothing that could."""


@dataclass(frozen=True)
class ExternalModel(Model):
    """One that has nothing to learn.

    Parameters
    ----------
    denoiser : External
    """

    denoiser: External

    @property
    def findings(self) -> Mapping[str, Any]:
        return {}

    def _check_fits(self, recording: Frames) -> None:
        """Whether it suits the recording only its makers know."""


def not_numbers(recording: Frames, start: int, stop: int) -> NDArray[np.bool_]:
    """Where these frames hold no numbers, so that the denoised ones are to hold none either."""
    if recording.dtype.kind != "f":
        return np.zeros((stop - start, *recording.shape[1:]), np.bool_)
    found: NDArray[np.bool_] = ~np.isfinite(recording[start:stop])
    return found
