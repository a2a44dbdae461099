"""What is known of a fusion besides the recordings: handed on, or found again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from freq2clean.errors import InputError
from freq2clean.fusion import METHODS, get_method, method_kind
from freq2clean.fusion.method import Fusion, Method, as_frames
from freq2clean.inspection import Gain
from freq2clean.pipeline import DenoiseResult, FuseResult
from freq2clean.pipeline.memory import block_frames
from freq2clean.recordings import Recording, fingerprint
from freq2clean.streaming import blocks, read_ahead
from freq2clean.version import __version__

__all__ = ["Facts", "facts_of", "refit"]

Progress = Callable[[int, int], None]

_NOT_PARAMETERS = ("versions", "inputs", "created")
_FINGERPRINT = "sha256_of_shape_dtype_first_and_last_frame"


@dataclass(frozen=True)
class Facts:
    """What was done, and what was found on the way.

    Attributes
    ----------
    parameters : mapping
        Of the fusion; empty where they are not known.
    findings : mapping
        Of the fusion, as in `FuseResult`.
    notes : tuple of str
        What had to be done, and what is not known, in plain words.
    provenance : mapping
        Kept with the fused file.
    denoiser : mapping
        Its model and parameters, and what it found; empty where they are not known.
    gain : Gain or None
        Of a probe.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    findings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    denoiser: Mapping[str, Any] = field(default_factory=dict)
    gain: Gain | None = None


def facts_of(
    raw: Recording,
    denoised: Recording,
    fused: Recording,
    *,
    fusion: FuseResult | None,
    denoising: DenoiseResult | None,
    gain: Gain | None,
    memory_bytes: int,
    progress: Progress | None = None,
) -> Facts:
    """From the result of the fusion, or by fitting once more what the fused file tells of it."""
    provenance = fused.metadata.provenance
    denoiser = _denoiser(denoised.metadata.provenance, denoising)
    if fusion:
        notes = (*(denoising.notes if denoising else ()), *fusion.notes)
        return Facts(fusion.parameters, fusion.findings, notes, provenance, denoiser, gain)
    method = _method_of(provenance)
    doubts = _doubts(provenance, raw, denoised)
    parameters = method.parameters() if method else {}
    findings: Mapping[str, Any] = {}
    if method is None:
        note = (
            f"{fused.name} does not say how it was made, so parameters, weights and the expected "
            "gain are not known"
        )
    elif "registration" in provenance:
        note = (
            "the recordings were registered before they were fused: weights and the expected gain "
            "are known only to the command that did it (`--report FILE`)"
        )
    else:
        fusion_again = refit(method, raw, denoised, memory_bytes=memory_bytes, progress=progress)
        findings = fusion_again.findings
        note = f"weights and the expected gain were found by fitting once more{_by(provenance)}"
    return Facts(parameters, findings, (*doubts, note), provenance, denoiser, gain)


def _by(provenance: Mapping[str, Any]) -> str:
    """Which version fitted, where another one had fused: it may find other numbers."""
    versions = provenance.get("versions")
    before = versions.get("freq2clean") if isinstance(versions, Mapping) else None
    if before in (None, __version__):
        return ""
    return f", by freq2clean {__version__}; the recording was fused by {before}"


def _denoiser(provenance: Mapping[str, Any], done: DenoiseResult | None) -> Mapping[str, Any]:
    """The model and its parameters: from what was done just now, or from the denoised file."""
    if done:
        simple = {k: v for k, v in done.findings.items() if isinstance(v, int | float | str)}
        return {**done.parameters, **simple}
    return {k: v for k, v in provenance.items() if k not in _NOT_PARAMETERS}


def refit(
    method: Method,
    raw: Recording,
    denoised: Recording,
    *,
    memory_bytes: int,
    progress: Progress | None = None,
) -> Fusion:
    """Accumulate and solve, for what is found on the way; nothing is kept to be applied."""
    fusion = Fusion(method, raw.shape, memory_bytes=memory_bytes // 2)

    def read(start: int, stop: int) -> tuple[Any, Any]:
        return as_frames(raw.read(start, stop)), as_frames(denoised.read(start, stop))

    for run in fusion.survey_runs:
        fusion.look(*read(*run))
    size = block_frames(raw, denoised, memory_bytes=memory_bytes)
    with closing(read_ahead(read, blocks(0, len(raw), size))) as pairs:
        for (start, stop), pair in pairs:
            fusion.add(start, *pair)
            for first, last in fusion.review_runs:
                fusion.review(first, *read(first, last))
            fusion.forget(fusion.settled)
            if progress:
                progress(stop, len(raw))
    return fusion


def _method_of(provenance: Mapping[str, Any]) -> Method | None:
    """The method that provenance names, with its parameters."""
    name = provenance.get("method")
    if not isinstance(name, str) or name not in METHODS:
        return None
    known = method_kind(name).__dataclass_fields__
    options = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in provenance.items()
        if key in known
    }
    try:
        return get_method(name, **options)
    except (InputError, TypeError):
        return None


def _doubts(provenance: Mapping[str, Any], raw: Recording, denoised: Recording) -> list[str]:
    """Where the recordings given are not those that provenance tells of."""
    inputs = provenance.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 2:
        return []
    return [
        f"{given.name} is not the {what} recording that the fused one was made from: its first or "
        "last frame, its shape or its dtype differ"
        for what, given, kept in zip(("raw", "denoised"), (raw, denoised), inputs, strict=True)
        if isinstance(kept, Mapping) and kept.get(_FINGERPRINT) != fingerprint(given)
    ]
