"""The method that needs no choice: `Subspace`, with windows as long as the recording allows.

A long window averages more noise away; a short one follows what moves. Which pays is tried on a
few tiles: the expected fall of the squared error, which needs no ground truth, decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from freq2clean.fusion.method import Plan
from freq2clean.fusion.spaces import space_of
from freq2clean.fusion.subspace import CourseSurvey, Subspace, SubspacePlan
from freq2clean.fusion.survey import Survey
from freq2clean.fusion.wiener import DEFAULT_MEMORY_BYTES, RUN_FRAMES, tiles_of
from freq2clean.fusion.windows import even_window, n_default_windows

__all__ = ["Auto"]

_LEAST_WINDOW = 250
_LEAST_GAIN = 1e-4


@dataclass(frozen=True, kw_only=True)
class Auto(Subspace):
    """`Subspace`, with the windows that are expected to gain most.

    Windows of about 3000 frames, and halves of them as long as that is expected to gain more, not
    below 250 frames, are tried on four tiles over the first window. What holds no signal is left
    alone, as in `Subspace`: a denoised recording that lacks nothing stays as it is.

    Parameters
    ----------
    window : int, optional
        Frames per window, to choose it yourself.
    overlap, n_bins, keep_fixed_pattern, limit
        As in `Subspace`.

    Examples
    --------
    >>> import numpy as np
    >>> raw = np.random.default_rng(0).poisson(5, (300, 32, 32))
    >>> fusion = Auto().fit(raw, np.full(raw.shape, 5.0))
    >>> fusion.findings["windows"]
    [(0, 300)]
    """

    name: ClassVar[str] = "auto"

    def survey(self, n_frames: int, shape: tuple[int, int], *, find_scale: bool) -> Survey:
        survey = super().survey(n_frames, shape, find_scale=find_scale)
        longest = even_window(n_frames, overlap=self.overlap)
        if self.window is not None or longest < 2 * _LEAST_WINDOW:
            return survey
        return _TrialSurvey(shape, survey.runs, longest, find_scale=find_scale)

    def plan(
        self, n_frames: int, shape: tuple[int, int], survey: Survey, *, memory_bytes: int | None
    ) -> Plan:
        if not isinstance(survey, _TrialSurvey):
            return super().plan(n_frames, shape, survey, memory_bytes=memory_bytes)
        memory_bytes = memory_bytes or DEFAULT_MEMORY_BYTES
        n_parts, trials = survey.best_split(self, memory_bytes)
        n_windows = n_parts * n_default_windows(n_frames)
        window = even_window(n_frames, n_windows, overlap=self.overlap)
        chosen = replace(self, window=window)
        return _AutoPlan(chosen, n_frames, shape, survey, memory_bytes, trials=trials)


class _AutoPlan(SubspacePlan):
    def __init__(self, *args: Any, trials: dict[int, float]) -> None:
        super().__init__(*args)
        self._trials = trials

    def findings(self) -> dict[str, Any]:
        trials = [
            {"window": window, "expected_mse_reduction": gain}
            for window, gain in self._trials.items()
        ]
        return {**super().findings(), "window_trials": trials}


class _TrialSurvey(CourseSurvey):
    """Also keeps a few tiles of both recordings, over the first window, to try windows on."""

    def __init__(
        self,
        shape: tuple[int, int],
        runs: Sequence[tuple[int, int]],
        longest: int,
        *,
        find_scale: bool,
    ) -> None:
        super().__init__(shape, runs, find_scale=find_scale)
        self._longest = longest
        self._n_pixels = shape[0] * shape[1]
        self._n_to_survey = len(runs)
        trial = [(s, min(s + RUN_FRAMES, longest)) for s in range(0, longest, RUN_FRAMES)]
        self.runs = [*runs, *trial]
        self._trial_tiles = tiles_of(shape)
        self._kept: list[list[list[Any]]] = []

    def add(self, raw: Any, denoised: Any) -> None:
        if self._n_to_survey:
            self._n_to_survey -= 1
            super().add(raw, denoised)
            return
        xp = space_of(raw, denoised).xp
        self._kept.append(
            [
                [xp.asarray(block[:, *box], copy=True) for box in self._trial_tiles]
                for block in (raw, denoised)
            ]
        )

    def best_split(self, method: Subspace, memory_bytes: int) -> tuple[int, dict[int, float]]:
        """Into how many windows to split the first, and what each window tried should gain.

        A tile gets its share of the memory, and so as many temporal bins as the whole image.
        """
        trials: dict[int, float] = {}
        best, n_parts = 1, 1
        worth_it = _LEAST_GAIN * self.noise.mean_power()
        most = -np.inf
        while self._longest // n_parts >= _LEAST_WINDOW:
            window = even_window(self._longest, n_parts, overlap=method.overlap)
            trials[window] = self._expected_gain(method, window, memory_bytes)
            if trials[window] < most + worth_it:
                break
            best, most = n_parts, trials[window]
            n_parts *= 2
        self._kept.clear()
        return best, trials

    def _expected_gain(self, method: Subspace, window: int, memory_bytes: int) -> float:
        """Expected fall of the mean squared error, the mean over tiles."""
        trial = Subspace(
            window=window,
            overlap=method.overlap,
            n_bins=method.n_bins,
            keep_fixed_pattern=method.keep_fixed_pattern,
            limit=False,
        )
        scale, space = self.scale(), self.components.space
        gains = np.zeros(len(self._trial_tiles))

        def try_tile(tile: int) -> None:
            raw, denoised = (
                space.xp.concat([kept[which][tile] for kept in self._kept]) for which in range(2)
            )
            share = math.prod(raw.shape[1:]) / self._n_pixels
            fusion = trial.fit(
                raw,
                scale.apply(denoised),
                rescale=False,
                memory_bytes=int(share * memory_bytes),
            )
            gains[tile] = fusion.findings["expected_mse_reduction"]

        space.over_items(try_tile, range(len(gains)))
        return float(gains.mean())
