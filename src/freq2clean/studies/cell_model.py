"""A small Cellpose model trained from scratch on simulated images: it needs no download."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from freq2clean.errors import InputError
from freq2clean.recordings.small_files import whole_file
from freq2clean.rois.tools import check_installed, quiet, version_of
from freq2clean.simulation import SimulatedRecording, simulate

__all__ = ["CellModel"]

_N_FRAMES = 60
_DIAMETER_PX = 12.0
_DIMMEST_PHOTONS, _BRIGHTEST_PHOTONS = 3.0, 300.0


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
        Rounds of training: 20 give half a minute on an idle core, and outlines that are right at
        an IoU of 0.5; 80 give finer ones.
    """

    seed: int = 50_000
    n_images: int = 24
    size: int = 128
    n_epochs: int = 20

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("n_images", 1), ("size", 64), ("n_epochs", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} = {getattr(self, name)}; give a number from {least} up")

    def train(
        self, folder: str | Path, *, progress: Callable[[int, int], None] | None = None
    ) -> Path:
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
        check_installed("cellpose")
        known = json.dumps({**asdict(self), "cellpose": version_of("cellpose")})
        name = hashlib.sha256(known.encode()).hexdigest()[:12]
        path = Path(folder) / f"cell-model-{name}.pth"
        if path.exists():
            return path
        if not version_of("cellpose").startswith("3."):
            raise InputError(
                f"Cellpose {version_of('cellpose')} cannot be trained from scratch; install "
                "cellpose 3, or give weights of your own"
            )
        images, labels = zip(*(self._image(i) for i in range(self.n_images)), strict=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="freq2clean-") as temporary:
            with quiet("cellpose"), _same_random_numbers(self.seed):
                trained = self._train(list(images), list(labels), temporary)
            with whole_file(path) as unfinished:
                shutil.copyfile(trained, unfinished)
        return path

    def _train(
        self, images: list[NDArray[np.float32]], labels: list[NDArray[Any]], folder: str
    ) -> Path:
        from cellpose import models, train

        model = models.CellposeModel(gpu=False, pretrained_model=False, diam_mean=_DIAMETER_PX)
        path, *_ = train.train_seg(
            model.net,
            train_data=images,
            train_labels=labels,
            channels=[0, 0],
            n_epochs=self.n_epochs,
            learning_rate=0.1,
            SGD=True,
            weight_decay=1e-4,
            batch_size=8,
            min_train_masks=1,
            bsize=96,
            save_path=folder,
        )
        return Path(path)

    def _image(self, index: int) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """One image, and the somata in it."""
        rng = np.random.default_rng((self.seed, index))
        recording = simulate((_N_FRAMES, self.size, self.size), seed=self.seed + index)
        image = _view(recording, index)
        image = gaussian_filter(image, rng.choice([0.0, 0.5, 1.0]))
        if rng.random() < 0.5:
            low, high = np.log([_DIMMEST_PHOTONS, _BRIGHTEST_PHOTONS])
            photons = np.exp(rng.uniform(low, high)) * image / image.mean()
            image = rng.poisson(np.maximum(photons, 0)).astype(np.float32)
        return image, recording.labels


def _view(recording: SimulatedRecording, index: int) -> NDArray[np.float32]:
    """A frame, the mean image or the maximum projection, in turn."""
    truth = recording.truth[:]
    views = (truth[index % len(truth)], truth.mean(axis=0), truth.max(axis=0))
    return np.asarray(views[index % len(views)] - truth.min(), np.float32)


@contextmanager
def _same_random_numbers(seed: int) -> Iterator[None]:
    """Cellpose draws from global generators: these are seeded, and put back."""
    import torch

    numpy_state = np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
