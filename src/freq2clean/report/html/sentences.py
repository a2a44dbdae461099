"""What came of a fusion, in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from freq2clean.fusion import METHODS
from freq2clean.inspection import Gain
from freq2clean.report.html.contents import Contents, Source

__all__ = ["caveats", "headline", "number", "short_name", "size_of", "what_was_done"]

_HARDLY_DB = 0.05
_STILL_PX = 0.25
_ERRORS = 3


def number(value: float) -> str:
    """Three digits, or all digits before the point.

    Examples
    --------
    >>> number(1234.5), number(0.012345), number(-0.0)
    ('1234', '0.0123', '0')
    """
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value + 0.0:.3g}"


def short_name(source: Source) -> str:
    """Without the folder.

    Examples
    --------
    >>> from freq2clean.recordings import Metadata
    >>> short_name(Source("folder/raw.tif", (2, 3, 4), "uint16", Metadata()))
    'raw.tif'
    """
    return Path(source.name).name or source.name


def size_of(source: Source) -> str:
    """How long and how large a recording is."""
    frames, height, width = source.shape
    text = f"{frames} frames of {height} × {width} pixels"
    rate, pixel = source.metadata.frame_rate_hz, source.metadata.pixel_size_um
    extra = []
    if rate:
        extra.append(f"{number(frames / rate)} s at {number(rate)} Hz")
    if pixel:
        extra.append(f"pixels of {number(pixel[0])} × {number(pixel[1])} µm")
    return f"{text} ({', '.join(extra)})" if extra else text


def what_was_done(contents: Contents) -> str:
    """The recording, the denoiser and the fusion, in a sentence or two."""
    raw, denoised = contents.sources["raw"], contents.sources["denoised"]
    facts = contents.facts
    denoiser = facts.denoiser.get("model")
    by = f"denoised by {denoiser}" if denoiser else f"denoised ({short_name(denoised)})"
    how = f"by {_method(facts.parameters.get('method'))}"
    moved = ", with the motion taken out meanwhile" if _registered(contents) else ""
    why = (
        ""
        if _found_nothing(facts.findings)
        else ": fine detail that the denoiser took away, and the raw recording still shows, was "
        "given back"
    )
    return (
        f"The recording {short_name(raw)}, {size_of(raw)}, was {by}, then fused {how}{moved}{why}."
    )


def _method(name: str | None) -> str:
    if name is None:
        return "a method that is not known"
    return f"{name} ({METHODS[name].about})" if name in METHODS else name


def headline(contents: Contents) -> str:
    """What was gained, from the surest source there is."""
    if contents.scores:
        return _against_truth(contents)
    if contents.facts.gain:
        return _by_probe(contents.facts.gain)
    return _expected(contents.facts.findings)


def caveats(contents: Contents) -> Iterator[str]:
    """What limits that statement."""
    facts = contents.facts
    if contents.scores and facts.gain:
        yield f"Without the truth, {_lower_first(_by_probe(facts.gain))}"
    is_expected = "expected_mse_reduction" in facts.findings and not facts.gain
    if is_expected and not contents.scores and not _found_nothing(facts.findings):
        yield _expectation(facts.findings)
    stillness = contents.inspection.raw.stillness
    if stillness is not None and stillness.range_px > _STILL_PX and not _registered(contents):
        yield (
            f"The recording moves over {number(stillness.range_px)} px. Fusion averages over "
            "many frames, so it gives less back where tissue moves; `--register` allows for it."
        )
    problems = [f for f in contents.inspection.advice if f.severity == "problem"]
    if problems:
        yield (
            f"{len(problems)} problem{'s' * (len(problems) > 1)} of the recordings should be "
            "mended before this result is trusted: see below."
        )


def _registered(contents: Contents) -> bool:
    facts = contents.facts
    return "registration" in facts.findings or "registration" in facts.provenance


def _against_truth(contents: Contents) -> str:
    before, after = (contents.scores[name].psnr_db for name in ("denoised", "fused"))
    change = after - before
    scale = f"from {before:.1f} to {after:.1f} dB"
    if change > _HARDLY_DB:
        return f"Against the ground truth, fusion raised the PSNR {scale}, by {change:.1f} dB."
    if change < -_HARDLY_DB:
        return (
            f"Against the ground truth, fusion lowered the PSNR {scale}, by {-change:.1f} dB: "
            "here the denoised recording is the better one."
        )
    return f"Against the ground truth, fusion made no difference: the PSNR is {after:.1f} dB."


def _by_probe(gain: Gain) -> str:
    error = _ERRORS * gain.mse_change_error
    if gain.db is None:
        fell = -gain.mse_change
        return (
            f"The mean squared error {'fell' if fell > 0 else 'rose'} by {number(abs(fell))} "
            f"± {number(error)} counts², as a probe shows; in dB that cannot be told, for the "
            "error that is left is too small to be measured."
        )
    low, high = gain.interval_db
    bounds = f"({_bound(low)} to {_bound(high)})"
    if gain.mse_change + error < 0:
        return (
            f"The mean squared error fell by {gain.db:.1f} dB {bounds}, as measured by a probe, "
            "without ground truth."
        )
    if gain.mse_change - error > 0:
        return (
            f"The mean squared error rose by {-gain.db:.1f} dB, as measured by a probe: fusion did "
            "not help here, and the denoised recording is the better one."
        )
    return (
        "Fusion made no difference that a probe could measure: the mean squared error changed by "
        f"{gain.mse_change:+.2g} ± {error:.2g} counts²."
    )


def _expected(findings: Any) -> str:
    if "expected_mse_reduction" not in findings:
        return "What was gained is not known: nothing is at hand to measure it by."
    if _found_nothing(findings):
        return (
            "Fusion found no detail that the denoised recording lacks, and left it as it is: here "
            "there is nothing to gain."
        )
    return (
        "The error of the detail that fusion corrected is expected to fall by "
        f"{findings['expected_gain_in_bands_db']:.1f} dB."
    )


def _found_nothing(findings: Any) -> bool:
    """Whether the fusion left the denoised recording as it was."""
    return bool(findings.get("expected_mse_in_bands", [1])[0] == 0)


def _expectation(findings: Any) -> str:
    """The numbers behind it, and what they do not say."""
    fall = findings["expected_mse_reduction"]
    before, after = findings["expected_mse_in_bands"]
    share = fall / findings["noise_sd"] ** 2
    return (
        f"In the bands that were corrected the mean squared error falls from {number(before)} to "
        f"{number(after)} counts², as the recordings themselves let expect: by {share:.2%} of the "
        "raw noise variance. What error the denoised recording has beside that is not known: "
        "`freq2clean run --probe` measures the gain of all, with an interval and a map."
    )


def _bound(bound: float | None) -> str:
    return "?" if bound is None else f"{bound:.1f}"


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
