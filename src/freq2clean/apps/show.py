"""Results in words and tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from freq2clean.apps.terminal import out

if TYPE_CHECKING:
    from freq2clean.apps.demo import DemoResult
    from freq2clean.inspection import Gain, Inspection
    from freq2clean.metrics import Scores
    from freq2clean.pipeline import DenoiseResult, FuseResult, RunResult, TrainResult
    from freq2clean.report.html import Report
    from freq2clean.studies import Verdict

__all__ = [
    "demo",
    "denoising",
    "files",
    "fusion",
    "gain",
    "inspection",
    "report",
    "run",
    "scores",
    "simulation",
    "table",
    "training",
    "verdicts",
]

_STYLES = {"problem": "bold red", "warning": "yellow", "info": "cyan"}


def fusion(result: FuseResult) -> None:
    """What was written, what was found, and what to know."""
    found = result.findings
    _written(result.path, result.shape, result.dtype, result.seconds)
    windows = found["windows"]
    out.print(
        f"  {result.parameters['method']}: {found['n_bins']} temporal bins on {len(windows)} "
        f"window{'s' * (len(windows) > 1)} of {windows[0][1] - windows[0][0]} frames"
    )
    if "noise" in found:
        noise = found["noise"]
        out.print(
            f"  noise: SD {found['noise_sd']:.4g}, variance = {noise['gain']:.4g} x mean "
            f"{noise['offset']:+.4g}"
        )
    for note in result.notes:
        out.print(f"  {note}", markup=False)


def denoising(result: DenoiseResult) -> None:
    """What was written, what the model learned, and what to know."""
    if result.path:
        _written(result.path, result.shape, result.dtype, result.seconds)
    _learned(result.findings)
    if result.n_clipped:
        out.print(f"  {result.n_clipped} values were clipped to what {result.dtype} can hold")
    for note in result.notes:
        out.print(f"  {note}", markup=False)


def training(result: TrainResult) -> None:
    """What was written, and what the model learned."""
    out.print(
        f"{result.path}: {result.parameters['model']} trained on {', '.join(result.recordings)}, "
        f"in {result.seconds:.1f} s",
        markup=False,
    )
    _learned(result.findings)


def run(result: RunResult) -> None:
    """Both steps, and what was gained."""
    out.print(f"Denoised by {result.denoised.parameters['model']}, then fused:\n")
    denoising(result.denoised)
    fusion(result.fused)
    if result.gain:
        gain(result.gain)


def report(written: Report) -> None:
    """Where it is, and what it needs."""
    out.print(
        f"{written.path}: the report, one file of {written.n_bytes / 1e6:.1f} MB, in "
        f"{written.seconds:.1f} s",
        markup=False,
    )


def gain(found: Gain) -> None:
    """What fusion gained, as a probe of faint noise shows, and how sure that is."""
    low, high = ("?" if bound is None else f"{bound:.1f}" for bound in found.interval_db)
    fell = "cannot be told in dB" if found.db is None else f"{found.db:.1f} dB better"
    out.print(
        f"  probe: mean squared error {found.mse_denoised:.4g} denoised, {found.mse_fused:.4g} "
        f"fused: {fell} ({low} to {high})"
    )
    before, after = (
        "none" if detail is None else f"{detail:.1f} pixels"
        for detail in (found.detail_px_denoised, found.detail_px_fused)
    )
    out.print(f"  finest detail that is right (ring correlation of 0.5): {before}, then {after}")


def inspection(found: Inspection) -> None:
    """The advice, problems first."""
    for finding in found.advice:
        style = _STYLES[finding.severity]
        out.print(f"[{style}]{finding.severity:>8}[/]  {escape(finding.sentence)}")


def scores(found: Mapping[str, Scores]) -> None:
    """A table with a row per recording, and the convention behind SSIM3D."""
    table = Table(box=None, pad_edge=False)
    table.add_column("recording", overflow="fold")
    for head in ("PSNR dB", "active dB", "SSIM3D", "SSIM", "stSNR dB", "trace corr."):
        table.add_column(head, justify="right")
    for name, score in found.items():
        traces = score.roi_correlation or score.active_correlation
        table.add_row(
            escape(name),
            f"{score.psnr_db:.2f}",
            f"{score.psnr_active_db:.2f}",
            f"{score.ssim3d.value:.3f}",
            f"{score.ssim_frames:.3f}",
            f"{score.snr.stsnr_db:.2f}",
            f"{traces.mean:.3f}",
        )
    out.print(table)
    first = next(iter(found.values()))
    how = first.ssim3d.options
    out.print(
        f"data range {first.data_range:.6g}; active: the {first.active_fraction:.0%} of pixels "
        f"that vary most in the truth; SSIM3D: normalised by {how.normalisation or 'nothing'}, "
        f"every {how.stride} frames, {how.padding} padding; traces of "
        f"{'ROIs' if first.roi_correlation else 'active pixels'}",
        style="dim",
    )


def simulation(facts: Mapping[str, Any]) -> None:
    """What was written."""
    out.print(
        f"{facts['folder']}: raw.tif and truth.tif ({_size(facts['shape'])}), labels.tif, "
        f"traces.npy and spikes.npy of {facts['n_cells']} cells; "
        f"{facts['photons_per_pixel']:.3g} photons per pixel and frame",
        markup=False,
    )


def demo(result: DemoResult) -> None:
    """The table, and where everything is."""
    out.print(f"A recording of {_size(result.shape)}, simulated, denoised, and fused:\n")
    scores(result.scores)
    files(result.files)


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Rows of a study."""
    shown = Table(box=None, pad_edge=False)
    for column in columns:
        shown.add_column(column.replace("_", " "))
    for row in rows:
        shown.add_row(*(_cell(row[column]) for column in columns))
    out.print(shown)


def verdicts(found: Sequence[Verdict]) -> None:
    """Whether a short training with fusion beats the longest without, by method."""
    for verdict in found:
        out.print(
            f"{verdict.method}: patch_t = {verdict.short_patch_t} against {verdict.long_patch_t} "
            f"denoised only, trained {verdict.times_faster:.1f} times as fast: "
            f"{_gain(verdict.psnr_gain_db, verdict.psnr_gain_range_db, '.2f')} dB, "
            f"{_gain(verdict.ssim3d_gain, verdict.ssim3d_gain_range, '.3f')} SSIM3D: "
            + ("better" if verdict.holds else "not better by both")
            + (f" ({verdict.n_held} of {verdict.n_seeds} seeds)" if verdict.n_seeds > 1 else "")
        )


def _gain(mean: float, between: tuple[float, float], digits: str) -> str:
    """With what it is between, where that is not one number."""
    low, high = (f"{end:+{digits}}" for end in between)
    return f"{mean:+{digits}}" + (f" ({low} to {high})" if low != high else "")


def files(paths: Mapping[str, Path]) -> None:
    """Where everything is."""
    out.print()
    for what, path in paths.items():
        out.print(f"{what + ':':<14}{path}", markup=False)


def _written(path: str, shape: tuple[int, int, int], dtype: str, seconds: float) -> None:
    out.print(f"{path}: {_size(shape)} {dtype}, in {seconds:.1f} s", markup=False)


def _learned(findings: Mapping[str, Any]) -> None:
    """Numbers and words, the end of a training, and what happened on the way."""
    for name, value in findings.items():
        if isinstance(value, int | float | str):
            text = f"{value:.4g}" if isinstance(value, float) else str(value)
            out.print(f"  {name.replace('_', ' ')}: {text}", markup=False)
    for last in findings.get("history", [])[-1:]:
        out.print(f"  loss: {last['loss']:.4g}")
    for note in findings.get("notes", []):
        out.print(f"  {note}", markup=False)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _size(shape: Any) -> str:
    frames, height, width = shape
    return f"{frames} frames of {height} x {width} pixels"
