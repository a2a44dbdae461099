"""The sections of the page, figures first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from freq2clean.inspection import Finding
from freq2clean.report.html.contents import Contents, FoundRois, Movie
from freq2clean.report.html.images import data_uri
from freq2clean.report.html.markup import Safe, joined, prose, tag
from freq2clean.report.html.sentences import (
    caveats,
    headline,
    number,
    short_name,
    what_was_done,
)
from freq2clean.report.html.table import table
from freq2clean.report.html.traces import trace_figures
from freq2clean.report.html.viewer import viewers
from freq2clean.report.html.weighing import gain_figures, weights_figure
from freq2clean.version import __version__

__all__ = ["sections", "title_of"]

_SEVERITIES = {"problem": "Problem", "warning": "Warning", "info": "Note"}
_SCORES = ("PSNR, dB", "PSNR of active pixels, dB", "SSIM3D", "SSIM", "stSNR, dB", "trace corr.")
_ROI_SCORES = ("ROIs", "precision", "recall", "F1", "AP 0.75", "mean IoU", "union IoU")


def title_of(contents: Contents) -> str:
    """Of the page."""
    return f"Fusion report: {short_name(contents.sources['fused'])}"


def sections(contents: Contents) -> Iterator[Safe]:
    """All that there is something to say about."""
    yield _summary(contents)
    yield _section("before-and-after", "Before and after", _before_and_after(contents))
    yield _section("gain", "What was gained", _gain(contents))
    if contents.regions:
        yield _section("traces", "Traces", trace_figures(contents))
    if contents.rois:
        yield _section("rois", "Cells found", _found_rois(contents.rois))
    if contents.facts.findings.get("weights"):
        yield _section("weights", "What was given back", weights_figure(contents))
    yield _section("advice", "About the recordings", _advice(contents.inspection.advice))
    yield _section("provenance", "How it was made", _provenance(contents))
    yield tag(
        "footer", f"Written by freq2clean {__version__}. Needs neither network nor other files."
    )


def _summary(contents: Contents) -> Safe:
    return tag(
        "header",
        tag("h1", title_of(contents)),
        tag("p", *prose(headline(contents)), class_="lead"),
        tag("p", what_was_done(contents)),
        *(tag("p", *prose(said)) for said in caveats(contents)),
    )


def _section(name: str, title: str, body: Safe) -> Safe:
    return tag("section", tag("h2", title, id=name), body, aria_labelledby=name)


def _before_and_after(contents: Contents) -> Safe:
    return joined([viewers(contents), _movie(contents.movie) if contents.movie else None])


def _movie(movie: Movie) -> Safe:
    uri = data_uri(movie.kind, movie.content)
    if movie.kind.startswith("video/"):
        shown = tag(
            "video", src=uri, controls=True, loop=True, muted=True, playsinline=True,
            aria_label=movie.caption,
        )  # fmt: skip
    else:
        still = tag("summary", "Show the movie (close it to stop)")
        shown = tag("details", still, tag("img", src=uri, alt=movie.caption))
    return tag("figure", shown, tag("figcaption", movie.caption), class_="movie")


def _gain(contents: Contents) -> Safe:
    known = joined([_scores(contents), gain_figures(contents)])
    unknown = "Not known: there is no truth to score by, no probe, and no expectation."
    return known or tag("p", unknown)


def _scores(contents: Contents) -> Safe | None:
    if not contents.scores:
        return None
    rows = []
    for name, score in contents.scores.items():
        traces = score.roi_correlation or score.active_correlation
        rows.append(
            (
                name, f"{score.psnr_db:.2f}", f"{score.psnr_active_db:.2f}",
                f"{score.ssim3d.value:.3f}", f"{score.ssim_frames:.3f}",
                f"{score.snr.stsnr_db:.2f}", f"{traces.mean:.3f}",
            )
        )  # fmt: skip
    first = next(iter(contents.scores.values()))
    how = first.ssim3d.options
    note = (
        f"Against the ground truth {short_name(contents.sources['truth'])}; higher is better. Data "
        f"range {number(first.data_range)}, the 99.9 % quantile of the truth. Active are the "
        f"{first.active_fraction:.0%} of pixels that vary most in the truth. SSIM3D: normalised by "
        f"{how.normalisation or 'nothing'}, every {how.stride} frames, {how.padding} padding."
    )
    return table(("recording", *_SCORES), rows, caption=note)


def _found_rois(rois: Mapping[str, FoundRois]) -> Safe:
    rows = []
    for name, found in rois.items():
        s = found.scores
        values = (
            (s.precision, s.recall, s.f1, s.ap75, s.mean_iou, s.union_iou) if s else (None,) * 6
        )
        cells = ["–" if value is None else f"{value:.2f}" for value in values]
        rows.append((name, str(found.n_rois), *cells))
    tools = ", ".join(sorted({found.tool or "a tool that is not named" for found in rois.values()}))
    against = (
        "Precision, recall and F1 of matches with those of the truth by an IoU of 0.5 or more; AP "
        "with 0.75 or more; union IoU is that of all pixels of any ROI."
        if any(found.scores for found in rois.values())
        else "Without the ROIs of a ground truth there is nothing to score them by."
    )
    return table(("recording", *_ROI_SCORES), rows, caption=f"Found by {tools}. {against}")


def _advice(advice: Sequence[Finding]) -> Safe:
    said = (
        "What `freq2clean inspect` finds in the raw and the denoised recording, before any fusion."
    )
    items = [
        tag(
            "li",
            tag("span", _SEVERITIES[finding.severity], class_="severity"),
            " ",
            *prose(finding.sentence),
            class_=finding.severity,
        )
        for finding in advice
    ]
    return joined([tag("p", *prose(said)), tag("ul", *items, class_="advice")])


def _provenance(contents: Contents) -> Safe:
    facts = contents.facts
    notes = [tag("li", *prose(_sentence(note))) for note in facts.notes]
    return joined(
        [
            tag("ul", *notes) if notes else None,
            tag("h3", "Recordings"),
            table(
                ("recording", "name", "frames × rows × columns", "dtype"),
                [
                    (kind, source.name, " × ".join(map(str, source.shape)), source.dtype)
                    for kind, source in contents.sources.items()
                ],
            ),
            *_parameters("Parameters of the denoiser", facts.denoiser),
            *_parameters("Parameters of the fusion", facts.parameters),
            *_parameters("Versions", facts.provenance.get("versions", {})),
            *_kept(facts.provenance),
        ]
    )


def _sentence(note: str) -> str:
    return f"{note[:1].upper()}{note[1:]}."


def _parameters(title: str, values: Any) -> Iterator[Safe]:
    if isinstance(values, Mapping) and values:
        rows = [(str(name).replace("_", " "), _value(value)) for name, value in values.items()]
        yield tag("h3", title)
        yield table(("parameter", "value"), rows)


def _value(value: Any) -> str:
    if value is None:
        return "chosen by the method"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, float) else str(value)


def _kept(provenance: Mapping[str, Any]) -> Iterator[Safe]:
    """What the fused file tells of itself, word for word."""
    if provenance:
        yield tag(
            "details",
            tag("summary", "What is kept with the fused file"),
            tag("pre", json.dumps(provenance, indent=2, ensure_ascii=False, default=str)),
        )
