"""Structural similarity with a window in time, rows and columns, as the original study has it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.metrics.normalisation import Scaling, checked_data_range
from freq2clean.metrics.pairs import Accumulator, FramePair, FrameStack, blocks_of, checked_shape
from freq2clean.metrics.quantiles import QuantileSketch
from freq2clean.metrics.ssim import SSIMMaps, similarity
from freq2clean.metrics.window import (
    RADIUS,
    FrameWindow,
    Padding,
    checked_padding,
    mass_along,
    windowed,
)

__all__ = ["SSIM3D", "SSIM3DOptions", "SSIM3DScore", "SSIM3DSurvey", "ssim3d", "taken_frames"]

_BUFFER_BYTES = 96 * 2**20
_PIXELS_AT_ONCE = 4096


@dataclass(frozen=True)
class SSIM3DOptions:
    """The convention under which SSIM3D is computed; the defaults are the study's.

    Parameters
    ----------
    normalisation : "own", "truth" or None
        Clip each recording to its own two percentiles and scale them to 0 and 1; or both
        recordings to the percentiles of the truth; or divide both by `data_range`, unclipped.
    percentiles : (float, float)
        In percent, of the frames that the stride leaves.
    data_range : float or None
        In the units of the pixels; with normalisation None only.
    stride : int
        Every how manieth frame is taken, before anything else.
    padding : "zero" or "valid"
        Zeros beyond the borders, or only windows that lie within the recording.

    Examples
    --------
    >>> SSIM3DOptions(normalisation="truth", stride=1).stride
    1
    """

    normalisation: Literal["own", "truth"] | None = "own"
    percentiles: tuple[float, float] = (0.25, 99.9)
    data_range: float | None = None
    stride: int = 4
    padding: Padding = "zero"

    def __post_init__(self) -> None:
        if self.normalisation not in ("own", "truth", None):
            raise InputError(f"normalisation={self.normalisation!r}; it is 'own', 'truth' or None")
        if (self.normalisation is None) != (self.data_range is not None):
            raise InputError(
                f"normalisation={self.normalisation!r} with data_range={self.data_range}; "
                "a data range goes with normalisation=None, and only with it"
            )
        if self.data_range is not None:
            checked_data_range(self.data_range)
        low, high = self.percentiles
        if not 0 <= low < high <= 100:
            raise InputError(
                f"percentiles={self.percentiles}; two rising numbers between 0 and 100 are needed"
            )
        if self.stride < 1:
            raise InputError(f"stride={self.stride}; it is 1 (all frames) or more")


@dataclass(frozen=True)
class SSIM3DScore:
    """A value of SSIM3D and the convention it was computed under.

    Attributes
    ----------
    value : float
        Mean of the map; nan if no window is free of missing pixels.
    options : SSIM3DOptions
    truth_range, recording_range : (float, float)
        The pixels that became 0 and 1.
    frames : int
        Frames that the stride left.
    left_out : int
        Windows left out, because a pixel within them is missing.
    """

    value: float
    options: SSIM3DOptions
    truth_range: tuple[float, float]
    recording_range: tuple[float, float]
    frames: int
    left_out: int

    def __float__(self) -> float:
        return self.value

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class SSIM3DSurvey:
    """The first pass: finds how to scale the two recordings; takes frames in order.

    Parameters
    ----------
    options : SSIM3DOptions
    """

    def __init__(self, options: SSIM3DOptions) -> None:
        self._options = options
        self._truth = QuantileSketch()
        self._own = QuantileSketch()
        self._seen = 0

    def add(self, truth: NDArray[Any], recording: NDArray[Any], /) -> None:
        """Look at the next frames of both, two arrays (n, Y, X)."""
        taken = slice(-self._seen % self._options.stride, None, self._options.stride)
        self._seen += len(truth)
        if self._options.normalisation is not None:
            self._truth.add(truth[taken])
        if self._options.normalisation == "own":
            self._own.add(recording[taken])

    def scalings(self) -> tuple[Scaling, Scaling]:
        """How to scale the truth and the recording."""
        if self._options.data_range is not None:
            scaling = Scaling.by_data_range(self._options.data_range)
            return scaling, scaling
        truth = Scaling.by_percentiles(self._truth, self._options.percentiles)
        if self._options.normalisation == "truth":
            return truth, truth
        return truth, Scaling.by_percentiles(self._own, self._options.percentiles)


class SSIM3D(Accumulator):
    """SSIM3D of frames that come in order, in blocks of any length.

    Frames are smoothed in space as they come and kept until the window in time is full: some
    100 MB for 512 x 512 pixels and any number of frames. Blocks change no digit of the result.

    Parameters
    ----------
    shape : (int, int, int)
        Frames, rows, columns, before the stride.
    options : SSIM3DOptions
    scalings : (Scaling, Scaling)
        What `SSIM3DSurvey` found.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        options: SSIM3DOptions,
        scalings: tuple[Scaling, Scaling],
    ) -> None:
        self._options = options
        self._scalings = scalings
        self._frames = taken_frames(shape[0], options)
        self._maps = SSIMMaps(*scalings)
        self._window = FrameWindow(shape[1:], padding=options.padding)
        self._mass = self._window.mass.ravel()
        self._mass_in_time = mass_along(self._frames, options.padding)
        self._chunk = int(np.clip(_BUFFER_BYTES // (16 * self._mass.size) - 2 * RADIUS, 4, 16))
        self._buffer = np.empty((self._chunk + 2 * RADIUS, 4, self._mass.size), np.float32)
        self._missing: list[NDArray[np.float32] | None] = []
        self._seen = 0
        self._taken = 0
        self._scored = 0
        self._sum = 0.0
        self._counted = 0
        self._left_out = 0
        self._pad_in_time()

    def add(self, truth: NDArray[Any], recording: NDArray[Any], /) -> None:
        taken = slice(-self._seen % self._options.stride, None, self._options.stride)
        self._seen += len(truth)
        super().add(truth[taken], recording[taken])

    def add_pair(self, pair: FramePair, /) -> None:
        """Take the next frame that the stride leaves."""
        missing = None
        if pair.ok is not None:
            missing = self._window.smooth((~pair.ok[np.newaxis]).astype(np.float32)).ravel()
        self._push(self._window.smooth(self._maps.of(pair)).reshape(4, -1), missing)
        self._taken += 1
        if self._taken == self._frames:
            self._pad_in_time()
            self._score()

    def result(self) -> SSIM3DScore:
        """The score, once all frames have been added."""
        if self._taken != self._frames:
            raise InputError(f"{self._taken} of {self._frames} frames added; SSIM3D needs them all")
        truth, recording = self._scalings
        return SSIM3DScore(
            value=self._sum / self._counted if self._counted else float("nan"),
            options=self._options,
            truth_range=(truth.low, truth.high),
            recording_range=(recording.low, recording.high),
            frames=self._frames,
            left_out=self._left_out,
        )

    def _pad_in_time(self) -> None:
        if self._options.padding == "zero":
            for _ in range(RADIUS):
                self._push(np.float32(0), None)

    def _push(
        self, images: NDArray[np.float32] | np.float32, missing: NDArray[np.float32] | None
    ) -> None:
        if len(self._missing) == len(self._buffer):
            self._score()
        self._buffer[len(self._missing)] = images
        self._missing.append(missing)

    def _score(self) -> None:
        """Apply the window in time to the frames held, and keep those that later ones need."""
        held = len(self._missing)
        fitting = held - 2 * RADIUS
        touched = self._touched(fitting)
        in_time = self._mass_in_time[self._scored : self._scored + fitting]
        for start in range(0, self._mass.size, _PIXELS_AT_ONCE):
            pixels = slice(start, start + _PIXELS_AT_ONCE)
            means = windowed(self._buffer[:held, :, pixels], 0)
            mass = np.outer(in_time, self._mass[pixels]).astype(np.float32)
            ssim = similarity(means.swapaxes(0, 1), mass, self._maps.offset)
            if touched is not None:
                ssim = ssim[~touched[:, pixels]]
            self._sum += float(ssim.sum(dtype=np.float64))
            self._counted += ssim.size
            self._left_out += mass.size - ssim.size
        self._scored += fitting
        self._buffer[: 2 * RADIUS] = self._buffer[fitting:held].copy()
        del self._missing[:fitting]

    def _touched(self, fitting: int) -> NDArray[np.bool_] | None:
        """Where a missing pixel lies within the window, or None if there is none at all."""
        if all(image is None for image in self._missing):
            return None
        touched = np.zeros((fitting, self._mass.size), np.bool_)
        for frame, image in enumerate(self._missing):
            if image is not None:
                touched[max(0, frame - 2 * RADIUS) : frame + 1] |= image > 0
        return touched


def taken_frames(frames: int, options: SSIM3DOptions) -> int:
    """How many frames the stride leaves, or an InputError if the padding needs more."""
    taken = -(-frames // options.stride)
    name = "frames" if options.stride == 1 else f"frames (1 in {options.stride} of {frames})"
    checked_padding(options.padding, taken, name)
    return taken


def ssim3d(
    truth: FrameStack,
    recording: FrameStack,
    /,
    *,
    normalisation: Literal["own", "truth"] | None = "own",
    percentiles: tuple[float, float] = (0.25, 99.9),
    data_range: float | None = None,
    stride: int = 4,
    padding: Padding = "zero",
) -> SSIM3DScore:
    """Structural similarity with a Gaussian window over time, rows and columns.

    The index of Wang et al. [1]_ with a window of 11 x 11 x 11 (sigma 1.5), population variances,
    C1 = 0.01**2 and C2 = 0.03**2. The defaults are the convention of the original study: every 4th
    frame, each recording clipped to its own 0.25 and 99.9 percentiles and scaled to [0, 1], zeros
    beyond the borders (which also sees T shorter than the window). The same recordings score very
    differently under another convention, so the score carries its own.

    Parameters
    ----------
    truth, recording : array (T, Y, X)
        Integers or floats; sliced lazily along T, twice where percentiles are needed.
    normalisation, percentiles, data_range, stride, padding
        See `SSIM3DOptions`.

    Returns
    -------
    SSIM3DScore
        ``float(score)`` is the value.

    Raises
    ------
    InputError
        Shapes that differ, options that do not fit together, fewer frames, rows or columns than
        the window with padding "valid".

    References
    ----------
    .. [1] Wang et al., "Image quality assessment: from error visibility to structural
       similarity", IEEE Transactions on Image Processing 13 (2004). doi:10.1109/TIP.2003.819861

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.random.default_rng(0).random((20, 16, 16))
    >>> float(ssim3d(truth, 2 * truth + 7))
    1.0
    >>> float(ssim3d(truth, 2 * truth, normalisation=None, data_range=1.0)) < 0.7
    True
    """
    options = SSIM3DOptions(normalisation, percentiles, data_range, stride, padding)
    shape = checked_shape(truth, recording)
    survey = SSIM3DSurvey(options)
    if options.normalisation is not None:
        for block in blocks_of(truth, recording):
            survey.add(*block)
    score = SSIM3D(shape, options, survey.scalings())
    for block in blocks_of(truth, recording):
        score.add(*block)
    return score.result()
