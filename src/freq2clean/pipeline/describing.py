"""What a user should know of a fusion, in plain words."""

from __future__ import annotations

from typing import Any

from freq2clean.fusion.scale import Scale
from freq2clean.pipeline.saving import Saved
from freq2clean.recordings.writing import note_on

__all__ = ["describe"]


def describe(findings: dict[str, Any], saved: Saved) -> list[str]:
    """What a user should know of a fusion, in plain words."""
    notes = []
    scale = Scale(**findings["scale"])
    if not scale.is_identity:
        notes.append(
            "the denoised recording is on another scale: it was brought to the raw one's as "
            f"{scale.gain:.6g} x denoised {scale.offset:+.6g}"
        )
    if findings.get("n_bins_limited_by_memory"):
        notes.append(
            f"memory allows {findings['n_bins']} temporal bins, fewer than would be of use; "
            "give more memory for a better result"
        )
    if "expected_mse_reduction" in findings:
        notes.append(_describe_gain(findings))
    if note := note_on(saved.path):
        notes.append(note)
    if saved.n_clipped:
        notes.append(f"{saved.n_clipped} values were clipped to what {saved.dtype} can hold")
    return notes


def _describe_gain(findings: dict[str, Any]) -> str:
    before, after = findings["expected_mse_in_bands"]
    if before == 0:
        return (
            "no detail was found that the denoised recording lacks: it was left as it is "
            "(expected gain 0)"
        )
    share = findings["expected_mse_reduction"] / findings["noise_sd"] ** 2
    return (
        f"expected gain, without ground truth: the mean squared error falls by "
        f"{findings['expected_mse_reduction']:.4g} ({share:.2%} of the raw noise variance); in "
        f"the corrected bands from {before:.4g} to {after:.4g}, "
        f"{findings['expected_gain_in_bands_db']:.1f} dB"
    )
