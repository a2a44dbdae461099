"""Push a pair of frames, get the fused frame: what is known by then is what it is fused by."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.fusion.live.solving import Solved, Solver
from freq2clean.fusion.live.sums import RoundSums
from freq2clean.fusion.live.watching import Watch
from freq2clean.fusion.method import as_frames
from freq2clean.fusion.missing import missing_rows
from freq2clean.fusion.scale import Scale

__all__ = ["StreamingFuser"]

_LEAST_FRAMES = 32
_REST_EVERY = 2


class StreamingFuser:
    """Fuse a recording while it is acquired, frame by frame.

    The mean image's residual, raw minus denoised, is weighted as `Wiener` does, and added to every
    frame. It is solved again and again, a small step with each frame, so that no frame takes much
    longer than others; memory does not grow. Until the first solution is there, which takes some
    200 frames of 512 x 512 pixels and 60 small ones, frames come back as they were denoised.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of a frame.
    half_life_frames : float
        After so many frames, a frame counts half in the mean. By default none is forgotten: best
        where nothing moves.
    half_life_s : float, optional
        The same in seconds, with ``frame_rate_hz``.
    frame_rate_hz : float, optional
        Frames per second.
    lag_frames : int
        Give each frame back so many frames later, fused by what is known then.
    rescale : bool
        Match a denoised recording that is clearly on another scale than the raw one.
    keep_fixed_pattern : bool
        True to take offsets of whole lines and hot pixels of the raw recording for signal.

    Raises
    ------
    InputError
        Where an option is not as above.

    Notes
    -----
    Where a frame is clearly on another scale than those before it, for five frames or more, all is
    measured anew. Values that are missing from the raw recording (dropped lines, NaN) do not count;
    NaN in either recording gives NaN at that place. What a projection such as PCA leaves in the
    mean image, all of its noise, stays there.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.full((32, 32), 5.0); truth[::4] = 25
    >>> raw = np.random.default_rng(0).poisson(truth, (200, 32, 32))
    >>> denoised = np.full((32, 32), 10.0)
    >>> fuser = StreamingFuser((32, 32))
    >>> fused = [fuser.push(frame, denoised) for frame in raw]
    >>> [bool(np.abs(fused[t] - truth).mean() < 1) for t in (0, 199)]
    [False, True]
    """

    def __init__(
        self,
        shape: tuple[int, int],
        /,
        *,
        half_life_frames: float = math.inf,
        half_life_s: float | None = None,
        frame_rate_hz: float | None = None,
        lag_frames: int = 0,
        rescale: bool = True,
        keep_fixed_pattern: bool = False,
    ) -> None:
        if np.shape(shape) != (2,) or min(shape) < 1:
            raise InputError(f"shape = {shape}; give rows and columns of a frame")
        if not lag_frames >= 0 or lag_frames % 1:
            raise InputError(f"lag_frames = {lag_frames}; give a whole number, 0 or more")
        self.shape = int(shape[0]), int(shape[1])
        self._keep = 0.5 ** (1 / _half_life(half_life_frames, half_life_s, frame_rate_hz))
        self._lag = int(lag_frames)
        self._rescale = rescale
        self._keep_fixed_pattern = keep_fixed_pattern
        self._waiting: deque[tuple[NDArray[Any], NDArray[np.bool_] | None]] = deque()
        self._n_starts = self._n_pushed = 0
        self._begin()

    def _begin(self) -> None:
        """Know nothing."""
        self._n_starts += 1
        self._watch = Watch(self.shape, self._keep, find_scale=self._rescale)
        self._filling, self._full = (RoundSums(self.shape, self._keep) for _ in range(2))
        self._solver = Solver(self.shape, self._keep, keep_fixed_pattern=self._keep_fixed_pattern)
        self._steps: Iterator[None] | None = None
        self._solved: Solved | None = None
        self._scale = Scale()

    def push(
        self,
        raw: NDArray[Any] | None,
        denoised: NDArray[Any],
        /,
        *,
        out: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32] | None:
        """The next frame of both recordings.

        Parameters
        ----------
        raw : ndarray, (Y, X), any real dtype, or None
            None where it was dropped.
        denoised : ndarray, (Y, X), any real dtype
        out : ndarray, (Y, X), float32, optional
            Where to put the result.

        Returns
        -------
        ndarray, (Y, X), float32, or None
            The fused frame, on the raw recording's scale, of ``lag_frames`` ago; None where there
            was none.

        Raises
        ------
        InputError
            Where a frame has another shape, or does not hold real numbers.
        """
        denoised = self._checked("denoised", denoised)
        unknown = self._take_in(raw, denoised)
        self._step()
        if not self._lag:
            return self._fused(denoised, unknown, out)
        self._waiting.append((denoised.copy(), unknown))
        return self._fused(*self._waiting.popleft(), out) if self._is_due else None

    def flush(self) -> list[NDArray[np.float32]]:
        """The frames that are still waiting for later ones, fused by all that were pushed."""
        self._finish()
        if self._waiting and self._filling.n_frames:
            self._steps = self._solve()
            self._finish()
        waiting, self._waiting = self._waiting, deque()
        return [self._fused(*frame, None) for frame in waiting]

    @property
    def findings(self) -> dict[str, Any]:
        """What was found by now, JSON-serialisable.

        ``n_frames_equivalent`` is the number of frames of equal weight that the mean is worth;
        ``weights`` are those per ring of spatial frequency, 0 where the raw recording has nothing
        to add yet; ``n_starts`` is how often all was measured anew, the beginning included.
        """
        solved = self._solved
        return {
            "scale": {"gain": self._scale.gain, "offset": self._scale.offset},
            "n_frames_equivalent": solved.n_frames if solved else 0.0,
            "noise_sd": solved.noise_sd if solved else None,
            "weights": solved.weights.round(6).tolist() if solved else [],
            "n_starts": self._n_starts,
        }

    @property
    def _is_due(self) -> bool:
        return len(self._waiting) > self._lag

    def _take_in(
        self, raw: NDArray[Any] | None, denoised: NDArray[Any]
    ) -> NDArray[np.bool_] | None:
        """Add a pair of frames to what is known; where the raw one is not a number, or None."""
        unknown = None
        if raw is not None:
            raw = self._checked("raw", raw)
            unknown = _unknown(raw)
        strange = self._watch.is_strange(denoised)
        if strange and self._watch.is_sure:
            self._begin()
        if raw is None or strange:
            self._filling.interrupt()
        else:
            self._add(raw, denoised, unknown)
        return unknown

    def _add(
        self, raw: NDArray[Any], denoised: NDArray[Any], unknown: NDArray[np.bool_] | None
    ) -> None:
        holes = _missing(raw)
        for more in (unknown, _unknown(denoised)):
            if more is not None:
                holes = more if holes is None else holes | more
        if holes is not None and holes.all():
            self._filling.interrupt()
            return
        if holes is not None:
            raw, denoised = np.where(holes, 0, raw), np.where(holes, 0, denoised)
        self._watch.add(raw, denoised, holes)
        self._filling.add(raw, denoised, holes)
        if self._solved is None and self._watch.n_frames.bit_count() == 1:
            self._scale = self._watch.scale()

    def _step(self) -> None:
        """Go on with the solution, or begin one if there are frames enough; rest now and then."""
        self._n_pushed += 1
        if self._n_pushed % _REST_EVERY == 0:
            return
        if self._steps is None and self._filling.n_frames >= _LEAST_FRAMES:
            self._steps = self._solve()
        if self._steps is not None and next(self._steps, self) is self:
            self._steps = None

    def _finish(self) -> None:
        for _ in self._steps or ():
            pass
        self._steps = None

    def _solve(self) -> Iterator[None]:
        if self._watch.has_changed():
            self._begin()
            return
        self._filling, self._full = self._full, self._filling
        self._solved = yield from self._solver.solve(self._full, self._watch.scale())
        self._scale = self._solved.scale

    def _fused(
        self,
        denoised: NDArray[Any],
        unknown: NDArray[np.bool_] | None,
        out: NDArray[np.float32] | None,
    ) -> NDArray[np.float32]:
        if out is None:
            out = np.empty(self.shape, np.float32)
        level = self._scale.apply(denoised, out=out)
        if self._solved is not None and self._solved.image is not None:
            np.add(level, self._solved.image, out=out)
        elif level is not out:
            out[...] = level
        if unknown is not None:
            out[unknown] = np.nan
        return out

    def _checked(self, name: str, frame: NDArray[Any]) -> NDArray[Any]:
        if frame.shape != self.shape:
            raise InputError(
                f"the {name} frame has shape {frame.shape}; this fuser takes {self.shape}"
            )
        array: NDArray[Any] = as_frames(frame)
        return array


def _half_life(frames: float, seconds: float | None, frame_rate_hz: float | None) -> float:
    """In frames."""
    if (seconds is None) != (frame_rate_hz is None):
        raise InputError("one of half_life_s and frame_rate_hz is given; give both, or none")
    if seconds is not None and frame_rate_hz is not None:
        if frames != math.inf:
            raise InputError("half_life_frames and half_life_s are given; give one of them")
        frames = seconds * frame_rate_hz
    if not frames > 0:
        raise InputError(f"a half-life of {frames} frames; give more than 0")
    return frames


def _unknown(frame: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Where a frame is not a finite number; None where it is everywhere."""
    if frame.dtype.kind != "f":
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        if np.isfinite(frame.sum()):
            return None
    unknown: NDArray[np.bool_] = ~np.isfinite(frame)
    return unknown if unknown.any() else None


def _missing(raw: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Pixels (Y, X) of lines that a detector dropped; None where there are none."""
    rows = missing_rows(raw[None])[0]
    return np.broadcast_to(rows[:, None], raw.shape) if rows.any() else None
