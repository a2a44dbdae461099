"""The study's other fusion: low DCT-II bins in time, high ones in space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.fusion.bases import dct_basis
from freq2clean.fusion.corrections import Correction
from freq2clean.fusion.method import Job, Method, Plan
from freq2clean.fusion.moments import Projection
from freq2clean.fusion.rings import radius_cycles_per_pixel
from freq2clean.fusion.spaces import space_of
from freq2clean.fusion.survey import Survey
from freq2clean.fusion.windows import Window, check_windows, plan_windows

__all__ = ["Dct"]

_NO_WEIGHT = 1e-12
_CUTOFF_IN = {"pixel_size_um": "spatial_cutoff_per_um", "frame_rate_hz": "temporal_cutoff_hz"}


@dataclass(frozen=True, kw_only=True)
class Dct(Method):
    """Take slow, fine detail from a moving average of the raw recording.

    A DCT-II coefficient of the window is blended with weight ``W_space * (1 - W_time)``, where
    each W rises from 0 to 1 over ``cutoff - width`` to ``cutoff + width``, in space along the
    radius in the plane of coefficients. Defaults are the study's, in coefficient indices, which
    move with the size of window and image; give
    ``spatial_*_per_um`` with ``pixel_size_um``, and ``temporal_*_hz`` with ``frame_rate_hz``, for
    cut-offs that do not.

    Parameters
    ----------
    window : int
        Frames per window.
    overlap : float
        Share of a window that fades into the next; 0 as in the study.
    raw_average : int
        Frames of the raw moving average, centred, shorter at the ends of the recording; 1 for the
        raw recording itself.
    spatial_cutoff : float
        Spatial coefficient index where detail begins.
    temporal_cutoff : float
        Temporal coefficient index where slow ends.
    spatial_width, temporal_width : float
        Half-width of that edge, in indices.
    spatial_cutoff_per_um, spatial_width_per_um : float, optional
        The same, in cycles per micrometre.
    temporal_cutoff_hz, temporal_width_hz : float, optional
        The same, in hertz.
    frame_rate_hz : float, optional
        For cut-offs in hertz, where the raw file does not say.
    pixel_size_um : (float, float), optional
        For cut-offs in cycles per micrometre, where the raw file does not say.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.full((60, 32, 32), 5.0); truth[:, ::2] = 25
    >>> raw = np.random.default_rng(0).poisson(truth)
    >>> denoised = np.full(raw.shape, 15.0)
    >>> fused = Dct(spatial_cutoff=10, spatial_width=5).fit(raw, denoised).apply(denoised)
    >>> bool(np.square(fused - truth).mean() < 0.7 * np.square(denoised - truth).mean())
    True
    """

    name: ClassVar[str] = "dct"
    window: int = 3000
    overlap: float = 0.0
    raw_average: int = 6000
    spatial_cutoff: float = 36.0
    spatial_width: float = 72.0
    temporal_cutoff: float = -6.0
    temporal_width: float = 16.0
    spatial_cutoff_per_um: float | None = None
    spatial_width_per_um: float | None = None
    temporal_cutoff_hz: float | None = None
    temporal_width_hz: float | None = None
    frame_rate_hz: float | None = None
    pixel_size_um: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        check_windows(self.window, self.overlap)
        if self.raw_average < 1:
            raise InputError(f"raw_average = {self.raw_average} frames; give 1 or more")
        for name, value in (
            ("spatial_width", self.spatial_width),
            ("temporal_width", self.temporal_width),
            ("spatial_width_per_um", self.spatial_width_per_um),
            ("temporal_width_hz", self.temporal_width_hz),
        ):
            if value is not None and value <= 0:
                raise InputError(f"{name} = {value}; give a width above 0")
        _need_together(
            spatial_cutoff_per_um=self.spatial_cutoff_per_um,
            spatial_width_per_um=self.spatial_width_per_um,
        )
        _need_together(
            temporal_cutoff_hz=self.temporal_cutoff_hz, temporal_width_hz=self.temporal_width_hz
        )
        for unit, cutoff in _CUTOFF_IN.items():
            if getattr(self, unit) is not None and getattr(self, cutoff) is None:
                raise InputError(
                    f"{unit} = {getattr(self, unit)}, and no cut-off is in its units; leave it "
                    f"out, or give {cutoff} too"
                )

    @property
    def missing_units(self) -> list[str]:
        """Which of pixel size and frame rate the cut-offs need and do not have."""
        return [
            unit
            for unit, cutoff in _CUTOFF_IN.items()
            if getattr(self, unit) is None and getattr(self, cutoff) is not None
        ]

    def plan(
        self, n_frames: int, shape: tuple[int, int], survey: Survey, *, memory_bytes: int | None
    ) -> Plan:
        return _DctPlan(self, n_frames, shape)

    def spatial_weights(self, shape: tuple[int, int]) -> NDArray[np.float64]:
        """Weight of each spatial coefficient, (Y, X)."""
        if self.spatial_cutoff_per_um is None or self.spatial_width_per_um is None:
            radius = np.hypot(np.arange(shape[0])[:, None], np.arange(shape[1]))
            return _ramp(radius, self.spatial_cutoff, self.spatial_width)
        if self.pixel_size_um is None:
            raise InputError("cut-offs in cycles per micrometre are given; give pixel_size_um too")
        radius = radius_cycles_per_pixel(shape, pixel_size=self.pixel_size_um)
        return _ramp(radius, self.spatial_cutoff_per_um, self.spatial_width_per_um)

    def temporal_weights(self, n_frames: int) -> NDArray[np.float64]:
        """Weight of each temporal coefficient of a window, up to the last that is not 0."""
        bins = np.arange(n_frames)
        if self.temporal_cutoff_hz is None or self.temporal_width_hz is None:
            weights = 1 - _ramp(bins, self.temporal_cutoff, self.temporal_width)
        elif self.frame_rate_hz is None:
            raise InputError("cut-offs in hertz are given; give frame_rate_hz too")
        else:
            frequency_hz = bins * self.frame_rate_hz / (2 * n_frames)
            weights = 1 - _ramp(frequency_hz, self.temporal_cutoff_hz, self.temporal_width_hz)
        return weights[: max(1, np.count_nonzero(weights))]


class _DctPlan(Plan):
    def __init__(self, method: Dct, n_frames: int, shape: tuple[int, int]) -> None:
        windows = plan_windows(n_frames, window=method.window, overlap=method.overlap)
        temporal = method.temporal_weights(windows[0].n_frames)
        self._basis = dct_basis(windows[0].n_frames, len(temporal))
        self._temporal = temporal.astype(np.float32)
        self._spatial = method.spatial_weights(shape).astype(np.float32)
        self._windows = windows
        self.jobs = [Job(w, self._project(w, n_frames, method.raw_average)) for w in windows]

    def _project(self, window: Window, n_frames: int, average: int) -> tuple[Projection, ...]:
        """The residual of the averages, and what averaging takes off the denoised recording."""
        if average == 1:
            return (Projection("residual", window.start, self._basis),)
        start, weights = average_weights(self._basis, window, n_frames=n_frames, average=average)
        lost = weights.copy()
        inside = slice(window.start - start, window.stop - start)
        lost[:, inside] -= self._basis
        n_used = 1 + int(np.flatnonzero(np.abs(weights).max(axis=1) > _NO_WEIGHT).max(initial=0))
        return (
            Projection("residual", start, weights[:n_used]),
            Projection("denoised", start, lost),
        )

    def solve(self, job: Job, shape: tuple[int, int]) -> Correction:
        residual, *lost = (p.images(shape) for p in job.projections)
        space = space_of(residual)
        if lost:
            changed = lost[0][: residual.shape[0], ...]
            changed += space.xp.astype(residual, changed.dtype, copy=False)
            residual = lost[0]
        spectrum = space.dctn(residual, axes=(-2, -1), overwrite=True)
        spectrum *= space.array(self._spatial)
        spectrum *= space.array(self._temporal[:, None, None])
        images = space.idctn(spectrum, axes=(-2, -1), overwrite=True)
        return Correction.of(job.window, self._basis, space.floats(images))

    def findings(self) -> dict[str, Any]:
        return {
            "windows": [(window.start, window.stop) for window in self._windows],
            "n_bins": len(self._basis),
        }


def average_weights(
    basis: NDArray[np.float64], window: Window, *, n_frames: int, average: int
) -> tuple[int, NDArray[np.float64]]:
    """Weights that project a moving average of the recording, as if it had been formed.

    The average of frame t is over frames ``t - average // 2`` up to ``t + average // 2``, without
    the last, as far as the recording reaches.

    Returns
    -------
    start : int
        First frame that counts.
    weights : ndarray, (K, n)
    """
    frames = np.arange(window.start, window.stop)
    first = np.maximum(frames - average // 2, 0)
    last = np.maximum(np.minimum(frames + average // 2, n_frames), first + 1)
    share = basis / (last - first)
    start = int(first[0])
    steps = np.zeros((int(last[-1]) - start + 1, len(basis)))
    np.add.at(steps, first - start, share.T)
    np.add.at(steps, last - start, -share.T)
    return start, np.cumsum(steps[:-1], axis=0).T


def _ramp(values: NDArray[Any], cutoff: float, width: float) -> NDArray[np.float64]:
    ramp: NDArray[np.float64] = np.clip((values - (cutoff - width)) / (2 * width), 0.0, 1.0)
    return ramp


def _need_together(**options: float | None) -> None:
    if len({value is None for value in options.values()}) > 1:
        raise InputError(f"give {' and '.join(options)} together, or none of them")
