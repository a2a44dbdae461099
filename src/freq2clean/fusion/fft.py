"""The study's fusion: low bins of the real DFT, magnitudes blended, phases kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np

from freq2clean.errors import InputError
from freq2clean.fusion.bases import rfft_basis
from freq2clean.fusion.corrections import Correction
from freq2clean.fusion.matching import Matching, matcher
from freq2clean.fusion.method import Job, Method, Plan
from freq2clean.fusion.moments import Projection
from freq2clean.fusion.spaces import space_of
from freq2clean.fusion.survey import Survey
from freq2clean.fusion.windows import Window, check_windows, plan_windows

__all__ = ["Fft"]

_SILENT = 1e-12


@dataclass(frozen=True, kw_only=True)
class Fft(Method):
    """Blend the magnitude of the denoised recording's lowest DFT bins with the raw ones'.

    The defaults are the study's: one bin, the mean, weighted 0.85, on windows of 3000 frames,
    with the mean of the whole raw recording. In closed form this adds one image per window.

    Parameters
    ----------
    alpha : float or sequence of float
        Weight of the raw magnitude, 0 to 1; or several, as in 1,0.5, of the mean and the bins
        after it.
    matching : "affine", "histogram" or "none"
        How raw magnitudes are brought to the denoised ones' contrast; the study's is histogram.
    window : int
        Frames per window.
    raw_mean : "global" or "window"
        The raw mean over the whole recording, or over each window.
    overlap : float
        Share of a window that fades into the next; 0 as in the study.

    Examples
    --------
    >>> import numpy as np
    >>> raw = np.random.default_rng(0).poisson(3, (100, 8, 8))
    >>> denoised = np.full((100, 8, 8), 3.0)
    >>> fusion = Fft(alpha=1.0, matching="none").fit(raw, denoised)
    >>> np.allclose(fusion.apply(denoised).mean(axis=0), raw.mean(axis=0), atol=1e-5)
    True
    """

    name: ClassVar[str] = "fft"
    alpha: float | Sequence[float] = 0.85
    matching: Matching = "affine"
    window: int = 3000
    raw_mean: Literal["global", "window"] = "global"
    overlap: float = 0.0

    def __post_init__(self) -> None:
        matcher(self.matching)
        check_windows(self.window, self.overlap)
        if self.raw_mean not in ("global", "window"):
            raise InputError(f"raw_mean = {self.raw_mean!r}; give global or window")
        if not self.alphas or not all(0 <= a <= 1 for a in self.alphas):
            raise InputError(f"alpha = {self.alpha}; give weights from 0 to 1, one per bin")

    @property
    def alphas(self) -> tuple[float, ...]:
        """The weights, one per bin."""
        alpha = self.alpha
        return tuple(alpha) if isinstance(alpha, Sequence) else (float(alpha),)

    def plan(
        self, n_frames: int, shape: tuple[int, int], survey: Survey, *, memory_bytes: int | None
    ) -> Plan:
        return _FftPlan(self, n_frames)


class _FftPlan(Plan):
    def __init__(self, method: Fft, n_frames: int) -> None:
        self._method = method
        self._match = matcher(method.matching)
        windows = plan_windows(n_frames, window=method.window, overlap=method.overlap)
        self._bases = [rfft_basis(windows[0].n_frames, k) for k in range(len(method.alphas))]
        whole = Projection("raw", 0, np.ones((1, n_frames))) if self._is_global else None
        self._windows = windows
        self.jobs = [Job(w, self._project(w, whole)) for w in windows]

    @property
    def _is_global(self) -> bool:
        return self._method.raw_mean == "global"

    def _project(self, window: Window, whole: Projection | None) -> tuple[Projection, ...]:
        ones = np.ones((1, window.n_frames))
        means = (
            whole or Projection("raw", window.start, ones),
            Projection("denoised", window.start, ones),
        )
        if len(self._bases) == 1:
            return means
        rows = np.concatenate(self._bases[1:])
        return (
            *means,
            Projection("residual", window.start, rows),
            Projection("denoised", window.start, rows),
        )

    def solve(self, job: Job, shape: tuple[int, int]) -> Correction:
        """Means are kept as plain sums until here: those of integers are exact, ties included."""
        raw_mean, denoised_mean, *others = job.projections
        root = float(np.sqrt(job.window.n_frames))
        raw = [raw_mean.images(shape) * (root / raw_mean.weights.shape[1])]
        denoised = [denoised_mean.images(shape) / root]
        if others:
            residual_bins, denoised_bins = (p.images(shape) for p in others)
            edges = np.cumsum([0, *map(len, self._bases[1:])]).tolist()
            for first, last in pairwise(edges):
                denoised.append(denoised_bins[first:last, ...])
                raw.append(residual_bins[first:last, ...] + denoised[-1])
        seen = raw_mean.seen(shape) & denoised_mean.seen(shape)
        images = [
            self._correct(x, y, alpha, seen)
            for x, y, alpha in zip(raw, denoised, self._method.alphas, strict=True)
        ]
        whole = space_of(seen).xp.concat(images)
        return Correction.of(job.window, np.concatenate(self._bases), whole)

    def _correct(self, raw: Any, denoised: Any, alpha: float, seen: Any) -> Any:
        """The change of one bin, given as its real part and, where it has one, the imaginary.

        Pixels that neither recording shows are not matched and stay as they are.
        """
        space = space_of(denoised)
        xp, source, magnitude = space.xp, _magnitude(raw), _magnitude(denoised)
        if space.holds(seen):
            matched = self._match(source, magnitude)
        else:
            if space.holds(~seen):
                return space.floats(xp.zeros_like(denoised))
            matched = xp.astype(magnitude, magnitude.dtype, copy=True)
            matched[seen] = self._match(source[seen], magnitude[seen])
        change = alpha * (matched - magnitude)
        silent = xp.zeros_like(denoised)
        silent[0, ...] = 1.0
        loud = magnitude > _SILENT
        phase = xp.where(loud, denoised / xp.where(loud, magnitude, 1.0), silent)
        return space.floats(change * phase)

    def findings(self) -> dict[str, Any]:
        return {
            "windows": [(window.start, window.stop) for window in self._windows],
            "n_bins": len(self._method.alphas),
        }


def _magnitude(parts: Any) -> Any:
    """Of a bin given as its real part and, where it has one, the imaginary."""
    xp = space_of(parts).xp
    return xp.sqrt(xp.sum(parts * parts, axis=0))
