"""The detail of active cells too, and no more power than the raw recording supports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.components import ComponentSurvey
from freq2clean.fusion.corrections import Correction
from freq2clean.fusion.limit import LimitMoments, Tiling, limit_frames
from freq2clean.fusion.method import Job, Plan
from freq2clean.fusion.regression import CourseMoments, fit_detail
from freq2clean.fusion.stacked import StackedTiling
from freq2clean.fusion.survey import Survey, spread_runs
from freq2clean.fusion.wiener import (
    DEFAULT_MEMORY_BYTES,
    RUN_FRAMES,
    ResidualSurvey,
    Wiener,
    WienerPlan,
    mean_errors,
)

__all__ = ["CourseSurvey", "Subspace", "SubspacePlan"]

_SURVEY_RUNS = 8
_SHARE_OF_LIMITER = 2 / 3
_SHARE_OF_COURSES = 1 / 6
_BYTES_PER_COURSE_AND_FRAME = 16


@dataclass(frozen=True, kw_only=True)
class Subspace(Wiener):
    """`Wiener`, then detail that varies with the denoised recording's own courses, then a limit.

    In overlapping patches of 16 x 16 pixels, what `Wiener` leaves of the residual is regressed on
    the strong temporal components of the denoised recording, and the images of the fit are shrunk
    by their own signal-to-noise: active cells get their outlines back, not only the mean image.
    Then no band of space and time keeps more power than the raw recording, less its noise,
    supports. There is nothing to tune.

    Parameters
    ----------
    window, overlap, n_bins, keep_fixed_pattern
        As in `Wiener`.
    limit : bool
        Keep no more power than the raw recording supports, band by band.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> truth = np.full((300, 32, 32), 20.0)
    >>> truth[:, 10:16, 10:16] += 40 * (np.sin(np.arange(300) / 9)[:, None, None] > 0.5)
    >>> raw = rng.poisson(truth)
    >>> denoised = np.repeat(np.repeat(truth.reshape(300, 8, 4, 8, 4).mean((2, 4)), 4, 1), 4, 2)
    >>> fused = Subspace().fit(raw, denoised).apply(denoised)
    >>> bool(np.square(fused - truth).mean() < 0.2 * np.square(denoised - truth).mean())
    True
    """

    name: ClassVar[str] = "subspace"
    limit: bool = True

    def survey(self, n_frames: int, shape: tuple[int, int], *, find_scale: bool) -> Survey:
        runs = spread_runs(n_frames, n_runs=_SURVEY_RUNS, length=RUN_FRAMES)
        return CourseSurvey(shape, runs, find_scale=find_scale)

    def plan(
        self, n_frames: int, shape: tuple[int, int], survey: Survey, *, memory_bytes: int | None
    ) -> Plan:
        assert isinstance(survey, CourseSurvey)
        return SubspacePlan(self, n_frames, shape, survey, memory_bytes or DEFAULT_MEMORY_BYTES)


class CourseSurvey(ResidualSurvey):
    """Also finds the components of the denoised recording."""

    def __init__(
        self, shape: tuple[int, int], runs: Sequence[tuple[int, int]], *, find_scale: bool
    ) -> None:
        super().__init__(shape, runs, find_scale=find_scale)
        self.components = ComponentSurvey(shape)

    def add(self, raw: Any, denoised: Any) -> None:
        super().add(raw, denoised)
        self.components.add(denoised)


class SubspacePlan(WienerPlan):
    noted = (*WienerPlan.noted, "_limit_moments")

    def __init__(
        self,
        method: Subspace,
        n_frames: int,
        shape: tuple[int, int],
        survey: CourseSurvey,
        memory_bytes: int,
    ) -> None:
        self._limit_moments: list[LimitMoments] = []
        for_limiter, for_courses = (
            int(memory_bytes * share) for share in (_SHARE_OF_LIMITER, _SHARE_OF_COURSES)
        )
        super().__init__(method, n_frames, shape, survey, memory_bytes - for_limiter - for_courses)
        if survey.noise.is_empty:
            return
        bytes_per_course = _BYTES_PER_COURSE_AND_FRAME * self.jobs[0].window.n_frames
        components = survey.components.components(
            survey.scale(), at_most=for_courses // bytes_per_course
        )
        transfer = survey.noise.photon_transfer()
        self.jobs = [
            replace(job, courses=CourseMoments(job.window, components, self._basis, transfer))
            for job in self.jobs
        ]
        starts = [*(job.window.start for job in self.jobs), n_frames]
        least = min(stop - start for start, stop in pairwise(starts))
        length = limit_frames(least, shape, for_limiter) if method.limit else 0
        space = survey.components.space
        tiling = Tiling(shape, length) if space.is_host else StackedTiling(shape, length, space)
        self.tiling = tiling if length else None

    def limit_moments(self, start: int) -> LimitMoments:
        assert self.tiling is not None
        before = self._limit_moments[-1] if self._limit_moments else None
        self._limit_moments.append(LimitMoments(self.tiling, start, before))
        return self._limit_moments[-1]

    def solve(self, job: Job, shape: tuple[int, int]) -> Correction:
        images = self.correction_images(job, shape)
        correction = Correction.of(job.window, self._basis, images)
        if job.courses is None:
            return correction
        detail, errors = fit_detail(job.courses, images, self._noise)
        self._expect_also(errors, job.window.n_frames * shape[0] * shape[1])
        return replace(correction, detail=detail)

    def expected_errors(self) -> NDArray[np.float64]:
        limited = [moments.expected_errors for moments in self._limit_moments]
        return super().expected_errors() + mean_errors(limited)
