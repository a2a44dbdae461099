"""Measure a raw recording, and a denoised one beside it, before fusing them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from freq2clean.errors import InputError
from freq2clean.inspection.advice import (
    Finding,
    advise_on_agreement,
    advise_on_raw,
    describe_defects,
)
from freq2clean.inspection.agreement import Agreement, compare
from freq2clean.inspection.defects import Defects, find_defects
from freq2clean.inspection.flicker import added_flicker, flicker_of
from freq2clean.inspection.frames import RecordingLike, check_recording
from freq2clean.inspection.noise import Noise, measure_noise
from freq2clean.inspection.stillness import Stillness, measure_stillness
from freq2clean.inspection.survey import Survey, survey_recording

__all__ = ["Inspection", "Measurements", "inspect_recordings"]

RANKS = {"problem": 0, "warning": 1, "info": 2}


@dataclass(frozen=True)
class Measurements:
    """What was measured on one recording.

    Attributes
    ----------
    shape : (int, int, int)
        Frames, rows, columns.
    dtype : str
    noise : Noise or None
        None where it could not be measured.
    stillness : Stillness or None
        None where it could not be measured, and for a denoised recording.
    defects : Defects
    """

    shape: tuple[int, int, int]
    dtype: str
    noise: Noise | None
    stillness: Stillness | None
    defects: Defects


@dataclass(frozen=True)
class Inspection:
    """All that `inspect_recordings` found.

    Attributes
    ----------
    raw : Measurements
    denoised : Measurements or None
    agreement : Agreement or None
        Of the denoised recording with the raw one; None without one, or where either is constant.
    advice : tuple of Finding
        Problems first, then warnings, then the rest, whether fusion will help at its head.
    """

    raw: Measurements
    denoised: Measurements | None
    agreement: Agreement | None
    advice: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        """The same as nested dicts, lists, numbers and strings; what is not finite is None."""
        plain: dict[str, Any] = _plain(self)
        return plain


def inspect_recordings(
    raw: RecordingLike,
    denoised: RecordingLike | None = None,
    /,
    *,
    window: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Inspection:
    """Say whether fusion will help, from the recordings alone.

    Each recording is read once, in blocks of frames. Means, drift and defects come from all
    frames; the noise from blocks of frames spread evenly over at most some 2.7e8 values, and
    the share of saturated values from an even sample of about two million.

    Parameters
    ----------
    raw, denoised : Recording or array (T, Y, X)
        The denoised recording may be left out, and may have another number of frames.
    window : int, optional
        Frames that the fusion is to average; the whole recording if left out.
    progress : callable, optional
        Called with the number of frames read and the number to read.

    Returns
    -------
    Inspection

    Raises
    ------
    InputError
        Where a recording is not (T, Y, X) of real numbers, rows or columns differ, or the
        window is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> raw = np.random.default_rng(0).poisson(3.0, (64, 32, 32)).astype(np.uint16)
    >>> inspection = inspect_recordings(raw, raw)
    >>> inspection.advice[0].code
    'identical'
    """
    check_recording(raw, "raw")
    if denoised is not None:
        check_recording(denoised, "denoised")
        if tuple(raw.shape[1:]) != tuple(denoised.shape[1:]):
            raise InputError(
                f"raw has frames of {raw.shape[1]} x {raw.shape[2]} pixels, denoised of "
                f"{denoised.shape[1]} x {denoised.shape[2]}: they must be the same; crop or pad one"
            )
    if window is not None and window < 1:
        raise InputError(f"window={window}: use one frame or more")
    counter = _Counter(progress, raw.shape[0] + (0 if denoised is None else denoised.shape[0]))
    raw_survey = survey_recording(raw, counter)
    stillness = measure_stillness(raw_survey, window=window)
    noise = measure_noise(raw_survey)
    before = _measured(raw_survey, noise, stillness, flicker_of(raw_survey, noise))
    advice = [*describe_defects(before.defects, "raw")]
    if not before.defects.is_constant:
        foretell = denoised is None
        found = advise_on_raw(before.noise, stillness, n_frames=before.shape[0], foretell=foretell)
        advice = [*found, *advice]
    after = agreement = added = None
    if denoised is not None:
        survey = survey_recording(denoised, counter)
        if not (raw_survey.is_constant or survey.is_constant):
            agreement = compare(raw_survey, survey)
            gain = agreement.gain if agreement.is_other_scale else 1.0
            added = added_flicker(survey, raw_survey, noise, gain=gain)
        after = _measured(survey, measure_noise(survey), None, added)
        if agreement is not None:
            advice = [*advise_on_agreement(agreement, before.noise, after.noise), *advice]
        if agreement is None or not agreement.is_identical:
            advice += describe_defects(after.defects, "denoised")
    advice.sort(key=lambda finding: RANKS[finding.severity])
    return Inspection(before, after, agreement, tuple(advice))


def _measured(
    survey: Survey, noise: Noise | None, stillness: Stillness | None, flicker: float | None
) -> Measurements:
    return Measurements(
        shape=survey.shape,
        dtype=str(survey.dtype),
        noise=noise,
        stillness=stillness,
        defects=find_defects(survey, flicker=flicker),
    )


class _Counter:
    def __init__(self, report: Callable[[int, int], None] | None, total: int) -> None:
        self._report = report
        self._total = total
        self._done = 0

    def __call__(self, frames: int) -> None:
        self._done += frames
        if self._report is not None:
            self._report(self._done, self._total)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
