"""Read the recordings, and gather all that a page shows of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from freq2clean.errors import InputError
from freq2clean.fusion.scale import Scale
from freq2clean.inspection import Gain, inspect_recordings
from freq2clean.metrics import Scores
from freq2clean.metrics.rois import score_rois
from freq2clean.pipeline import DenoiseResult, FuseResult, evaluate
from freq2clean.pipeline.denoising import shares
from freq2clean.pipeline.opening import open_pair
from freq2clean.recordings import Recording
from freq2clean.report.html.contents import Contents, FoundRois, Source
from freq2clean.report.html.facts import facts_of
from freq2clean.report.html.movies import Scaled, short_movie
from freq2clean.report.html.regions import (
    Region,
    activity_image,
    pick_regions,
    regions_of_rois,
)
from freq2clean.report.html.watching import Seen, watch
from freq2clean.rois import Rois

__all__ = ["DATA_RANGE", "KINDS", "Known", "gather", "open_recordings"]

Progress = Callable[[int, int], None]

KINDS = ("raw", "denoised", "fused", "truth")
DATA_RANGE = "q99.9"


@dataclass(frozen=True)
class Known:
    """What is known already of the recordings.

    Attributes
    ----------
    fusion : FuseResult or None
    denoising : DenoiseResult or None
    gain : Gain or None
    rois : mapping of str to Rois
        ROIs found on "raw", "denoised" or "fused", and those of the "truth".
    """

    fusion: FuseResult | None = None
    denoising: DenoiseResult | None = None
    gain: Gain | None = None
    rois: Mapping[str, Rois] | None = None


def open_recordings(
    stack: ExitStack,
    raw: Any,
    denoised: Any,
    fused: Any,
    truth: Any = None,
    *,
    align: str | None = None,
    channel: int | None = None,
    plane: int | None = None,
) -> dict[str, Recording]:
    """All of one shape, by kind; InputError says where they do not fit together."""
    choice: dict[str, Any] = {"align": align, "channel": channel, "plane": plane}
    pair, _ = open_pair(stack, raw, denoised, **choice)
    opened = dict(zip(("raw", "denoised"), pair, strict=True))
    (_, opened["fused"]), _ = open_pair(stack, pair[0], fused, align=None)
    if truth is not None:
        (opened["truth"], _), _ = open_pair(stack, truth, pair[0], **choice)
    return opened


def gather(
    recordings: Mapping[str, Recording],
    known: Known,
    *,
    memory_bytes: int,
    progress: Progress | None = None,
) -> Contents:
    """Inspect the recordings, find the regions to show, and read all once side by side.

    Parameters
    ----------
    recordings : mapping of str to Recording
        Of `open_recordings`.
    """
    raw, denoised, fused = (recordings[kind] for kind in ("raw", "denoised", "fused"))
    rois = dict(known.rois or {})
    _check_rois(rois, raw)
    in_facts, in_inspection, in_watch, in_scores = shares(
        progress, 0 if known.fusion else 6, 2, len(recordings), 12 if "truth" in recordings else 0
    )
    facts = facts_of(
        raw, denoised, fused, fusion=known.fusion, denoising=known.denoising, gain=known.gain,
        memory_bytes=memory_bytes, progress=in_facts,
    )  # fmt: skip
    inspection = inspect_recordings(raw, denoised, progress=in_inspection)
    regions, regions_from = _regions(denoised, rois, memory_bytes)
    seen = watch(recordings, regions, memory_bytes=memory_bytes, progress=in_watch)
    frame = _liveliest_frame(seen["denoised"], len(raw))
    scale = Scale(**facts.findings["scale"]) if "scale" in facts.findings else Scale()
    seen["denoised"] = seen["denoised"].on(scale)
    shown = {**recordings, "denoised": Scaled(denoised, scale)}
    return Contents(
        sources={kind: _source(recording) for kind, recording in recordings.items()},
        seen=seen,
        frame=frame,
        frames={kind: recording[frame] for kind, recording in shown.items()},
        regions=regions,
        regions_from=regions_from,
        inspection=inspection,
        facts=facts,
        scores=_scores(recordings, rois, memory_bytes, in_scores),
        rois=_found(rois),
        movie=short_movie(shown, frame=frame, place=_place(regions, raw)),
    )


def _source(recording: Recording) -> Source:
    return Source(recording.name, recording.shape, recording.dtype.name, recording.metadata)


def _check_rois(rois: Mapping[str, Rois], raw: Recording) -> None:
    for kind, found in rois.items():
        if kind not in KINDS:
            raise InputError(f"ROIs of {kind!r}; give those of {', '.join(KINDS)}")
        if found.shape != raw.shape[1:]:
            raise InputError(
                f"the ROIs of the {kind} recording are on frames of {found.shape[0]} x "
                f"{found.shape[1]} pixels; {raw.name} has {raw.shape[1]} x {raw.shape[2]}"
            )


def _regions(
    denoised: Recording, rois: Mapping[str, Rois], memory_bytes: int
) -> tuple[list[Region], str]:
    activity = activity_image(denoised, memory_bytes=memory_bytes)
    for kind in ("fused", "truth", "denoised", "raw"):
        if kind in rois and len(rois[kind]):
            return regions_of_rois(rois[kind], activity), f"the most active ROIs found on {kind}"
    return pick_regions(activity), "where the denoised recording varies most"


def _liveliest_frame(seen: Seen, n_frames: int) -> int:
    """Where the regions are brightest beside what is usual for them; the middle without any."""
    traces = seen.traces[np.isfinite(seen.traces).any(axis=1)]
    if not traces.size or np.nanmax(traces) == np.nanmin(traces):
        return n_frames // 2
    spread = np.nanstd(traces, axis=1, keepdims=True)
    height = (traces - np.nanmean(traces, axis=1, keepdims=True)) / np.maximum(spread, 1e-30)
    return int(np.nan_to_num(height).sum(axis=0).argmax())


def _place(regions: Sequence[Region], raw: Recording) -> tuple[int, int]:
    """The middle of the most active region, or of the field."""
    if not regions:
        return raw.shape[1] // 2, raw.shape[2] // 2
    rows, columns = np.nonzero(regions[0].mask)
    return int(rows.mean()), int(columns.mean())


def _scores(
    recordings: Mapping[str, Recording],
    rois: Mapping[str, Rois],
    memory_bytes: int,
    progress: Progress | None,
) -> dict[str, Scores]:
    if "truth" not in recordings:
        return {}
    compared = [kind for kind in recordings if kind != "truth"]
    masks = rois["truth"].label_image() if len(rois.get("truth", ())) else None
    return {
        kind: evaluate(
            recordings["truth"], recordings[kind], data_range=DATA_RANGE, masks=masks,
            memory=memory_bytes, progress=part,
        )
        for kind, part in zip(compared, shares(progress, *[1] * len(compared)), strict=True)
    }  # fmt: skip


def _found(rois: Mapping[str, Rois]) -> dict[str, FoundRois]:
    """How many, and how good where the truth's are known."""
    truth = rois.get("truth")
    return {
        kind: FoundRois(
            found.tool,
            len(found),
            score_rois(found.footprints, truth.footprints)
            if truth is not None and kind != "truth"
            else None,
        )
        for kind in KINDS
        if (found := rois.get(kind)) is not None
    }
