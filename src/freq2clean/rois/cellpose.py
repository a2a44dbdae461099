"""Cellpose: cells by how they look, in single frames, the mean image and the maximum projection."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.recordings.contract import Recording
from freq2clean.recordings.provenance import described
from freq2clean.rois.contract import Labels, Rois
from freq2clean.rois.images import summarised
from freq2clean.rois.reading import Progress, part_of
from freq2clean.rois.tools import check_installed, imported, quiet, version_of
from freq2clean.rois.traces import extract_traces

__all__ = ["IMAGES", "Cellpose"]

IMAGES = ("mean", "max")
"""Summary images that ROIs can be taken from."""

_THREE = "cyto3"


@dataclass(frozen=True)
class Cellpose:
    """Cells found by Cellpose [1]_ (extra ``cellpose``) from how they look.

    Parameters
    ----------
    cell_model : path, optional
        Weights that Cellpose saved, of the version that is installed: 3.x reads those of 2.x and
        3.x, 4.x its own. Without it Cellpose gets its standard model, once, from the internet.
    diameter_px : float, optional
        Of a typical cell; without it, that of the model.
    n_frames : int
        Frames to segment one by one, spread over the recording.
    image : {"mean", "max"}
        Which image the ROIs are taken from: the mean, or the maximum projection.
    flow_threshold, cell_probability_threshold : float
        Cellpose's own: more of the first and less of the second give more cells.

    Notes
    -----
    Memory holds the frames that are segmented and two images more, whatever the length.

    References
    ----------
    .. [1] C. Stringer et al., Nature Methods 2021, doi:10.1038/s41592-020-01018-x
    """

    name: ClassVar[str] = "cellpose"

    cell_model: str | Path | None = None
    diameter_px: float | None = None
    n_frames: int = 50
    image: str = "mean"
    flow_threshold: float = 0.4
    cell_probability_threshold: float = 0.0

    def __post_init__(self) -> None:
        if self.diameter_px is not None and not 1 <= self.diameter_px < np.inf:
            raise InputError(f"diameter_px = {self.diameter_px}; give 1 or more")
        if self.n_frames < 0:
            raise InputError(f"n_frames = {self.n_frames}; give a number from 0 up")
        if self.image not in IMAGES:
            raise InputError(f"image = {self.image!r}; give one of {', '.join(IMAGES)}")

    def find(self, recording: Recording, /, *, progress: Progress | None = None) -> Rois:
        """The ROIs of a recording with their traces, and all label images.

        Raises
        ------
        InputError
            If the model cannot be used, or Cellpose fails.
        MissingExtraError
            If Cellpose is not installed.
        """
        check_installed(self.name)
        segment = self._segmenter()
        images = summarised(recording, self.n_frames, progress=part_of(progress, 0, 3))
        segmenting = part_of(progress, 1, 3)
        labels: list[Labels] = []
        stack = [*images.frames, images.mean, images.maximum]
        for done, image in enumerate(stack, 1):
            with quiet(self.name):
                labels.append(segment(image))
            if segmenting:
                segmenting(done * len(recording) // len(stack), len(recording))
        rois = Rois.from_label_image(
            labels[-2] if self.image == "mean" else labels[-1],
            frames=images.indices,
            frame_labels=np.array(labels[:-2], np.uint32).reshape(-1, *recording.shape[1:]),
            mean_labels=labels[-2],
            max_labels=labels[-1],
            tool=f"{self.name} {version_of(self.name)}",
            options={
                **asdict(self),
                "cell_model": self.cell_model and Path(self.cell_model).name,
                "recording": described(recording),
            },
        )
        traces = extract_traces(rois, recording, progress=part_of(progress, 2, 3))
        return replace(rois, traces=traces)

    def _segmenter(self) -> Callable[[NDArray[np.float32]], Labels]:
        """What gives the label image of an image (Y, X), by whichever version there is."""
        three = int(version_of(self.name).split(".")[0]) < 4
        with quiet(self.name):
            model = _model_of(self.cell_model, three=three)
        channels = {"channels": [0, 0]} if three else {}

        def segment(image: NDArray[np.float32]) -> Labels:
            masks, *_ = model.eval(
                image,
                diameter=self.diameter_px,
                flow_threshold=self.flow_threshold,
                cellprob_threshold=self.cell_probability_threshold,
                **channels,
            )
            return np.asarray(masks).astype(np.uint32).reshape(image.shape)

        return segment


def _model_of(path: str | Path | None, *, three: bool) -> Any:
    """The network, with the user's weights or the tool's own."""
    import torch

    models = imported("cellpose.models")
    gpu = torch.cuda.is_available()
    if path is None:
        return _standard_model(models, gpu, three=three)
    weights = _checked_weights(Path(path))
    try:
        model = models.CellposeModel(gpu=gpu, pretrained_model=str(Path(path).absolute()))
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise _another_network(path, str(error).splitlines()[0]) from error
    _check_complete(model, weights, path)
    return model


def _standard_model(models: ModuleType, gpu: bool, *, three: bool) -> Any:
    """The tool's own, from where it keeps it, or from the internet."""
    try:
        return models.CellposeModel(gpu=gpu, **({"model_type": _THREE} if three else {}))
    except OSError as error:
        raise InputError(
            f"Cellpose could not get its standard model ({error}); give weights with cell_model "
            "(--cell-model), or go where there is internet once"
        ) from error


def _checked_weights(path: Path) -> Mapping[str, Any]:
    """Weights by name; no pickle is run."""
    import torch

    if not path.is_file():
        raise InputError(f"{path}: there is no such file; give weights that Cellpose saved")
    try:
        held = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except Exception as error:  # damaged in whatever way
        raise InputError(f"{path} holds no weights; give a file that Cellpose saved") from error
    if not isinstance(held, Mapping) or not all(
        isinstance(one, torch.Tensor) for one in held.values()
    ):
        raise InputError(f"{path} holds no weights; give a file that Cellpose saved")
    return {str(name).removeprefix("module."): value for name, value in held.items()}


def _check_complete(model: Any, weights: Mapping[str, Any], path: str | Path) -> None:
    """Refuse weights of another network, which Cellpose takes without a word."""
    own = {
        name: value
        for name, value in model.net.state_dict().items()
        if not name.startswith("diam_") and not name.endswith("num_batches_tracked")
    }
    strange = [
        name
        for name, value in own.items()
        if name not in weights or weights[name].shape != value.shape
    ]
    if strange:
        raise _another_network(path, f"{len(strange)} of {len(own)} arrays do not fit")


def _another_network(path: str | Path, why: str) -> InputError:
    return InputError(
        f"{path} holds the weights of another network ({why}); give a model of Cellpose "
        f"{version_of('cellpose')}"
    )
