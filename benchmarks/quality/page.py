"""docs/quality.md, from a table of scores."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from benchmarks.quality.conditions import AXES, Condition, around_base
from benchmarks.quality.results import Table
from benchmarks.quality.scoring import BEST_ALPHA, DENOISED, NAMES, ORACLES
from benchmarks.timing import table

from freq2clean.fusion import DEFAULT_METHOD

__all__ = ["CANDIDATES", "write_page"]

CANDIDATES = [name for name in NAMES if name not in (DENOISED, BEST_ALPHA, *ORACLES)]
OWN = [name for name in CANDIDATES if name not in ("fft", "dct")]
TOLERATED_DB = 0.05
SHOWN = 8
PIXELS = {"psnr_db": "all pixels", "psnr_active_db": "active pixels"}


def write_page(scores: Table, *, command: str, images: list[str]) -> str:
    """The whole page."""
    sections = [
        _head(scores, command),
        _reached(scores),
        *(f"![{name}](images/{name}.png)" for name in images),
        "## Where fusion loses\n\n" + "\n\n".join(_losses(scores)),
        _calibration(scores),
        "## Figures\n\nWhat a heading does not say is as in the base condition.",
        *_figures(scores),
    ]
    return "\n\n".join(sections) + "\n"


def _head(scores: Table, command: str) -> str:
    sizes = sorted({row.size for row in scores.rows})
    seeds = sorted({row.seed for row in scores.rows})
    return (
        "# Quality on simulated recordings\n\n"
        f"{len(scores.conditions)} conditions, frames of {', '.join(f'{n} x {n}' for n in sizes)} "
        f"pixels, seeds {', '.join(map(str, seeds))}, which nothing was tuned on. "
        f"The base condition is: {', '.join(Condition().label(axis) for axis in AXES)}; others are "
        "named by what differs from it. "
        "PSNR has the 99.9 % quantile of the truth as data range; active pixels are the 5 % that "
        "vary most in the truth. SSIM3D is given by the study's convention, each recording "
        "scaled to its own percentiles, and with both scaled to those of the truth. `fft` and "
        "`dct` have the study's settings; for the best alpha and the oracles, the truth was "
        f"asked. Written by `{command}`."
    )


def _reached(scores: Table) -> str:
    """Gains at -5.5 dB where nothing moves, and the worst of all conditions."""
    base = Condition()
    still = [c for c in scores.conditions if (c.snr_db, c.motion) == (base.snr_db, base.motion)]

    def mean(name: str, over: str, metric: str) -> float:
        return float(np.nanmean([scores.gain(c, name, over, metric) for c in still]))

    def worst(name: str, over: str, metric: str) -> float:
        return float(np.nanmin([scores.gain(c, name, over, metric) for c in scores.conditions]))

    columns = (
        ("on denoised, dB", mean, DENOISED, "psnr_db"),
        ("on best alpha, dB", mean, BEST_ALPHA, "psnr_db"),
        ("SSIM3D on best alpha", mean, BEST_ALPHA, "ssim3d_own"),
        ("active, on `wiener`, dB", mean, "wiener", "psnr_active_db"),
        ("trace corr. on `wiener`", mean, "wiener", "trace_corr"),
        ("worst on denoised, dB", worst, DENOISED, "psnr_db"),
        ("worst on denoised, active, dB", worst, DENOISED, "psnr_active_db"),
        ("worst on best alpha, dB", worst, BEST_ALPHA, "psnr_db"),
    )
    rows = [
        (name, *(f"{reduce(name, over, metric):+.3f}" for _, reduce, over, metric in columns))
        for name in (*CANDIDATES, *ORACLES)
    ]
    return (
        f"## In short\n\nMean gains of the {len(still)} conditions at -5.5 dB where nothing "
        f"moves; after them, the worst of all {len(scores.conditions)}.\n\n"
        + table(("", *(column for column, *_ in columns)), rows)
    )


def _losses(scores: Table) -> Iterator[str]:
    yield (
        f"A loss is more than {TOLERATED_DB} dB of PSNR below what a method is set beside, in the "
        "mean of a condition's seeds. The worst are named."
    )
    for name in CANDIDATES:
        rivals = [BEST_ALPHA, *OWN[: OWN.index(name)]] if name in OWN else []
        sentences = [
            _loss(scores, name, over, metric) for over in (DENOISED, *rivals) for metric in PIXELS
        ]
        yield f"### {name}\n\n" + "\n".join(f"- {sentence}" for sentence in sentences)


def _loss(scores: Table, name: str, over: str, metric: str) -> str:
    gains = {c: scores.gain(c, name, over, metric) for c in scores.conditions}
    gains = {c: gain for c, gain in gains.items() if np.isfinite(gain)}
    losses = sorted((gain, str(c)) for c, gain in gains.items() if gain < -TOLERATED_DB)
    beside = f"Beside {over}, on {PIXELS[metric]}"
    if not losses:
        return f"{beside}: no loss; the least gain is {min(gains.values()):+.2f} dB."
    named = "; ".join(f"{gain:+.2f} dB ({condition})" for gain, condition in losses[:SHOWN])
    more = "" if len(losses) <= SHOWN else f"; and {len(losses) - SHOWN} more"
    return f"{beside}: **worse in {len(losses)} of {len(gains)} conditions**: {named}{more}."


def _calibration(scores: Table) -> str:
    rows = []
    for name in CANDIDATES:
        foretold = scores.foretold(name)
        if len(foretold):
            deviation = foretold[:, 0] - foretold[:, 1]
            low, middle, high = np.percentile(deviation, (2.5, 50, 97.5))
            rows.append(
                (
                    name,
                    str(len(deviation)),
                    f"{middle:+.2f}",
                    f"{np.median(abs(deviation)):.2f}",
                    f"{low:+.2f} to {high:+.2f}",
                    f"{np.mean(abs(deviation) <= 1):.0%}",
                )
            )
    head = ("", "recordings", "median, dB", "median size, dB", "95 % range, dB", "within 1 dB")
    return (
        "## Does it know what it gained?\n\n"
        "A fusion says, without the truth, by how much it expects the mean squared error to fall. "
        "Taken from the true error of the denoised recording, that gives an error after fusion; "
        "below, how far it lies above (+) or below (-) the true one.\n\n"
        + table(head, rows)
        + "\n\n"
        + _by_probe(scores)
    )


def _by_probe(scores: Table) -> str:
    true, probed, low, high = scores.probed(DEFAULT_METHOD).T
    told = np.isfinite(probed)
    if not told.any():
        return "No gain was measured with a probe."
    deviation = probed[told] - true[told]
    inside = ~(true < low) & ~(true > high)
    short = [c for c in scores.conditions if c.frames <= Condition().frames]
    return (
        f"With a probe (`freq2clean run --probe`), `{DEFAULT_METHOD}` tells its gain in dB without "
        f"any true error: {told.sum()} times of {told.size} (else too little error is left to be "
        f"seen beside the noise), {np.median(deviation):+.2f} dB off in the median, "
        f"{np.median(abs(deviation)):.2f} dB in median size, within 1 dB in "
        f"{np.mean(abs(deviation) <= 1):.0%}; the interval holds the true gain in "
        f"{inside.mean():.0%}. These are small recordings, {len(short)} of "
        f"{len(scores.conditions)} of {Condition().frames} frames: the noise is known to some "
        "tenths of a percent, and what error is left is no more. For larger ones there is "
        "[015-gain.md](decisions/015-gain.md)."
    )


def _figures(scores: Table) -> Iterator[str]:
    """A table per condition around the base."""
    denoisers = dict.fromkeys(condition.denoiser for condition in scores.conditions)
    for condition in around_base(list(denoisers)):
        if condition in scores.conditions:
            name = str(condition) if condition.differences() else f"{condition}, base condition"
            yield f"### {name}\n\n{_scores(scores, condition)}"


def _scores(scores: Table, condition: Condition) -> str:
    digits = {
        "psnr_db": 2,
        "psnr_active_db": 2,
        "ssim3d_own": 3,
        "ssim3d_truth": 3,
        "trace_corr": 3,
        "stsnr_db": 2,
    }
    head = ("PSNR, dB", "active, dB", "SSIM3D own", "SSIM3D truth", "trace corr.", "stSNR, dB")
    rows = [
        (
            name,
            *(f"{scores.value(condition, name, m):.{n}f}" for m, n in digits.items()),
        )
        for name in NAMES
    ]
    return table(("", *head), rows)
