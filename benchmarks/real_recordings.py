"""The whole chain on real recordings: every figure and picture of docs/real-recordings.md.

    python -m benchmarks.real_recordings data/      # prints tables, draws docs/images/real-*.png

The folder holds `neurofinder-crop/` (raw.tif, regions.tif, denoised_deepcad_rt.tif) and
`mouse-s1/` (raw.tif). There is no ground truth: what is claimed is measured on frames that the
fusion has not seen, or against the raw recording's own mean.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
from benchmarks.timing import table
from numpy.typing import NDArray
from scipy.fft import fft2, fftfreq
from scipy.ndimage import binary_dilation

from freq2clean import (
    Auto,
    Fft,
    Fusion,
    MissingExtraError,
    Wiener,
    denoise,
    inspect,
    open_recording,
)
from freq2clean import run as run_chain
from freq2clean.denoisers.pretrained import Pretrained
from freq2clean.fusion.method import Method
from freq2clean.fusion.missing import missing_rows
from freq2clean.report.picture import side_by_side

IMAGES = Path(__file__).parent.parent / "docs" / "images"
MODELS = ("gaussian", "pca", "pretrained")
METHODS: dict[str, Method] = {
    "auto": Auto(),
    "wiener": Wiener(),
    "fft 0.85": Fft(alpha=0.85, matching="histogram"),
    "fft 1.0": Fft(alpha=1.0, matching="histogram"),
}
DRAWN = ("fft 1.0", "wiener", "auto")
TRACES = (
    "pretrained",
    "pretrained + auto",
    "deepcad-rt",
    "deepcad-rt + wiener",
    "deepcad-rt + auto",
)
RING_EDGES = (1 / 64, 1 / 8, 1 / 4, 1 / 2)
CELL_MARGIN_PX = 2
LEAST_SHARE_OF_VARIANCE = 0.1

Images = NDArray[np.float32]
Row = list[str]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Sample:
    """A real recording (T, Y, X), and what came with it."""

    name: str
    raw: NDArray[np.integer]
    regions: NDArray[np.integer] | None
    upstream: dict[str, Images]

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Dropped lines, (T, Y)."""
        return missing_rows(self.raw)

    @property
    def measured(self) -> Images:
        """The raw recording with NaN for dropped lines."""
        values = self.raw.astype(np.float32)
        values[self.missing] = np.nan
        return values

    @property
    def quiet(self) -> NDArray[np.bool_]:
        """Pixels (Y, X) away from labelled cells; all of them where none are labelled."""
        if self.regions is None:
            return np.ones(self.raw.shape[1:], np.bool_)
        return ~binary_dilation(self.regions > 0, iterations=CELL_MARGIN_PX)


def load(folder: Path) -> list[Sample]:
    """The samples of the folder of the data."""

    def frames(path: str) -> NDArray:
        with open_recording(folder / path) as recording:
            return recording[:]

    import tifffile

    crop = "neurofinder-crop"
    prediction = frames(f"{crop}/denoised_deepcad_rt.tif").astype(np.float32)
    regions = tifffile.imread(folder / crop / "regions.tif")
    return [
        Sample(crop, frames(f"{crop}/raw.tif"), regions, {"deepcad-rt": prediction}),
        Sample("mouse-s1", frames("mouse-s1/raw.tif"), None, {}),
    ]


def noise_sd(recording: Images, pixels: NDArray[np.bool_]) -> float:
    """Frame-to-frame noise: SD of the fourth difference, scaled so that white noise keeps its SD.

    Signals slower than some eight frames do not count.
    """
    difference = np.diff(recording[:, pixels], 4, axis=0)
    return float(np.sqrt(np.nanmean(difference**2, dtype=np.float64) / 70))


def slow_sd(recording: Images, pixels: NDArray[np.bool_]) -> float:
    """SD over time of averages of 16 frames: slow signal, and slow noise if there is any."""
    n_groups = len(recording) // 16
    groups = recording[: 16 * n_groups, pixels].reshape(n_groups, 16, -1)
    return float(np.sqrt(np.nanmean(groups, axis=1).var(axis=0).mean(dtype=np.float64)))


def rms(difference: NDArray) -> float:
    """Root mean square of what is measured."""
    return float(np.sqrt(np.nanmean(np.square(difference, dtype=np.float64))))


def tenths(value: float) -> float:
    """Rounded to one decimal, without a negative zero."""
    return round(float(value), 1) + 0.0


def with_error(value: float, error: float) -> str:
    """A signed figure and its standard error."""
    return f"{tenths(value):+} ± {tenths(error)}"


def correlation(one: NDArray, two: NDArray) -> float:
    """Pearson's, over values that both hold."""
    both = np.isfinite(one) & np.isfinite(two)
    return float(np.corrcoef(one[both], two[both])[0, 1])


def row_stripes(image: NDArray) -> float:
    """SD over rows of how far a row's mean lies from that of its two neighbours."""
    profile = image.mean(axis=1)
    return float(np.std(profile[1:-1] - (profile[:-2] + profile[2:]) / 2) / np.sqrt(1.5))


def trace_of_line(recording: Images, missing: NDArray[np.bool_]) -> float:
    """Mean of dropped lines minus that of the same rows some ten frames before and after."""
    steps = []
    for frame, row in np.argwhere(missing):
        near = [t for d in (-12, -10, -8, 8, 10, 12) if 0 <= (t := frame + d) < len(recording)]
        near = [t for t in near if not missing[t, row]]
        steps.append(recording[frame, row].mean() - recording[near, row].mean())
    return float(np.mean(steps))


def spatial_frequencies(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Of each coefficient of an image's transform, in cycles per pixel."""
    return np.hypot(*np.meshgrid(*(fftfreq(n) for n in shape), indexing="ij"))


def ring_correlation(one: NDArray, two: NDArray) -> list[float]:
    """Fourier ring correlation of two images between the `RING_EDGES`, in cycles per pixel."""
    taper = np.outer(*(np.hanning(size) for size in one.shape))
    a, b = (fft2((image - image.mean()) * taper) for image in (one, two))
    radius = spatial_frequencies(one.shape)
    found = []
    for low, high in pairwise(RING_EDGES):
        ring = (radius >= low) & (radius < high)
        cross = np.sum(a[ring] * b[ring].conj()).real
        found.append(float(cross / np.linalg.norm(a[ring]) / np.linalg.norm(b[ring])))
    return found


def traces(recording: Images, regions: NDArray[np.integer]) -> NDArray[np.float64]:
    """Mean over each labelled cell, (cells, T); NaN where none of it was measured.

    Lines that were dropped change which pixels of a cell are averaged, never their level.
    """
    found = []
    for label in np.unique(regions[regions > 0]):
        cell = recording[:, regions == label].astype(np.float64)
        level = np.nanmean(cell, axis=0)
        measured = np.isfinite(cell)
        with np.errstate(invalid="ignore"):
            change = np.nansum(cell - level, axis=1) / measured.sum(axis=1)
        found.append(level.mean() + change)
    return np.stack(found)


def slope(raw: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Median over cells of the change of the raw trace per change of the other one."""
    slopes = []
    for x, y in zip(raw, other, strict=True):
        both = np.isfinite(x) & np.isfinite(y)
        slopes.append(np.polyfit(y[both], x[both], 1)[0])
    return float(np.median(slopes))


def describe_chain(sample: Sample, chain: dict[str, Images]) -> str:
    """Level, contrast, noise and leftovers of every recording of a chain."""
    raw_mean = np.nanmean(sample.measured, axis=0, dtype=np.float64)
    missing, quiet = sample.missing, sample.quiet

    def row(name: str, recording: Images, measured: Images) -> list[str]:
        mean = np.nanmean(measured, axis=0, dtype=np.float64)
        return [
            name,
            f"{mean.mean():.1f}",
            f"{mean.std():.1f}",
            f"{correlation(mean, raw_mean):.4f}",
            f"{rms(mean - raw_mean):.1f}",
            f"{noise_sd(measured, quiet):.2f}",
            f"{slow_sd(measured, quiet):.1f}",
            f"{row_stripes(np.nan_to_num(mean - raw_mean)):.2f}",
            f"{trace_of_line(recording, missing):+.1f}" if missing.any() else "none",
        ]

    rows = [row("raw", sample.raw.astype(np.float32), sample.measured)]
    rows += [row(name, recording, recording) for name, recording in chain.items()]
    head = ["recording", "mean", "SD of mean image", "correlation with raw mean image"]
    head += ["RMS from raw mean image", "noise, SD per frame", "SD of 16-frame averages"]
    return table([*head, "row stripes", "step at dropped lines"], rows)


def describe_traces(sample: Sample, chain: dict[str, Images]) -> str:
    """Traces of the labelled cells."""
    assert sample.regions is not None
    raw = traces(sample.measured, sample.regions)
    rows = []
    for name, recording in {"raw": sample.measured, **chain}.items():
        found = traces(recording, sample.regions)
        off = np.abs(np.nanmedian(found, axis=1) - np.nanmedian(raw, axis=1))
        noise = np.sqrt(np.nanmean(np.diff(found, 4, axis=1) ** 2, axis=1) / 70)
        alike = [correlation(a, b) for a, b in zip(found, raw, strict=True)]
        rows.append(
            [
                name,
                f"{np.median(off):.1f}",
                f"{np.median(alike):.3f}",
                f"{slope(raw, found):.2f}",
                f"{np.median(noise):.1f}",
            ]
        )
    head = ["recording", "baseline off by", "correlation with raw trace"]
    return table([*head, "raw change per change", "noise, SD per frame"], rows)


def trace_agreement(one: Images, two: Images, regions: NDArray[np.integer] | None) -> str:
    """Mean over cells of the correlation of their traces; nothing where none are labelled."""
    if regions is None:
        return ""
    pairs = zip(traces(one, regions), traces(two, regions), strict=True)
    return f"{np.mean([correlation(a, b) for a, b in pairs]):.3f}"


def between(frames: Images) -> Images:
    """What lies between consecutive frames: their mean, or the one that was measured."""
    before, after = frames[:-1], frames[1:]
    mean = (before + after) / 2
    return np.where(np.isnan(mean), np.where(np.isnan(before), after, before), mean)


def changes(recording: Images) -> Images:
    """A recording without its mean image."""
    return recording - np.nanmean(recording, axis=0, dtype=np.float64).astype(np.float32)


def fall(
    before: Images, after: Images, unseen: Images, pixels: NDArray[np.bool_]
) -> tuple[float, float]:
    """Fall of the mean squared distance to unseen frames, and its standard error.

    The noise of the unseen frames is in both distances, so what falls is the error.
    """
    target, one, other = (x[:, pixels] for x in (unseen, before, after))
    falls = np.nanmean((one - target) ** 2 - (other - target) ** 2, axis=1)
    return float(falls.mean()), float(falls.std() / np.sqrt(len(falls)))


def confirmed(one: Images, other: Images, unseen: Images) -> list[float]:
    """Of what ``one`` changes beside ``other`` over time, the share that unseen frames confirm.

    Between the `RING_EDGES`: 1 where the change is right, 0 where it is noise; above 0.5 the error
    falls by it. NaN where nothing is changed.
    """
    before = changes(other)
    change = fft2(changes(one) - before)
    missing = fft2(np.nan_to_num(changes(unseen) - before))
    power = np.square(np.abs(change)).sum(axis=0)
    cross = (change * missing.conj()).real.sum(axis=0)
    radius = spatial_frequencies(power.shape)
    rings = [(radius >= low) & (radius < high) for low, high in pairwise(RING_EDGES)]
    return [float(cross[r].sum() / power[r].sum()) if power[r].any() else np.nan for r in rings]


def cross_validate(sample: Sample, name: str, denoised: Images) -> tuple[list[Row], Row]:
    """Fuse odd frames; compare with the even ones beside them, which the fusion has not seen.

    Gives a row for every method, and what is `confirmed` of what `auto` does beyond `wiener`.
    """
    odd, even = sample.raw[1::2], sample.measured[::2]
    unseen = between(even)
    even_mean = np.nanmean(even, axis=0, dtype=np.float64)
    pixels = [np.ones(odd.shape[1:], np.bool_)]
    pixels += [] if sample.regions is None else [sample.regions > 0]

    def row(title: str, recording: Images, fusion: Fusion | None = None) -> Row:
        mean = recording.mean(axis=0, dtype=np.float64)
        rings = [f"{r:.3f}" for r in ring_correlation(mean, even_mean)]
        seen, before = recording[: len(unseen)], denoised[: len(unseen)]
        alike = trace_agreement(seen, unseen, sample.regions)
        left = rms(seen - unseen) ** 2
        distances = [f"{rms(mean - even_mean):.1f}", *rings, alike, f"{tenths(left)}"]
        if fusion is None:
            return [title, *distances, *[""] * 4]
        moving = [changes(x) for x in (before, seen, unseen)]
        over_time = [fall(*moving, where) for where in pixels]
        said = fusion.findings.get("expected_mse_reduction")
        return [
            title,
            *distances,
            f"{tenths(rms(before - unseen) ** 2 - left):+}",
            *(with_error(*found) for found in over_time),
            *[""] * (2 - len(pixels)),
            "not said" if said is None else f"{tenths(said)}",
        ]

    fusions = {title: method.fit(odd, denoised) for title, method in METHODS.items()}
    fused = {title: fusion.apply(denoised) for title, fusion in fusions.items()}
    rows = [row(f"{name} + {title}", fused[title], fusions[title]) for title in METHODS]
    shares = confirmed(*(fused[m][: len(unseen)] for m in ("auto", "wiener")), unseen)
    return [row(name, denoised), *rows], [name, *(f"{share:.2f}" for share in shares)]


def cross_validation(sample: Sample, halves: dict[str, Images]) -> str:
    """Two tables of `cross_validate` for denoised odd frames; the raw odd mean is a ceiling."""
    odd, even = sample.measured[1::2], sample.measured[::2]
    means = [np.nanmean(half, axis=0, dtype=np.float64) for half in (odd, even)]
    rings = [f"{r:.3f}" for r in ring_correlation(*means)]
    unseen = between(even)
    alike = trace_agreement(odd[: len(unseen)], unseen, sample.regions)
    rows = [["raw odd frames", f"{rms(means[0] - means[1]):.1f}", *rings, alike, *[""] * 5]]
    shares = []
    for name, denoised in halves.items():
        found, share = cross_validate(sample, name, denoised)
        rows += found
        shares.append(share)
    periods = [f"ring {1 / b:.0f}-{1 / a:.0f} px" for a, b in pairwise(RING_EDGES)]
    head = ["odd frames", "RMS from even mean image", *periods, "trace correlation"]
    head += ["MSE from unseen frames", "its fall by fusion"]
    head += ["of it over time", "over time in cells", "foretold"]
    return f"{table(head, rows)}\n\n{table(['confirmed', *periods], shares)}"


def split_noise(sample: Sample, signal: Images) -> tuple[Images, Images]:
    """Two recordings of the same signal, frame by frame, whose noise is independent.

    With noise n and a second draw m of it, n + m / 2 and n - 2 m are uncorrelated. The draw is as
    strong as the photon transfer says that the noise is.
    """
    findings = Wiener().fit(sample.raw, signal).findings
    transfer = findings["noise"]
    least = LEAST_SHARE_OF_VARIANCE * findings["noise_sd"] ** 2
    variance = np.maximum(transfer["gain"] * signal + transfer["offset"], least)
    draw = np.random.default_rng(5).standard_normal(signal.shape, dtype=np.float32)
    draw *= np.sqrt(variance, dtype=np.float32)
    seen = sample.raw + draw / 2
    seen[sample.missing] = 0
    return seen, sample.measured - 2 * draw


def probed(sample: Sample, models: Iterable[str], signal: Images) -> str:
    """What a probe says that `auto` gains, and what it gains on frames with other noise."""
    seen, unseen = split_noise(sample, signal)
    everywhere = np.ones(seen.shape[1:], np.bool_)
    cells = everywhere if sample.regions is None else sample.regions > 0
    rows = []
    for model in models:
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / f"{name}.npy" for name in ("denoised", "fused")]
            result = run_chain(seen, model=model, probe=True, out=paths[1], keep_denoised=paths[0])
            denoised, fused = map(np.load, paths)
        gain, by_wiener = result.gain, Wiener().fit(seen, denoised).apply(denoised)
        assert gain is not None
        falls = [
            fall(denoised, fused, unseen, everywhere),
            (gain.mse_denoised - gain.mse_fused, gain.mse_change_error),
            fall(by_wiener, fused, unseen, everywhere),
            fall(by_wiener, fused, unseen, cells),
        ]
        decibels = "not told" if gain.db is None else f"{gain.db:.1f}"
        distances = (rms(denoised - unseen) ** 2, gain.mse_denoised, gain.mse_fused)
        told = [with_error(*found) for found in falls]
        rows.append([model, *told, *(f"{tenths(d)}" for d in distances), decibels])
    head = ["denoiser", "fall of MSE by `auto`", "by the probe", "fall beside `wiener`", "in cells"]
    head += ["MSE from unseen frames", "error denoised, by the probe", "error fused", "gain, dB"]
    return table(head, rows)


def timed(name: str, job: Callable[[], Result], seconds: dict[str, float]) -> Result:
    """The result of a job; its run time is noted."""
    began = time.perf_counter()
    result = job()
    seconds[name] = time.perf_counter() - began
    return result


def draw_traces(curves: dict[str, NDArray[np.float64]], path: Path) -> None:
    """One panel per kind of recording, the same cells and scales in each."""
    from PIL import Image, ImageDraw, ImageFont

    width, height, gap = 900, 130, 26
    canvas = Image.new("L", (width, len(curves) * (height + gap)), 255)
    draw = ImageDraw.Draw(canvas)
    everything = np.concatenate([c.ravel() for c in curves.values()])
    low, high = np.nanquantile(everything, (0.001, 0.9999))
    for panel, (title, cells) in enumerate(curves.items()):
        top = panel * (height + gap) + gap
        draw.text((6, top - gap + 4), title, fill=0, font=ImageFont.load_default(15))
        for shade, trace in zip((0, 120, 170), cells, strict=True):
            seen = np.isfinite(trace)
            x = np.linspace(0, width - 1, len(trace))[seen]
            y = top + (height - 4) * (1 - (trace[seen] - low) / (high - low)).clip(0, 1)
            draw.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=shade, width=1)
    canvas.save(path, optimize=True)


def draw(sample: Sample, chain: dict[str, Images]) -> None:
    """The pictures of a sample."""
    frame = len(sample.raw) // 2
    for name in (n for n in chain if " + " not in n):
        shown = {n: chain[n] for n in (name, *(f"{name} + {m}" for m in DRAWN))}
        path = IMAGES / f"real-{sample.name}-{name}.png"
        side_by_side({**shown, "raw": sample.measured}, path, frame=frame)
    if sample.regions is None:
        return
    raw = traces(sample.measured, sample.regions)
    liveliest = np.argsort(np.nanstd(raw, axis=1))[-3:]
    curves = {n: traces(chain[n], sample.regions)[liveliest] for n in TRACES if n in chain}
    draw_traces({"raw": raw[liveliest], **curves}, IMAGES / f"real-{sample.name}-traces.png")


def available() -> list[str]:
    """The denoisers that can be run here."""
    try:
        Pretrained.check_installed()
    except MissingExtraError as error:
        print(f"pretrained is left out: {error}")
        return [model for model in MODELS if model != Pretrained.name]
    return list(MODELS)


def run(sample: Sample) -> None:
    """Denoise, fuse, inspect and cross-validate one sample; print and draw what comes out."""
    seconds: dict[str, float] = {}
    models = available()
    predictions = {
        m: timed(f"denoise {m}", lambda m=m: denoise(sample.raw, model=m), seconds) for m in models
    }
    predictions |= sample.upstream
    chain: dict[str, Images] = {}
    for name, denoised in predictions.items():
        chain[name] = denoised
        for title, method in METHODS.items():
            key = f"{name} + {title}"
            fusion = timed(f"fit {key}", lambda m=method, d=denoised: m.fit(sample.raw, d), seconds)
            chain[key] = timed(f"apply {key}", lambda f=fusion, d=denoised: f.apply(d), seconds)
    print(f"\n## {sample.name}\n")
    for name, denoised in predictions.items():
        report = timed(f"inspect {name}", lambda d=denoised: inspect(sample.raw, d), seconds)
        print(f"inspect, {name}:\n")
        print("\n".join(f"- {f.severity}: {f.sentence}" for f in report.advice), "\n")
    print(describe_chain(sample, chain), "\n")
    if sample.regions is not None:
        print(describe_traces(sample, chain), "\n")
    halves = {m: denoise(sample.raw[1::2], model=m) for m in models}
    halves |= {name: prediction[1::2] for name, prediction in sample.upstream.items()}
    print(cross_validation(sample, halves), "\n")
    print(probed(sample, models, chain["gaussian + auto"]), "\n")
    print(table(["step", "seconds"], ([k, f"{v:.2f}"] for k, v in seconds.items())), "\n")
    draw(sample, chain)


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    for each in load(Path(sys.argv[1])):
        run(each)
