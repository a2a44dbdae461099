"""A small Cellpose model trained from scratch on simulated images: it needs no download."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from freq2clean.errors import InputError
from freq2clean.rois.tools import version_of
from freq2clean.rois.training import check_trainable, train_cellpose
from freq2clean.simulation import SimulatedRecording, simulate

__all__ = ["CellModel"]

_N_FRAMES = 60
_BLURS_PX = (0.0, 0.5, 1.0)
_PHOTONS = (3.0, 300.0)


@dataclass(frozen=True)
class CellModel:
    """How a model is trained: on single frames, mean images and maximum projections without noise,
    some of them blurred, some with photon noise, of recordings that are used for nothing else.

    Cellpose 3 is needed: 4 cannot be trained from scratch.

    Parameters
    ----------
    seed : int
        Of the first recording; the others follow. No seed of a recording that is to be judged.
    n_images, size : int
        Images, and their rows and columns.
    n_epochs : int
        Rounds of training: 80 take some three minutes on an idle computer, and find 8 of 11 cells
        of a recording that it does not know; 20 find 3.
    """

    seed: int = 50_000
    n_images: int = 24
    size: int = 128
    n_epochs: int = 80

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("n_images", 1), ("size", 64), ("n_epochs", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} = {getattr(self, name)}; give a number from {least} up")

    def train(self, folder: str | Path) -> Path:
        """The weights in a folder, which is made if need be; trained only if they are not there.

        Raises
        ------
        InputError
            If the installed Cellpose cannot be trained from scratch.
        MissingExtraError
            If Cellpose is not installed.
        OutputError
            If they cannot be written.
        """
        check_trainable()
        known = json.dumps({**asdict(self), "cellpose": version_of("cellpose")})
        name = hashlib.sha256(known.encode()).hexdigest()[:12]
        path = Path(folder) / f"cell-model-{name}.pth"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            images, labels = zip(*map(self._image, range(self.n_images)), strict=True)
            train_cellpose(images, labels, path, n_epochs=self.n_epochs, seed=self.seed)
        return path

    def _image(self, index: int) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """One image, and the somata in it."""
        rng = np.random.default_rng((self.seed, index))
        recording = simulate((_N_FRAMES, self.size, self.size), seed=self.seed + index)
        image = gaussian_filter(_view(recording, index), rng.choice(_BLURS_PX))
        if rng.random() < 0.5:
            mean_photons = np.exp(rng.uniform(*np.log(_PHOTONS)))
            expected = np.maximum(image, 0) * mean_photons / image.mean()
            image = rng.poisson(expected).astype(np.float32)
        return image, recording.labels


def _view(recording: SimulatedRecording, index: int) -> NDArray[np.float32]:
    """A frame, the mean image or the maximum projection, in turn, without the offset."""
    truth = recording.truth[:]
    views = (truth[index % len(truth)], truth.mean(axis=0), truth.max(axis=0))
    return np.asarray(views[index % len(views)] - truth.min(), np.float32)
