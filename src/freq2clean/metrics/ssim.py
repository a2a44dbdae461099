"""Structural similarity: the formula, and its mean over single frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from freq2clean.metrics.normalisation import Scaling
from freq2clean.metrics.pairs import Accumulator, FramePair, FrameStack, blocks_of, checked_shape
from freq2clean.metrics.window import FrameWindow

__all__ = ["FrameSSIM", "SSIMMaps", "similarity", "ssim_frames"]

_C1 = 0.01**2
_C2 = 0.03**2


class SSIMMaps:
    """What the window averages, for a pair of frames scaled to a data range of 1.

    SSIM needs two means, two variances and one covariance. They follow from the sum and the
    difference of the two frames and the squares of these, so four images are enough. An offset,
    the mean of the first sum, is taken off before squaring: variances keep their digits in float32.
    """

    def __init__(self, truth: Scaling, recording: Scaling) -> None:
        self._truth = truth
        self._recording = recording
        self.offset = 0.0
        self._started = False

    def of(self, pair: FramePair) -> NDArray[np.float32]:
        """Images (4, Y, X): sum, difference, their squares; missing pixels are 0."""
        truth, recording = self._truth.apply(pair.truth), self._recording.apply(pair.recording)
        total = truth + recording
        if not self._started and (pair.ok is None or pair.ok.any()):
            self.offset = float(total.mean(where=True if pair.ok is None else pair.ok))
            self._started = True
        total -= self.offset
        difference = np.subtract(truth, recording, out=truth)
        if pair.ok is not None:
            total *= pair.ok
            difference *= pair.ok
        maps = np.empty((4, *total.shape), np.float32)
        maps[0], maps[1] = total, difference
        np.square(maps[:2], out=maps[2:])
        return maps


def similarity(
    means: NDArray[np.float32], mass: NDArray[np.float32], offset: float
) -> NDArray[np.float32]:
    """SSIM from the windowed means of the four images of `SSIMMaps`.

    Parameters
    ----------
    means : ndarray (4, ...), float32
    mass : ndarray (...), float32
        Share of the window that lies within the recording; the rest counts as pixels of 0.
    offset : float
        What was taken off the sum.
    """
    total, difference, total_squared, difference_squared = means
    lifted = np.float32(offset) * mass
    total_variance = total_squared - total * total
    total_variance += (np.float32(offset) * (1 - mass)) * (2 * total + lifted)
    difference_variance = difference_squared - difference * difference
    total_power = (total + lifted) ** 2
    difference_power = difference * difference
    luminance = (total_power - difference_power + np.float32(2 * _C1)) / (
        total_power + difference_power + np.float32(2 * _C1)
    )
    structure = (total_variance - difference_variance + np.float32(2 * _C2)) / (
        total_variance + difference_variance + np.float32(2 * _C2)
    )
    product: NDArray[np.float32] = luminance * structure
    return product


class FrameSSIM(Accumulator):
    """SSIM of each frame, averaged over frames; takes frames in any number of blocks.

    Parameters
    ----------
    frame_shape : (int, int)
        Rows and columns, at least 11 each.
    data_range : float
        In the units of the pixels.
    """

    def __init__(self, frame_shape: tuple[int, int], *, data_range: float) -> None:
        scaling = Scaling.by_data_range(data_range)
        self._maps = SSIMMaps(scaling, scaling)
        self._window = FrameWindow(frame_shape, padding="valid")
        self._mass = self._window.mass.astype(np.float32)
        self._sum = 0.0
        self._frames = 0

    def add_pair(self, pair: FramePair, /) -> None:
        maps = self._window.smooth(self._maps.of(pair))
        ssim = similarity(maps, self._mass, self._maps.offset)
        if pair.ok is not None:
            missing = (~pair.ok[np.newaxis]).astype(np.float32)
            ssim = ssim[self._window.smooth(missing)[0] == 0]
        if ssim.size:
            self._sum += float(ssim.mean(dtype=np.float64))
            self._frames += 1

    def result(self) -> float:
        """The mean; nan if no window is free of missing pixels."""
        return self._sum / self._frames if self._frames else float("nan")


def ssim_frames(truth: FrameStack, recording: FrameStack, /, *, data_range: float) -> float:
    """Mean structural similarity of single frames.

    The index of Wang et al. [1]_: Gaussian window 11 wide, sigma 1.5, only windows that lie
    within the frame, population variances. Windows with a missing (not finite) pixel are left out.

    Parameters
    ----------
    truth, recording : array (T, Y, X)
        Integers or floats, at least 11 rows and columns; sliced lazily along T.
    data_range : float
        In the units of the pixels.

    Returns
    -------
    float
        At most 1.

    Raises
    ------
    InputError
        Shapes that differ, frames smaller than the window, a data range that is not positive.

    References
    ----------
    .. [1] Wang et al., "Image quality assessment: from error visibility to structural
       similarity", IEEE Transactions on Image Processing 13 (2004). doi:10.1109/TIP.2003.819861

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.random.default_rng(0).random((2, 16, 16))
    >>> ssim_frames(truth, truth, data_range=1.0)
    1.0
    """
    score = FrameSSIM(checked_shape(truth, recording)[1:], data_range=data_range)
    for block in blocks_of(truth, recording):
        score.add(*block)
    return score.result()
