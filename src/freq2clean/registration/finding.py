"""How a recording moves: a template from a few runs of frames, then one pass over all of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.method import ArrayLike3D, as_frames
from freq2clean.fusion.parallel import over_items
from freq2clean.fusion.survey import measured, spread_runs
from freq2clean.registration.correlation import (
    Spectrum,
    fill_unknown,
    locate,
    register,
    shifted,
    spectra_of,
)
from freq2clean.registration.motion import Motion, is_motion, shrink_course
from freq2clean.registration.template import align_halves, standard_error
from freq2clean.streaming import blocks, read_ahead

__all__ = ["find_motion"]

SMALLEST_SIDE = 16
WIDEST_VIEW = 1024
MOST_PIXELS = 256
RUN_FRAMES = (32, 128)
MOST_RUNS = 8
SAMPLE_VALUES = 1 << 24
ERROR_GROUPS = 96
LEAST_CLARITY = 6.0
CLEAR_SHARE = 0.9
USEFUL_ERROR_PX = 0.5
PART_PX = 8
LARGEST_SHARE = 0.25

Images = NDArray[np.float32]
Course = NDArray[np.float64]


def find_motion(
    raw: ArrayLike3D,
    denoised: ArrayLike3D,
    /,
    *,
    block_frames: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> Motion:
    """Rigid motion of a raw recording and of its denoised version, frame by frame.

    Runs of frames spread over the raw recording are aligned to a template, which is refined once.
    Then every frame of both recordings is registered to it, or every group of 2 to 64 frames where
    fewer are too dim. The course of the shifts is smoothed as far as their error asks for. The
    denoised recording counts as moving with the raw one unless it is seen not to: a denoiser that
    averages over time does not follow a shake.

    Parameters
    ----------
    raw, denoised : array-like (T, Y, X)
        Sliced by frames. Dropped lines and NaN do not count.
    block_frames : int
        Frames read at a time.
    progress : callable, optional
        Called with frames done and frames to do.

    Returns
    -------
    Motion

    References
    ----------
    Guizar-Sicairos et al., Efficient subpixel image registration algorithms (2008),
    doi:10.1364/OL.33.000156.

    Examples
    --------
    >>> import numpy as np
    >>> scene = np.random.default_rng(0).normal(100, 20, (40, 40)).astype(np.float32)
    >>> moving = np.stack([scene[2 + t // 30 : 34 + t // 30, 4:36] for t in range(60)])
    >>> motion = find_motion(moving, moving)
    >>> (motion.raw_px[0] - motion.raw_px[-1]).round(1) + 0
    array([1., 0.])
    """
    n_frames, *shape = raw.shape
    view = _View.of((shape[0], shape[1]))
    if n_frames < 2:
        return Motion.none(n_frames, "there is only one frame")
    if min(shape) < SMALLEST_SIDE:
        return Motion.none(n_frames, f"frames of less than {SMALLEST_SIDE} pixels a side show none")
    samples = (_Sample.of(raw, denoised, view, length) for length in RUN_FRAMES)
    sample = next((sample for sample in samples if sample), None)
    if sample is None:
        return Motion.none(
            n_frames, "the recording is too dim or too uniform to see whether it moves"
        )
    size = sample.group_frames
    ranges = blocks(0, n_frames, max(1, block_frames // size) * size)
    shifts: list[Course] = []
    clear: list[NDArray[np.bool_]] = []

    def read(start: int, stop: int) -> tuple[Images, Images]:
        return view.groups(raw[start:stop], size), view.groups(denoised[start:stop], size)

    with closing(read_ahead(read, ranges)) as groups:
        for (start, stop), both in groups:
            located = [_located(images, sample.templates, first=start // size) for images in both]
            shifts.append(np.stack([found for found, _ in located], axis=1))
            clear.append(np.stack([is_clear for _, is_clear in located], axis=1))
            if progress:
                progress(stop, n_frames)
    shifts_px, is_clear = np.concatenate(shifts), np.concatenate(clear)
    return _motion(shifts_px, is_clear, sample, n_frames, view.pixel)


def _motion(
    shifts: Course, clear: NDArray[np.bool_], sample: _Sample, n_frames: int, pixel: int
) -> Motion:
    """From the shifts (G, 2 recordings, 2) of groups of frames, and which of them are clear."""
    size = sample.group_frames
    error, lag_error = sample.error_px * pixel, sample.lag_error_px * pixel
    known: dict[str, Any] = {"error_px": error, "group_frames": size}
    if clear[:, 0].mean() < CLEAR_SHARE:
        return Motion.none(n_frames, "most frames are too dim to see whether it moves", **known)
    shifts = np.stack([_bridged(shifts[:, r], clear[:, r]) for r in (0, 1)], axis=1) * pixel
    raw = shrink_course(shifts[:, 0], error, n_errors=sample.n_errors)
    if not is_motion(raw, error):
        return Motion.none(n_frames, "the recording does not move measurably", **known)
    lag = shrink_course(shifts[:, 0] - shifts[:, 1], lag_error, n_errors=sample.n_errors)
    lag -= lag.mean(axis=0)
    if clear[:, 1].mean() < CLEAR_SHARE or not is_motion(lag, lag_error):
        lag[:] = 0
    raw -= np.median(raw, axis=0)
    raw, lag = (_per_frame(course, size, n_frames) for course in (raw, lag))
    return Motion(raw, raw - lag, **known)


@dataclass(frozen=True)
class _View:
    """The part of a frame in which motion is looked for, and the coarser pixels it is seen in."""

    rows: slice
    columns: slice
    pixel: int

    @property
    def n_pixels(self) -> int:
        """Coarser pixels of a frame."""
        rows, columns = (x.stop - x.start for x in (self.rows, self.columns))
        return int(rows * columns) // self.pixel**2

    @classmethod
    def of(cls, shape: tuple[int, int]) -> _View:
        sizes = [min(size, WIDEST_VIEW) for size in shape]
        pixel = -(-max(sizes) // MOST_PIXELS)
        pixel = max(1, min(pixel, min(sizes) // SMALLEST_SIDE))
        starts = [(size - seen) // 2 for size, seen in zip(shape, sizes, strict=True)]
        rows, columns = (
            slice(start, start + seen // pixel * pixel)
            for start, seen in zip(starts, sizes, strict=True)
        )
        return cls(rows, columns, pixel)

    def groups(self, frames: NDArray[np.float32], size: int) -> Images:
        """Averages of groups of frames (n, Y, X), in coarser pixels; the last may have fewer."""
        seen = measured(as_frames(frames)[:, self.rows, self.columns])
        seen = np.stack([fill_unknown(frame) for frame in seen])
        height, width = (n // self.pixel for n in seen.shape[1:])
        seen = seen.reshape(-1, height, self.pixel, width, self.pixel).mean(axis=(2, 4))
        return _grouped(seen, size)


@dataclass(frozen=True)
class _Sample:
    """What a few runs of frames tell: templates, and how well one shift is measured.

    Shifts and errors are in pixels of the view. There is a template of even groups of frames and
    one of odd groups; each group is registered to the one that its own noise is not in.
    """

    templates: Spectrum
    group_frames: int
    error_px: float
    lag_error_px: float
    n_errors: int

    @classmethod
    def of(
        cls, raw: ArrayLike3D, denoised: ArrayLike3D, view: _View, run_frames: int
    ) -> _Sample | None:
        """None where nothing is clear, though half a run is averaged."""
        most = max(2, min(MOST_RUNS, SAMPLE_VALUES // (run_frames * view.n_pixels)))
        runs = _runs(raw.shape[0], most, run_frames)
        x = [view.groups(raw[start:stop], 1) for start, stop in runs]
        halves = np.stack([[run[::2].mean(axis=0), run[1::2].mean(axis=0)] for run in x])
        _, templates = align_halves(np.stack([spectra_of(pair) for pair in halves]))
        size = 1
        while not _is_clear(_groups_of(x, size), templates):
            size *= 2
            if size > len(x[0]) // 2:
                return None
        templates = _refined(_groups_of(x, size), templates)
        y = [view.groups(denoised[start:stop], 1) for start, stop in runs]
        both = [_groups_of(recording, size) for recording in (x, y)]
        some = slice(None, None, len(both[0]) // ERROR_GROUPS | 1)
        one, two = (
            [_located(images[some], templates, part=part)[0] for images in both]
            for part in _parts(templates.shape[1:])
        )
        error = standard_error(one[0], two[0])
        if not error <= min(USEFUL_ERROR_PX, min(templates.shape[1:]) / 32):
            return None
        lag_error = standard_error(one[0] - one[1], two[0] - two[1])
        return cls(templates, size, error, lag_error, one[0].size)


def _runs(n_frames: int, most: int, length: int) -> list[tuple[int, int]]:
    """Runs of frames that begin at multiples of their length.

    So groups of them are groups of the recording, even ones and odd ones.
    """
    if n_frames < 2 * length:
        return [(0, n_frames)]
    starts = {
        start // length * length for start, _ in spread_runs(n_frames, n_runs=most, length=length)
    }
    return [(start, start + length) for start in sorted(starts)]


def _groups_of(runs: list[Images], size: int) -> Images:
    return np.concatenate([_grouped(run, size) for run in runs])


def _is_clear(images: Images, templates: Spectrum) -> bool:
    return float(np.mean(_located(images, templates)[1])) >= CLEAR_SHARE


def _refined(images: Images, templates: Spectrum) -> Spectrum:
    """Averages of even and of odd groups, aligned to the templates before."""
    shifts, clear = _located(images, templates)
    totals, n_added = np.zeros(templates.shape, np.complex128), np.zeros(2)
    for i in np.flatnonzero(clear):
        totals[i % 2] += shifted(spectra_of(images[i : i + 1]), -shifts[i : i + 1])[0]
        n_added[i % 2] += 1
    if not n_added.all():
        return templates
    refined = (totals / n_added[:, None, None]).astype(np.complex64)
    apart = register(refined[1:], refined[0])
    return np.concatenate([refined[:1], shifted(refined[1:], -apart)])


def _located(
    images: Images,
    templates: Spectrum,
    *,
    first: int = 0,
    part: NDArray[np.bool_] | None = None,
) -> tuple[Course, NDArray[np.bool_]]:
    """Shifts (n, 2) of groups of frames, from the ``first`` on, and which of them are clear.

    What is further than a quarter of the field away is not believed.
    """
    shifts, clarity = np.zeros((len(images), 2)), np.zeros(len(images))

    def locate_one(i: int) -> None:
        template = templates[1 - (first + i) % 2]
        found, how_clear = locate(spectra_of(images[i : i + 1], part=part), template)
        shifts[i], clarity[i] = found[0], how_clear[0]

    over_items(locate_one, range(len(images)))
    near = np.all(np.abs(shifts) <= LARGEST_SHARE * np.array(templates.shape[1:]), axis=1)
    return shifts, near & (clarity >= LEAST_CLARITY)


def _parts(shape: tuple[int, ...]) -> list[NDArray[np.bool_]]:
    """Two halves of the field that both hold some of everything: the squares of a chessboard."""
    black = np.add.outer(*(np.arange(n) // PART_PX for n in shape)) % 2 == 0
    return [black, ~black]


def _grouped(images: Images, size: int) -> Images:
    """Averages of ``size`` neighbours; the last may have fewer."""
    if size == 1:
        return images
    return np.stack([images[i : i + size].mean(axis=0) for i in range(0, len(images), size)])


def _bridged(course: Course, clear: NDArray[np.bool_]) -> Course:
    """The course with straight lines over what is not clear."""
    if clear.all() or not clear.any():
        return course
    at = np.flatnonzero(clear)
    return np.stack([np.interp(np.arange(len(course)), at, axis[at]) for axis in course.T], axis=1)


def _per_frame(course: Course, size: int, n_frames: int) -> Course:
    """The course of groups of frames at every frame."""
    if size == 1:
        return course
    starts = np.arange(0, n_frames, size)
    middles = (starts + np.minimum(starts + size, n_frames) - 1) / 2
    return np.stack([np.interp(np.arange(n_frames), middles, axis) for axis in course.T], axis=1)
