"""Regions of interest as every tool gives them, and what a tool promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from freq2clean.errors import InputError
from freq2clean.recordings.contract import Recording
from freq2clean.recordings.small_files import load_npz, save_npz
from freq2clean.rois.reading import Progress

__all__ = ["Labels", "RoiFinder", "Rois"]

Labels = NDArray[np.uint32]
"""An image or images whose pixels say to which ROI they belong, from 1; 0 for none."""

_PER_ROI = ("traces", "neuropil", "spikes", "probability", "is_cell")
_PER_FRAME = ("traces", "neuropil", "spikes")
_LABELS = ("frame_labels", "mean_labels", "max_labels")
_ARRAYS = (*_PER_ROI, "frames", *_LABELS)
_FORMAT = "freq2clean ROIs 1"


class RoiFinder(Protocol):
    """A tool with its options; implementations are frozen dataclasses.

    Attributes
    ----------
    name : str
        What the command line calls it.
    """

    name: ClassVar[str]

    def find(self, recording: Recording, /, *, progress: Progress | None = None) -> Rois:
        """The ROIs of a recording, none if it finds none.

        Raises
        ------
        InputError
            If the tool cannot be used on such a recording, or fails; the message says what the
            tool said.
        MissingExtraError
            If the tool is not installed.
        """


@dataclass(frozen=True, eq=False)
class Rois:
    """Regions of interest of one recording.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of a frame.
    footprints : sparse array (n, Y * X) float32
        How much each pixel counts in each ROI, 0 or more; pixels row by row. ROIs may overlap.
    traces : (n, T) float32, optional
        Fluorescence of each ROI.
    neuropil : (n, T) float32, optional
        Fluorescence around each ROI, which the traces still hold a share of.
    spikes : (n, T) float32, optional
        Deconvolved activity.
    probability : (n,) float32, optional
        That the ROI is a cell, as the tool sees it.
    is_cell : (n,) bool, optional
        What the tool takes for a cell.
    frames : (k,) int64, optional
        Indices of frames that were segmented one by one.
    frame_labels : (k, Y, X) uint32, optional
        Their label images.
    mean_labels, max_labels : (Y, X) uint32, optional
        Label images of the mean image and of the maximum projection.
    tool : str
        What found them, with its version.
    options : mapping
        Of the tool, JSON-serialisable.

    Raises
    ------
    InputError
        Where the arrays do not fit each other.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.array([[1, 1, 0], [0, 0, 2]])
    >>> rois = Rois.from_label_image(labels, tool="drawn by hand")
    >>> len(rois), rois.masks()[1].tolist()
    (2, [[False, False, False], [False, False, True]])
    """

    shape: tuple[int, int]
    footprints: sparse.csr_array
    traces: NDArray[np.float32] | None = None
    neuropil: NDArray[np.float32] | None = None
    spikes: NDArray[np.float32] | None = None
    probability: NDArray[np.float32] | None = None
    is_cell: NDArray[np.bool_] | None = None
    frames: NDArray[np.int64] | None = None
    frame_labels: Labels | None = None
    mean_labels: Labels | None = None
    max_labels: Labels | None = None
    tool: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n_pixels = self.shape[0] * self.shape[1]
        footprints = sparse.csr_array(self.footprints, dtype=np.float32)
        if footprints.shape[1] != n_pixels:
            raise InputError(
                f"footprints of {footprints.shape[1]} pixels, and frames of {self.shape[0]} x "
                f"{self.shape[1]}; they must have as many"
            )
        if footprints.nnz and not (np.isfinite(footprints.data) & (footprints.data >= 0)).all():
            raise InputError("footprints hold values below 0 or not finite; give weights from 0 up")
        footprints.sum_duplicates()
        footprints.eliminate_zeros()
        object.__setattr__(self, "footprints", footprints)
        self._check_arrays()

    def _check_arrays(self) -> None:
        held = self._held()
        for name in held.keys() & _PER_ROI:
            if len(held[name]) != len(self):
                raise InputError(f"{name} of {len(held[name])} ROIs, footprints of {len(self)}")
        lengths = {name: held[name].shape[1] for name in _PER_FRAME if name in held}
        if len(set(lengths.values())) > 1:
            raise InputError(f"frames differ in number: {lengths}")
        for name in held.keys() & _LABELS:
            if held[name].shape[-2:] != self.shape:
                raise InputError(f"{name} of shape {held[name].shape}, frames of {self.shape}")
        if len(held.get("frames", ())) != len(held.get("frame_labels", ())):
            raise InputError("frames and frame_labels differ in number; give both, one per frame")

    def __len__(self) -> int:
        return int(self.footprints.shape[0])

    @classmethod
    def from_label_image(cls, labels: NDArray[Any], /, **others: Any) -> Self:
        """ROIs of a (Y, X) image of whole numbers, one per number above 0, in their order.

        Parameters
        ----------
        **others
            Other attributes.
        """
        if labels.ndim != 2 or labels.dtype.kind not in "ui":
            raise InputError(
                f"labels of shape {labels.shape} {labels.dtype}; give whole numbers (Y, X)"
            )
        pixels = np.flatnonzero(labels > 0)
        numbers, rows = np.unique(labels.reshape(-1)[pixels], return_inverse=True)
        weights = np.ones(len(pixels), np.float32)
        footprints = sparse.csr_array(
            (weights, (rows, pixels)), shape=(len(numbers), labels.size), dtype=np.float32
        )
        return cls((labels.shape[0], labels.shape[1]), footprints, **others)

    @classmethod
    def from_masks(cls, masks: NDArray[Any], /, **others: Any) -> Self:
        """ROIs of masks or weights (n, Y, X).

        Parameters
        ----------
        **others
            Other attributes.
        """
        if masks.ndim != 3 or masks.dtype.kind not in "buif":
            raise InputError(f"masks of shape {masks.shape} {masks.dtype}; give numbers (n, Y, X)")
        n, height, width = masks.shape
        footprints = sparse.csr_array(masks.reshape(n, height * width).astype(np.float32))
        return cls((height, width), footprints, **others)

    def masks(self, *, at_least: float = 0.0) -> NDArray[np.bool_]:
        """Which pixels belong to each ROI: boolean (n, Y, X).

        Parameters
        ----------
        at_least : float
            Share of the ROI's greatest weight that a pixel needs; 0 for all that count at all.
        """
        found = self._relative() >= max(at_least, np.finfo(np.float32).tiny)
        return np.asarray(found.toarray()).reshape(len(self), *self.shape)

    def label_image(self) -> Labels:
        """To which ROI each pixel belongs, from 1, and 0 for none: (Y, X).

        Where ROIs overlap it is the one that the pixel counts most in, by the share of its greatest
        weight.
        """
        shares = self._relative().tocoo()
        order = np.argsort(shares.data, kind="stable")
        labels = np.zeros(self.shape[0] * self.shape[1], np.uint32)
        labels[shares.col[order]] = shares.row[order] + 1
        return labels.reshape(self.shape)

    def cells(self) -> Self:
        """Those that the tool takes for cells; all of them where it does not say."""
        if self.is_cell is None:
            return self
        chosen = np.flatnonzero(self.is_cell)
        kept = {name: value[chosen] for name, value in self._held().items() if name in _PER_ROI}
        return replace(self, footprints=self.footprints[chosen], **kept)

    def save(self, path: str | Path, /) -> None:
        """Write all of it to an .npz file, or nothing.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        about = {"format": _FORMAT, "shape": self.shape, "tool": self.tool, "options": self.options}
        footprints = {
            "weights": self.footprints.data,
            "pixels": self.footprints.indices,
            "starts": self.footprints.indptr,
        }
        save_npz(path, about, footprints | self._held(), compress=True)

    @classmethod
    def load(cls, path: str | Path, /) -> Self:
        """What `save` wrote.

        Raises
        ------
        InputError
            If there is no such file, or it is none of these.
        """
        if not Path(path).is_file():
            raise InputError(f"{path}: there is no such file; give one that holds ROIs")
        about, arrays = load_npz(path, what="ROIs of freq2clean")
        try:
            if about.pop("format") != _FORMAT:
                raise ValueError("another format")
            height, width = about.pop("shape")
            weights, pixels, starts = (arrays.pop(name) for name in ("weights", "pixels", "starts"))
            footprints = sparse.csr_array(
                (weights, pixels, starts), shape=(len(starts) - 1, height * width)
            )
            footprints.check_format(full_check=True)
            return cls((height, width), footprints, **about, **cast(dict[str, Any], arrays))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path} holds no ROIs of freq2clean, or is damaged") from error

    def _held(self) -> dict[str, Any]:
        """The arrays beside the footprints that are known."""
        return {name: value for name in _ARRAYS if (value := getattr(self, name)) is not None}

    def _relative(self) -> sparse.csr_array:
        """Footprints whose greatest weight is 1."""
        greatest = self.footprints.max(axis=1).toarray().reshape(-1)
        relative = self.footprints.copy()
        relative.data /= np.repeat(greatest, np.diff(relative.indptr))
        return relative
