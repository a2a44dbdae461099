"""Noise2Noise: a network learns one acquisition from another of the same scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from freq2clean.denoisers.contract import Frames, Progress, check, valid_frames
from freq2clean.denoisers.deepcad import DeepCAD, DeepCADModel
from freq2clean.denoisers.deepcad.units import measure
from freq2clean.errors import InputError

if TYPE_CHECKING:
    from freq2clean.denoisers.deepcad.training import Lesson

__all__ = ["Alternating", "Noise2Noise"]


@dataclass(frozen=True)
class Noise2Noise(DeepCAD):
    """Denoising learned from pairs of noisy acquisitions, after Noise2Noise [1]_.

    The network, the loss and all options are those of `DeepCAD`. What differs are the pairs: each
    frame of one acquisition and the same frame of another, as two detectors or two sweeps give
    them. The other way to have pairs is the study's: the even frames of one recording, and the odd
    ones; `DeepCAD` does nearly the same, and takes several recordings for that.

    Notes
    -----
    Each acquisition has the units that it has when it is denoised: less its mean, over its noise.
    So they need not be on one scale.

    References
    ----------
    .. [1] J. Lehtinen et al., ICML 2018, arXiv:1803.04189

    Examples
    --------
    >>> import numpy as np
    >>> one, other = np.random.default_rng(0).poisson(9, (2, 40, 16, 16)).astype(np.uint16)
    >>> denoiser = Noise2Noise(
    ...     patch_t=8, patch_y=8, patch_x=8, patches_per_epoch=4, n_epochs=1, base_channels=4
    ... )
    >>> denoised = denoiser.fit(one, other).predict(one)
    >>> denoised.shape
    (40, 16, 16)
    """

    name: ClassVar[str] = "noise2noise"

    def fit(
        self,
        recording: Frames,
        /,
        *others: Frames,
        progress: Progress | None = None,
        checkpoint: str | Path | None = None,
        resume: bool = False,
    ) -> DeepCADModel:
        """Train on one recording, or on pairs of acquisitions.

        Parameters
        ----------
        recording, *others : arrays or recordings (T, Y, X)
            One, whose even and odd frames are the pairs; or two acquisitions of one scene, or four,
            two of each of two scenes, and so on.
        progress, checkpoint, resume
            As in `DeepCAD.fit`.

        Raises
        ------
        InputError
            As `DeepCAD.fit`, or if acquisitions are no pairs, or differ in size.
        MissingExtraError
            Without PyTorch.
        """
        self.check_installed()
        views: list[Frames] = [recording]
        if others:
            views = [Alternating(*pair) for pair in _pairs([recording, *others])]
        return super().fit(*views, progress=progress, checkpoint=checkpoint, resume=resume)

    def lesson(self) -> Lesson:
        return replace(super().lesson(), step=2)


class Alternating:
    """The frames of two acquisitions in turn, each in units of its own, as one recording.

    NaN is where nothing was measured.

    Parameters
    ----------
    one, other : arrays or recordings (T, Y, X)

    Examples
    --------
    >>> import numpy as np
    >>> one = np.array([2.0, 4.0, 6.0]).reshape(3, 1, 1)
    >>> (Alternating(one, 10 * one + 7)[1:5] * np.sqrt(2)).round(3).ravel().tolist()
    [-2.0, 0.0, 0.0, 2.0]
    """

    def __init__(self, one: Frames, other: Frames) -> None:
        self._views = [(view, measure(view)) for view in (one, other)]
        self.shape = (2 * one.shape[0], *one.shape[1:])
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, key: slice, /) -> NDArray[np.float32]:
        start, stop, _ = key.indices(self.shape[0])
        out = np.empty((stop - start, *self.shape[1:]), np.float32)
        for i, (view, units) in enumerate(self._views):
            first, last = (start - i + 1) // 2, (stop - i + 1) // 2
            out[2 * first + i - start :: 2] = units.of(valid_frames(np.asarray(view[first:last])))
        return out


def _pairs(acquisitions: Sequence[Frames]) -> list[tuple[Frames, Frames]]:
    for one in acquisitions:
        check(one)
    if len(acquisitions) % 2:
        raise InputError(
            f"{len(acquisitions)} recordings are no pairs of acquisitions; give two of each scene, "
            "or a single recording, or train deepcad on all of them"
        )
    pairs = list(zip(acquisitions[::2], acquisitions[1::2], strict=True))
    for one, other in pairs:
        if tuple(one.shape) != tuple(other.shape):
            raise InputError(
                f"two acquisitions of one scene are of {tuple(one.shape)} and {tuple(other.shape)} "
                "(frames, rows, columns); they must be equal, and two of each scene in a row"
            )
    return pairs
