"""One pass over a recording: every sum, trace and count that the measurements need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.missing import missing_rows
from freq2clean.inspection.frames import RecordingLike, block_ranges, read_frames
from freq2clean.inspection.wrap import count_wrapped

__all__ = ["Survey", "survey_recording"]

MOST_CHUNKS = 32
SHORTEST_CHUNK = 4
CHUNK_BYTES = 1 << 28
WIDEST_VIEW = 1024
NOISE_SAMPLES = 1 << 28
KEPT_VALUES = 1 << 21
KEPT_FRAMES = 48
GRID = 16
TELLING_VALUES = 20

Images = NDArray[np.float32]


@dataclass(frozen=True)
class Survey:
    """What one pass over a recording (T, Y, X) leaves. Dropped lines count as missing throughout.

    Attributes
    ----------
    shape, dtype
        Of the recording.
    half_means : (2, Y, X) float64
        Mean images of the even and of the odd frames; NaN where a half has no frame.
    unusable : (Y, X) bool
        Pixels that were NaN or infinite at least once, or masked throughout.
    missing : (T, Y) bool
        Rows that hold nothing but zeros, as `freq2clean.fusion.missing.missing_rows` tells.
    not_finite : int
        Values that are NaN or infinite.
    wrapped : int
        Values near the top of an unsigned dtype beside values near zero.
    repeated : (T,) bool
        Frames equal to the frame before.
    frame_means : (T,) float64
        Mean of each frame.
    mean_square : (Y, X) float64
        Mean square about `pedestal`.
    pedestal : float
        Subtracted from the values before they are squared or stored as float32.
    lowest : (Y, X) float32
        Smallest value of each pixel, above the pedestal.
    lowest_share : (Y, X) float64
        Share of the frames in which a pixel holds that value.
    grid_traces : (T, g, g) float32
        Mean of each tile of a coarse grid over time.
    chunk_edges : (C + 1,) int
        First frames of the chunks, and T.
    chunk_means : (C, 2, y, x) float32
        Mean images of the even and the odd frames of each chunk, in the `view`.
    kept_frames : (K,) int
        Frames spread evenly over the recording.
    kept : (K, y, x) float32
        Those frames, in the `view`.
    view : (slice, slice)
        The part of the field, its centre, in which motion is measured.
    noise_frames : int
        Frames that the moments of the noise come from.
    noise_moments : (2, Y, X) float64
        Second and third cumulant of the noise, from second differences in time; NaN unmeasured.
    values : (n,) array
        An even sample of the values, dropped lines left out, of the recording's dtype.
    value_pixels : (n,) int
        The pixel of each, counted row by row.
    minimum, maximum : float
        Of all finite values; NaN where there are none.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    half_means: NDArray[np.float64]
    unusable: NDArray[np.bool_]
    missing: NDArray[np.bool_]
    not_finite: int
    wrapped: int
    repeated: NDArray[np.bool_]
    frame_means: NDArray[np.float64]
    mean_square: NDArray[np.float64]
    pedestal: float
    lowest: Images
    lowest_share: NDArray[np.float64]
    grid_traces: Images
    chunk_edges: NDArray[np.intp]
    chunk_means: Images
    kept_frames: NDArray[np.intp]
    kept: Images
    view: tuple[slice, slice]
    noise_frames: int
    noise_moments: NDArray[np.float64]
    values: NDArray[Any]
    value_pixels: NDArray[np.int32]
    minimum: float
    maximum: float

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        """The mean image (Y, X)."""
        n_frames = self.shape[0]
        weights = np.array([(n_frames + 1) // 2, n_frames // 2]) / n_frames
        image: NDArray[np.float64] = weights[0] * self.half_means[0]
        if n_frames > 1:
            image = image + weights[1] * self.half_means[1]
        return image

    @property
    def is_constant(self) -> bool:
        return not self.maximum > self.minimum


def survey_recording(
    recording: RecordingLike, progress: Callable[[int], None] | None = None
) -> Survey:
    """Read a recording once, in order; ``progress`` is told how many frames were read."""
    shape = (int(recording.shape[0]), int(recording.shape[1]), int(recording.shape[2]))
    surveyor = _Surveyor(recording, shape)
    for block in block_ranges(shape[1] * shape[2], surveyor.chunk_edges):
        surveyor.add(block.start, read_frames(recording, block.start, block.stop))
        if progress is not None:
            progress(block.stop - block.start)
    return surveyor.result()


class _Surveyor:
    def __init__(self, recording: RecordingLike, shape: tuple[int, int, int]) -> None:
        n_frames, n_rows, n_columns = shape
        self.shape, self.dtype = shape, np.dtype(recording.dtype)
        self.view = tuple(_centre(size) for size in shape[1:])
        view_shape = (min(n_rows, WIDEST_VIEW), min(n_columns, WIDEST_VIEW))
        self.chunk_edges = _chunk_edges(n_frames, view_shape)
        self.chunk_sums = np.zeros((len(self.chunk_edges) - 1, 2, *view_shape), np.float32)
        self.kept_frames = _spread(n_frames, KEPT_FRAMES)
        self.kept = np.zeros((len(self.kept_frames), *view_shape), np.float32)
        self.half_sums = np.zeros((2, n_rows, n_columns))
        self.unusable = np.zeros((n_rows, n_columns), np.bool_)
        self.missing = np.zeros((n_frames, n_rows), np.bool_)
        self.repeated = np.zeros(n_frames, np.bool_)
        self.frame_sums = np.zeros(n_frames)
        self.square_sums = np.zeros((n_rows, n_columns))
        self.lowest = np.full((n_rows, n_columns), np.inf, np.float32)
        self.lowest_counts = np.zeros((n_rows, n_columns), np.int32)
        grid = tuple(np.arange(GRID) * size // GRID for size in shape[1:] if size >= GRID)
        self.grid = grid if len(grid) == 2 else (np.array([0]), np.array([0]))
        self.grid_traces = np.zeros((n_frames, *(len(g) for g in self.grid)), np.float32)
        self.noise_sums = np.zeros((2, n_rows, n_columns))
        self.noise_counts = np.zeros(n_rows)
        self.noise_every = -(-n_frames * n_rows * n_columns // NOISE_SAMPLES)
        self.noise_frames = 0
        self.n_blocks = 0
        self.value_step = -(-n_frames * n_rows * n_columns // KEPT_VALUES)
        self.values: list[NDArray[Any]] = []
        self.value_pixels: list[NDArray[np.int32]] = []
        self.not_finite = self.wrapped = 0
        self.minimum, self.maximum = np.inf, -np.inf
        self.last: NDArray[Any] | None = None
        self.pedestal = _pedestal(read_frames(recording, 0, 1))

    def add(self, start: int, native: NDArray[Any]) -> None:
        missing = missing_rows(native)
        self.missing[start : start + len(native)] = missing
        self._count_defects(start, native, missing)
        block = self._as_float(native, missing)
        self._add_means(start, block)
        self._add_lowest(block)
        if self.n_blocks % self.noise_every == 0 and len(block) >= 3:
            self._add_noise(block, missing)
        self.n_blocks += 1

    def _count_defects(self, start: int, native: NDArray[Any], missing: NDArray[np.bool_]) -> None:
        for t, frame in enumerate(native, start):
            self.repeated[t] = self.last is not None and _is_repeat(self.last, frame)
            self.last = frame
        self.last = native[-1].copy()
        self.wrapped += count_wrapped(native)
        sample = native.reshape(-1)[:: self.value_step]
        places = np.arange(0, native.size, self.value_step)
        told = np.isfinite(sample) & ~missing.reshape(-1)[places // native.shape[2]]
        self.values.append(sample[told])
        self.value_pixels.append((places[told] % native[0].size).astype(np.int32))

    def _as_float(self, native: NDArray[Any], missing: NDArray[np.bool_]) -> Images:
        """Values above the pedestal; what is missing or not finite holds the block's mean."""
        exact = native.dtype.itemsize <= 2 or native.dtype == np.float32
        block: NDArray[Any] = native.astype(np.float32 if exact else np.float64)
        if native.dtype.kind == "f":
            finite = np.isfinite(block)
            if not finite.all():
                lost_rows = ~finite.any(axis=2) & finite.any(axis=(0, 2))
                missing |= lost_rows
                self.not_finite += int(finite.size - np.count_nonzero(finite))
                self.unusable |= ~(finite | missing[:, :, None]).all(axis=0)
                block[~finite] = self.pedestal
        block -= self.pedestal
        values = block.astype(np.float32, copy=False)
        for row in np.flatnonzero(missing.any(axis=0)):
            gaps = missing[:, row]
            values[gaps, row] = values[~gaps, row].mean(axis=0) if not gaps.all() else 0
        self.minimum = min(self.minimum, float(values.min()))
        self.maximum = max(self.maximum, float(values.max()))
        return values

    def _add_means(self, start: int, block: Images) -> None:
        stop = start + len(block)
        chunk = int(np.searchsorted(self.chunk_edges, start, side="right")) - 1
        for half in (0, 1):
            total = block[(start + half) % 2 :: 2].sum(axis=0)
            self.half_sums[half] += total
            self.chunk_sums[chunk, half] += total[self.view]
        flat = block.reshape(len(block), -1)
        self.frame_sums[start:stop] = flat.sum(axis=1)
        self.square_sums += np.einsum("tyx,tyx->yx", block, block)
        tiles = np.add.reduceat(np.add.reduceat(block, self.grid[1], axis=2), self.grid[0], axis=1)
        self.grid_traces[start:stop] = tiles
        for k in np.flatnonzero((self.kept_frames >= start) & (self.kept_frames < stop)):
            self.kept[k] = block[self.kept_frames[k] - start][self.view]

    def _add_lowest(self, block: Images) -> None:
        lowest = np.minimum(self.lowest, block.min(axis=0))
        self.lowest_counts[lowest < self.lowest] = 0
        self.lowest = lowest
        for frame in block:
            self.lowest_counts += frame == lowest

    def _add_noise(self, block: Images, missing: NDArray[np.bool_]) -> None:
        """Second differences: a signal slower than a few frames does not count."""
        self.noise_frames += len(block)
        measured = ~(missing[:-2] | missing[1:-1] | missing[2:])
        self.noise_counts += measured.sum(axis=0)
        for t, rows in enumerate(measured):
            curve = block[t] - 2 * block[t + 1] + block[t + 2]
            curve *= rows[:, None]
            square = curve * curve
            self.noise_sums[0] += square
            self.noise_sums[1] += square * curve

    def result(self) -> Survey:
        n_frames, n_rows, n_columns = self.shape
        half_frames = np.array([(n_frames + 1) // 2, n_frames // 2], float)
        with np.errstate(divide="ignore", invalid="ignore"):
            half_means = self.half_sums / half_frames[:, None, None] + self.pedestal
            noise = self.noise_sums / self.noise_counts[:, None] / np.array([6, -6])[:, None, None]
        masked = np.asarray(self.missing.all(axis=0))
        unusable = self.unusable | masked[:, None]
        noise[:, unusable] = np.nan
        lengths = np.diff(self.chunk_edges)
        even = (self.chunk_edges[1:] + 1) // 2 - (self.chunk_edges[:-1] + 1) // 2
        per_half = np.stack([even, lengths - even], axis=1)
        self.chunk_sums /= np.maximum(per_half, 1).astype(np.float32)[:, :, None, None]
        size = n_rows * n_columns
        tiles = [np.diff(np.append(g, s)) for g, s in zip(self.grid, self.shape[1:], strict=True)]
        has_values = np.isfinite(self.minimum) and self.not_finite < n_frames * size
        return Survey(
            shape=self.shape,
            dtype=self.dtype,
            half_means=half_means,
            unusable=unusable,
            missing=self.missing,
            not_finite=self.not_finite,
            wrapped=self.wrapped,
            repeated=self.repeated,
            frame_means=self.frame_sums / size + self.pedestal,
            mean_square=self.square_sums / n_frames,
            pedestal=self.pedestal,
            lowest=self.lowest,
            lowest_share=self.lowest_counts / n_frames,
            grid_traces=(self.grid_traces / np.multiply.outer(*tiles)).astype(np.float32),
            chunk_edges=self.chunk_edges,
            chunk_means=self.chunk_sums,
            kept_frames=self.kept_frames,
            kept=self.kept,
            view=(self.view[0], self.view[1]),
            noise_frames=self.noise_frames,
            noise_moments=noise,
            values=np.concatenate(self.values),
            value_pixels=np.concatenate(self.value_pixels),
            minimum=self.minimum + self.pedestal if has_values else np.nan,
            maximum=self.maximum + self.pedestal if has_values else np.nan,
        )


def _is_repeat(last: NDArray[Any], frame: NDArray[Any]) -> bool:
    """Whether two frames are equal and so full of different values that it cannot be chance."""
    middle = len(frame) // 2
    if not np.array_equal(last[middle], frame[middle]) or not np.array_equal(last, frame):
        return False
    return int(np.count_nonzero(frame != frame.flat[0])) >= TELLING_VALUES


def _centre(size: int) -> slice:
    margin = max(0, size - WIDEST_VIEW) // 2
    return slice(margin, margin + min(size, WIDEST_VIEW))


def _chunk_edges(n_frames: int, view_shape: tuple[int, int]) -> NDArray[np.intp]:
    fit = CHUNK_BYTES // (8 * view_shape[0] * view_shape[1])
    chunks = max(1, min(MOST_CHUNKS, fit, n_frames // SHORTEST_CHUNK))
    return np.linspace(0, n_frames, chunks + 1).astype(np.intp)


def _spread(n_frames: int, count: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, n_frames - 1, min(count, n_frames)).astype(np.intp))


def _pedestal(frame: NDArray[Any]) -> float:
    values = frame[np.isfinite(frame)]
    return float(np.median(values)) if values.size else 0.0
