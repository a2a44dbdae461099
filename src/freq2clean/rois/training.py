"""Train a Cellpose model from scratch, which version 3 can, and which needs no download."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.recordings.small_files import whole_file
from freq2clean.rois.tools import check_installed, imported, quiet, version_of

__all__ = ["check_trainable", "train_cellpose"]

_TOOL = "cellpose"


def check_trainable() -> None:
    """Refuse a Cellpose that cannot be trained from scratch.

    Raises
    ------
    InputError
        If it is not of version 3.
    MissingExtraError
        If it is not installed.
    """
    check_installed(_TOOL)
    if not version_of(_TOOL).startswith("3."):
        raise InputError(
            f"Cellpose {version_of(_TOOL)} cannot be trained from scratch; install cellpose 3, or "
            "give weights of your own"
        )


def train_cellpose(
    images: Sequence[NDArray[np.float32]],
    labels: Sequence[NDArray[Any]],
    path: str | Path,
    /,
    *,
    diameter_px: float = 12.0,
    n_epochs: int = 20,
    batch_size: int = 8,
    crop_px: int = 96,
    seed: int = 0,
) -> None:
    """Train on images (Y, X) and their label images, and write the weights for `Cellpose`.

    Parameters
    ----------
    images, labels : sequence of (Y, X)
    path : path
    diameter_px : float
        To which the cells of all images are scaled.
    n_epochs, batch_size, crop_px : int
        Rounds of training, images in a step, and rows and columns of them that are looked at.
    seed : int
        The same seed trains the same model.

    Raises
    ------
    InputError
        If the installed Cellpose cannot be trained from scratch, or fails.
    MissingExtraError
        If it is not installed.
    OutputError
        If the weights cannot be written.
    """
    check_trainable()
    with tempfile.TemporaryDirectory(prefix="freq2clean-") as folder:
        with quiet(_TOOL), redirect_stderr(StringIO()), _seeded(seed):
            models, train = imported("cellpose.models"), imported("cellpose.train")
            model = models.CellposeModel(gpu=False, pretrained_model=False, diam_mean=diameter_px)
            trained, *_ = train.train_seg(
                model.net,
                train_data=list(images),
                train_labels=list(labels),
                channels=[0, 0],
                n_epochs=n_epochs,
                learning_rate=0.1,
                SGD=True,
                weight_decay=1e-4,
                batch_size=batch_size,
                min_train_masks=1,
                bsize=crop_px,
                save_path=folder,
            )
        with whole_file(Path(path)) as unfinished:
            shutil.copyfile(trained, unfinished)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """The global generators, which Cellpose draws from, are seeded and put back."""
    import torch

    before = np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002
