"""A pair of recordings that move, fused where they are still and given back where they were."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.method import as_frames
from freq2clean.fusion.parallel import over_items
from freq2clean.fusion.scale import Scale
from freq2clean.fusion.survey import Survey, measured, spread_runs
from freq2clean.pipeline.opening import Pair
from freq2clean.registration import CommonFrame, Motion
from freq2clean.registration.interpolation import sample

__all__ = ["RegisteredPair", "describe_motion", "find_scale"]

_SCALE_RUNS = 8
_SCALE_FRAMES = 8

Frames = NDArray[np.float32]
Room = Callable[[int, int], Frames]
Write = Callable[[Frames], None]


def find_scale(pair: Pair) -> Scale:
    """The scale of the denoised recording against the raw one, from a few runs of frames."""
    raw, denoised = pair
    runs = spread_runs(len(raw), n_runs=_SCALE_RUNS, length=_SCALE_FRAMES)
    survey = Survey(raw.shape[1:], runs)
    for start, stop in runs:
        survey.add(as_frames(raw.read(start, stop)), as_frames(denoised.read(start, stop)))
    return survey.scale()


class RegisteredPair:
    """Both recordings in the common frame, made when they are read; any range equals the whole.

    Where the raw recording was not measured, dropped lines and what lies outside of the field
    included, it holds what the denoised one does: no evidence against it, and no step that would
    ring.

    Parameters
    ----------
    pair : (Recording, Recording)
    motion : Motion
    scale : Scale
        Brings the denoised recording to the raw one's scale.

    Attributes
    ----------
    shape : (int, int, int)
        In the common frame.
    scale : Scale
    """

    def __init__(self, pair: Pair, motion: Motion, scale: Scale) -> None:
        self._raw, self._denoised = pair
        self._motion = motion
        self.scale = scale
        n_frames, *field = self._raw.shape
        shifts = np.concatenate([motion.raw_px, motion.denoised_px])
        self._common = CommonFrame.around((field[0], field[1]), shifts)
        self.shape = (n_frames, *self._common.shape)

    def block_frames(self, fit: int) -> int:
        """How many frames to work on at a time where ``fit`` of the original ones would do.

        Both recordings are held twice, in the field and in the common frame.
        """
        field, common = self._common.field, self._common.shape
        return max(1, fit * field[0] * field[1] // (2 * common[0] * common[1]))

    def read_both(self, start: int, stop: int) -> tuple[Frames, Frames]:
        """Frames ``start`` to ``stop`` of both, (n, Y, X) of the common frame."""
        level = self._level(start, stop)
        denoised = self._bring_denoised(start, level)
        values = measured(as_frames(self._raw.read(start, stop)))
        unknown = ~(np.isfinite(values) & np.isfinite(level))
        values = np.where(unknown, self._filled(level), values)
        raw = np.empty_like(denoised)

        def bring(i: int) -> None:
            shift = self._motion.raw_px[start + i]
            seen = self._common.sees(shift)
            if unknown[i].any():
                seen &= self._common.bring(unknown[i].astype(np.float32), np.rint(shift)) == 0
            raw[i] = np.where(seen, self._common.bring(values[i], shift), denoised[i])

        over_items(bring, range(len(raw)))
        return raw, denoised

    def read_denoised(self, start: int, stop: int) -> Frames:
        """The same of the denoised recording alone."""
        return self._bring_denoised(start, self._level(start, stop))

    def restore(self, start: int, fused: Frames, out: Frames) -> None:
        """Into ``out`` (n, Y, X): what was fused in the common frame, in its original place.

        Denoised frames, moved where they do not follow the raw ones, fill what the common frame
        does not reach. NaN where either recording is not finite.
        """
        stop = start + len(fused)
        level = self._level(start, stop)
        filled = self._filled(level)

        def restore_one(i: int) -> None:
            shift, lag = (x[start + i] for x in (self._motion.raw_px, self._motion.lag_px))
            known = self._common.reaches(shift)
            out[i] = self._common.bring_back(fused[i], shift)
            if not known.all():
                moved = sample(filled[i], -lag, filled[i].shape)
                out[i][~known] = moved[~known]

        over_items(restore_one, range(len(out)))
        out[~np.isfinite(level)] = np.nan
        if self._raw.dtype.kind == "f":
            out[~np.isfinite(self._raw.read(start, stop))] = np.nan

    def restoring(
        self, room: Room, write: Write | None, *, block_frames: int
    ) -> tuple[Room, Write]:
        """Where to fuse, and what takes it: restores it into ``room``, then calls ``write``."""
        buffer = np.empty((block_frames, *self._common.shape), np.float32)
        begun = 0

        def common_room(start: int, stop: int) -> Frames:
            nonlocal begun
            begun = start
            return buffer[: stop - start]

        def restore(fused: Frames) -> None:
            out = room(begun, begun + len(fused))
            self.restore(begun, fused, out)
            if write:
                write(out)

        return common_room, restore

    def _level(self, start: int, stop: int) -> Frames:
        """The denoised frames as they are, on the raw recording's scale."""
        frames: NDArray[np.float32] = self.scale.apply(as_frames(self._denoised.read(start, stop)))
        return frames

    @staticmethod
    def _filled(level: Frames) -> Frames:
        """With a frame's mean where it is not finite."""
        known = np.isfinite(level)
        if known.all():
            return level
        number = known.sum(axis=(1, 2))
        total = np.where(known, level, 0).sum(axis=(1, 2), dtype=np.float64)
        mean = (total / np.maximum(number, 1)).astype(np.float32)
        return np.where(known, level, mean[:, None, None])

    def _bring_denoised(self, start: int, level: Frames) -> Frames:
        filled = self._filled(level)
        brought = np.empty((len(level), *self._common.shape), np.float32)

        def bring(i: int) -> None:
            brought[i] = self._common.bring(filled[i], self._motion.denoised_px[start + i])

        over_items(bring, range(len(level)))
        return brought


def describe_motion(motion: Motion) -> str:
    """What a user should know of a registration, in plain words."""
    if motion.is_still:
        return f"not registered: {motion.why_not}"
    found = motion.summary()
    note = (
        f"registered: frames lie {found['rms_shift_px']:.2f} px (RMS) from their mean place, "
        f"{found['max_shift_px']:.1f} px at most; a shift is measured to "
        f"{found['error_px']:.2g} px per axis"
    )
    if found["rms_lag_of_denoised_px"]:
        note += (
            "; the denoised recording does not follow, and its frames were moved by "
            f"{found['rms_lag_of_denoised_px']:.2f} px (RMS)"
        )
    return note
