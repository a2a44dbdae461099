"""What the measurements mean for fusion, in plain sentences with the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from freq2clean.inspection.agreement import Agreement, Loss
from freq2clean.inspection.defects import Defects
from freq2clean.inspection.noise import Noise
from freq2clean.inspection.stillness import Stillness

__all__ = ["Finding", "advise_on_agreement", "advise_on_raw", "describe_defects"]

Severity = Literal["info", "warning", "problem"]

LOW_SNR_DB = 3.0
HIGH_SNR_DB = 12.0
NEGLIGIBLE_FINE_SHARE = 0.02
NEGLIGIBLE_SHARE = 0.01
MODEST_FINE_SHARE = 0.1
NEGLIGIBLE_MOTION_PX = 0.25
MOST_DISPLACEMENT_PX = 0.5
LEAST_CORRELATION = 0.3
LEAST_ACTIVITY = 0.05
LEAST_LEVEL_SHARE = 0.05
HARDLY_DENOISED = 0.7
TOLERATED_DETAIL = 0.85
STRIPES_ADVICE = {
    "raw": "Fusion would bring it back: take it off first.",
    "denoised": "Fusion takes it off as far as the raw recording lacks it.",
}
FLICKER = {
    "raw": ": the brightness of whole frames varies by {} (SD) beyond photon noise",
    "denoised": " more than the raw one: the brightness of whole frames varies by {} of the raw "
    "signal (SD) beyond what it does there",
}
SIGMAS = 3.0


@dataclass(frozen=True)
class Finding:
    """One sentence of advice.

    Attributes
    ----------
    severity : "info", "warning" or "problem"
        A problem must be mended before fusion can be trusted; a warning is worth a look.
    code : str
        The same for the same kind of finding, for programs.
    sentence : str
    """

    severity: Severity
    code: str
    sentence: str


def advise_on_raw(
    noise: Noise | None, stillness: Stillness | None, *, n_frames: int, foretell: bool
) -> Iterator[Finding]:
    """On the two conditions under which fusion pays: a noisy input and a still one.

    ``foretell`` says what the SNR promises; left out where a denoised recording was measured.
    """
    yield _on_snr(noise, n_frames, foretell=foretell)
    yield from _on_motion(stillness)


def _on_snr(noise: Noise | None, n_frames: int, *, foretell: bool) -> Finding:
    if noise is None:
        return Finding(
            "warning",
            "snr_unknown",
            f"The noise could not be measured: that takes 16 frames that vary; there are "
            f"{n_frames}.",
        )
    level = f"The noise is {_number(noise.sd)} counts (SD per value)"
    if noise.snr_db is None:
        return Finding("warning", "no_signal", f"{level}; no signal rises above the dark level.")
    sentence = (
        f"Input SNR {noise.snr_db:.1f} dB. {level}, the mean signal {_number(noise.mean_signal)} "
        f"counts above a dark level of {_offset(noise)}."
    )
    if noise.gain is not None and noise.photons_per_pixel is not None:
        sentence += (
            f" One photon counts {_number(noise.gain)}, so a pixel sees about "
            f"{_number(noise.photons_per_pixel)} photons per frame."
        )
    if foretell:
        sentence += f" {_promise(noise.snr_db)}"
    return Finding("info", "snr", sentence)


def _offset(noise: Noise) -> str:
    offset = _number(noise.offset)
    if noise.offset_source == "darkest pixels":
        return (
            f"{offset} (only that of the darkest pixels: the noise does not grow with the signal, "
            f"so the true dark level may be lower and the SNR higher)"
        )
    error = f"{offset} ± {noise.offset_error or 0.0:.2g}"
    if noise.offset_source == "variance":
        return f"{error} (taking the electronic noise for zero)"
    return error


def _promise(snr_db: float) -> str:
    if snr_db < LOW_SNR_DB:
        return (
            "This is very noisy: denoisers lose much fine detail here, and fusion can give much "
            "of it back."
        )
    if snr_db < HIGH_SNR_DB:
        return "This is fairly noisy: a denoiser loses some fine detail that fusion can give back."
    return "This is already clear: a denoiser loses little here, so fusion has little to gain."


def _on_motion(stillness: Stillness | None) -> Iterator[Finding]:
    if stillness is None:
        yield Finding(
            "warning",
            "motion_unknown",
            "Motion could not be measured: the recording is too short, too small, too noisy or "
            "too empty. Fusion needs a still recording; look at the first and last frames.",
        )
        return
    measured = (
        f"measured on averages of {stillness.stretch_frames} frames, "
        f"each to ± {stillness.error_px:.2g} px"
    )
    if stillness.range_px <= NEGLIGIBLE_MOTION_PX:
        yield Finding(
            "info",
            "still",
            f"The recording is still: it drifts by less than {NEGLIGIBLE_MOTION_PX:g} px "
            f"({measured}).",
        )
    else:
        yield Finding(
            "info",
            "moves",
            f"The recording moves over a range of {stillness.range_px:.1f} px, "
            f"{stillness.speed_px_per_1000_frames:.2g} px per 1000 frames on trend ({measured}).",
        )
    if stillness.jitter_px and stillness.jitter_px > NEGLIGIBLE_MOTION_PX:
        yield Finding(
            "info",
            "jitters",
            f"Single frames jitter by {stillness.jitter_px:.2f} px (SD per axis).",
        )
    yield from _on_window(stillness)


def _on_window(stillness: Stillness) -> Iterator[Finding]:
    kept, longest = stillness.kept_detail, stillness.longest_window
    if kept is None:
        yield Finding(
            "info",
            "no_detail",
            "The mean image shows no detail finer than 8 px above its noise, so there is none "
            "for motion to blur or for fusion to give back.",
        )
        return
    sentence = (
        f"An average over {stillness.window} frames keeps {_percent(kept)} of the power of its "
        f"detail finer than 8 px."
    )
    if longest is None:
        yield Finding(
            "warning",
            "blurred_by_jitter",
            f"{sentence} The jitter alone costs more than 10 %: correct the motion frame by "
            f"frame before denoising.",
        )
    elif kept < TOLERATED_DETAIL:
        yield Finding(
            "warning",
            "window_too_long",
            f"{sentence} A window of at most {longest} frames keeps 90 %; use it, or correct the "
            f"motion first.",
        )
    elif stillness.range_px > NEGLIGIBLE_MOTION_PX:
        yield Finding("info", "window", sentence)


def describe_defects(defects: Defects, name: Literal["raw", "denoised"]) -> Iterator[Finding]:
    """``name`` is what the recording is called: "raw" or "denoised"."""
    the = f"The {name} recording"
    if defects.is_constant:
        value = "no two different finite values" if defects.not_finite else "one single value"
        yield Finding("problem", f"{name}_constant", f"{the} holds {value}.")
        return
    if defects.is_frozen:
        yield Finding("problem", f"{name}_frozen", f"{the} shows the same frame throughout.")
    if defects.not_finite:
        yield Finding(
            "warning",
            f"{name}_not_finite",
            f"{the} holds {defects.not_finite} values that are NaN or infinite; those pixels are "
            f"left out.",
        )
    if defects.wrapped:
        yield Finding(
            "problem",
            f"{name}_wrapped",
            f"{the} holds at least {defects.wrapped} values near the top of its dtype right "
            f"beside values near zero: negative values that were cast without clipping. Clip "
            f"at zero before the cast, or keep floats.",
        )
    if defects.dropped_lines:
        yield Finding(
            "warning",
            f"{name}_dropped_lines",
            f"{the} has {_count(defects.dropped_lines, 'line')} of zeros in "
            f"{_count(defects.frames_with_dropped_lines, 'frame')}. They count as missing, never "
            f"as dark signal; the denoiser may have taken them for signal.",
        )
    for line, masked in (("row", defects.masked_rows), ("column", defects.masked_columns)):
        if masked:
            yield Finding(
                "info",
                f"{name}_masked_{line}s",
                f"{the} has {_count(masked, line)} of zeros in most frames, as a mask or a motion "
                f"correction leaves.",
            )
    if defects.empty_frames:
        yield Finding(
            "warning",
            f"{name}_empty_frames",
            f"{the} has {_listed(defects.empty_frames, 'frame')} of zeros.",
        )
    if defects.repeated_frames and not defects.is_frozen:
        yield Finding(
            "warning",
            f"{name}_repeated_frames",
            f"{the} has {_listed(defects.repeated_frames, 'frame')} equal to the one before, as "
            f"dropped or padded frames leave.",
        )
    if defects.saturation_level is not None:
        yield Finding(
            "warning",
            f"{name}_saturated",
            f"{the} is cut off at {_number(defects.saturation_level)}: "
            f"{_percent(defects.saturated_share)} of its values lie there, and what is brighter "
            f"is lost.",
        )
    if defects.floor_level is not None:
        yield Finding(
            "info",
            f"{name}_floored",
            f"{the} is cut off from below at {_number(defects.floor_level)}: "
            f"{_percent(defects.floored_share)} of its values lie there, so averages of dark "
            f"places come out too bright.",
        )
    for lines, sd in (("columns", defects.column_stripes), ("rows", defects.row_stripes)):
        if sd is not None:
            yield Finding(
                "warning",
                f"{name}_stripes",
                f"{the} has a static pattern of {lines}: {_number(sd)} counts (SD). "
                f"{STRIPES_ADVICE[name]}",
            )
    if defects.flicker is not None:
        yield Finding(
            "warning",
            f"{name}_flicker",
            f"{the} flickers{FLICKER[name].format(_percent(defects.flicker))}.",
        )


def advise_on_agreement(
    agreement: Agreement, raw_noise: Noise | None, denoised_noise: Noise | None
) -> Iterator[Finding]:
    """On what the denoiser lost, and whether fusion can give it back.

    The verdict comes first; there is none where the two are out of step in time or place.
    """
    if agreement.is_identical:
        yield Finding(
            "problem",
            "identical",
            "The denoised recording is the raw recording, value for value: there is nothing to "
            "fuse.",
        )
        return
    activity = agreement.activity_correlation
    if (
        agreement.loss is not None
        and agreement.scene_correlation < LEAST_CORRELATION
        and (activity is None or activity < LEAST_ACTIVITY)
    ):
        yield Finding(
            "problem",
            "unrelated",
            f"The two recordings do not show the same scene: their mean images correlate with "
            f"{agreement.scene_correlation:.2f}. Check that the files belong together.",
        )
        return
    misplaced = [*_on_frames(agreement), *_on_place(agreement)]
    if not misplaced:
        yield _verdict(agreement.loss)
        yield from _on_level(agreement, raw_noise)
    yield from misplaced
    yield from _on_scale(agreement)
    yield from _on_noise_left(agreement, raw_noise, denoised_noise)


def _verdict(loss: Loss | None) -> Finding:
    if loss is None:
        return Finding(
            "warning",
            "gain_unknown",
            "What the denoiser lost cannot be told: there are too few frames, or the raw mean "
            "image does not rise above its noise. Fusion will hardly change anything.",
        )
    fine = loss.fine_share if loss.fine_share is not None else 0.0
    fine_error = loss.fine_share_error or 0.0
    whole = f"{_percent(max(0.0, loss.share))} of the power of the raw mean image"
    lacks = f"{_percent(max(0.0, fine))} of that of its detail finer than 8 px"
    if fine < max(NEGLIGIBLE_FINE_SHARE, SIGMAS * fine_error) and loss.share < max(
        NEGLIGIBLE_SHARE, SIGMAS * loss.share_error
    ):
        return Finding(
            "info",
            "nothing_to_add",
            f"The denoised recording already holds the raw recording's mean image (it lacks "
            f"{whole} and {lacks}), so fusion of the mean image (`fft`) has nothing to add. What "
            f"is left, if anything, is in what changes: `auto` and `wiener` look for it, and say "
            f"what they expect to gain.",
        )
    gives = (
        f"Of the difference ({_number(loss.sd)} counts SD over the field) fusion can give back "
        f"{_percent(loss.regained_share)}; the noise of the average hides the rest."
    )
    if fine < MODEST_FINE_SHARE and loss.share < MODEST_FINE_SHARE:
        return Finding(
            "info",
            "little_to_gain",
            f"Fusion will help a little: the denoised mean image lacks {whole} and {lacks}. "
            f"{gives}",
        )
    return Finding(
        "info",
        "will_help",
        f"Fusion will help: the denoised mean image lacks {whole} and {lacks}. {gives}",
    )


def _on_level(agreement: Agreement, raw_noise: Noise | None) -> Iterator[Finding]:
    if raw_noise is None or agreement.level_error is None or agreement.is_other_scale:
        return
    apart = abs(agreement.denoised_level - agreement.raw_level)
    signal = raw_noise.mean_signal
    if signal > 0 and apart > max(LEAST_LEVEL_SHARE * signal, SIGMAS * agreement.level_error):
        yield Finding(
            "warning",
            "other_level",
            f"The denoised recording lies at another level: its mean is "
            f"{_number(agreement.denoised_level)} counts, that of the raw one "
            f"{_number(agreement.raw_level)} (apart by {_percent(apart / signal)} of the raw "
            f"signal). `auto` and `wiener` correct it; `fft` with histogram matching keeps it.",
        )


def _on_frames(agreement: Agreement) -> Iterator[Finding]:
    lost, lag = agreement.frames_lost, agreement.lag
    if lost == 0 and lag:
        yield Finding(
            "problem",
            "shifted_in_time",
            f"Frame t of the denoised recording shows frame t {'+' if lag > 0 else '-'} "
            f"{abs(lag)} of the raw one. Shift it before fusing.",
        )
    elif lost and lag is None:
        yield Finding(
            "problem",
            "lengths_differ",
            f"The denoised recording has {_count(abs(lost), 'frame')} "
            f"{'fewer' if lost > 0 else 'more'} than the raw one, and the two do not say at which "
            f"end.",
        )
    elif lost and lag is not None:
        yield Finding(
            "problem",
            "lengths_differ",
            f"The denoised recording has {_count(abs(lost), 'frame')} "
            f"{'fewer' if lost > 0 else 'more'} than the raw one: it begins with raw frame {lag} "
            f"{_ends(lost, lag)}. Say so with --align.",
        )


def _ends(lost: int, lag: int) -> str:
    if lag == 0:
        return "(the difference is at the end)"
    if lag == lost:
        return "(the difference is at the start)"
    return f"({lag} at the start, {lost - lag} at the end)"


def _on_place(agreement: Agreement) -> Iterator[Finding]:
    if agreement.shift_px is None or agreement.shift_error_px is None:
        return
    row, column = agreement.shift_px
    largest = max(abs(row), abs(column))
    if largest > max(MOST_DISPLACEMENT_PX, 5 * agreement.shift_error_px):
        yield Finding(
            "problem",
            "shifted_in_space",
            f"The denoised mean image lies {row:+.1f} rows and {column:+.1f} columns from the raw "
            f"one. Fused as it is, structures would double; shift it back first.",
        )


def _on_scale(agreement: Agreement) -> Iterator[Finding]:
    relation = f"raw is about {agreement.gain:.4g} x denoised {agreement.offset:+.4g}"
    if agreement.is_other_scale:
        yield Finding(
            "warning",
            "other_scale",
            f"The denoised recording is on another scale ({relation}, correlation "
            f"{agreement.scene_correlation:.2f}): fusion matches it first.",
        )
    elif agreement.scene_correlation >= LEAST_CORRELATION and abs(agreement.gain - 1) > 0.1:
        yield Finding(
            "info",
            "contrast",
            f"The denoised mean image has {'less' if agreement.gain > 1 else 'more'} contrast than "
            f"the raw one ({relation}).",
        )


def _on_noise_left(
    agreement: Agreement, raw: Noise | None, denoised: Noise | None
) -> Iterator[Finding]:
    if raw is None or denoised is None:
        return
    left = denoised.sd * (abs(agreement.gain) if agreement.is_other_scale else 1.0) / raw.sd
    if left > HARDLY_DENOISED:
        yield Finding(
            "warning",
            "hardly_denoised",
            f"The denoised recording still varies from frame to frame with {_percent(left)} of "
            f"the raw noise: it is hardly denoised, and fusion does not remove noise.",
        )
    else:
        yield Finding(
            "info",
            "noise_left",
            f"From frame to frame the denoised recording keeps {_percent(left)} of the raw noise.",
        )


def _number(value: float) -> str:
    """Three digits, or all digits before the point."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _percent(share: float) -> str:
    percent = 100 * share
    if percent and abs(percent) < 0.1:
        return "less than 0.1 %"
    return f"{percent:.1f} %" if abs(percent) < 10 else f"{percent:.0f} %"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _listed(frames: Sequence[int], noun: str) -> str:
    some = ", ".join(str(f) for f in frames[:5]) + (", ..." if len(frames) > 5 else "")
    return f"{_count(len(frames), noun)} ({some})"
