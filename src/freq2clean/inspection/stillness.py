"""Whether a recording is still: its drift, its jitter, and the detail that they cost a mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from freq2clean.inspection.rings import common_power
from freq2clean.inspection.survey import Survey
from freq2clean.registration.correlation import Spectrum, register, spectra_of
from freq2clean.registration.template import align_halves, standard_error

__all__ = ["Stillness", "measure_stillness"]

SMALLEST_SIDE = 16
FEWEST_CHUNKS = 3
GOOD_ERROR_PX = 0.05
USEFUL_ERROR_PX = 0.5
RESOLUTION_PX = 0.01
SIGNIFICANT = 4.0
KEPT_DETAIL = 0.9
TIME_POINTS = 512
DIRECTIONS = 12
FEWEST_JITTER_FRAMES = 16


@dataclass(frozen=True)
class Stillness:
    """Motion of the content of a recording. Shifts are (rows, columns) in pixels.

    Attributes
    ----------
    frames : (C,) float64
        Middle frame of each stretch of frames whose average was registered.
    shifts_px : (C, 2) float64
        Where the content lies there, measured from its mean position.
    error_px : float
        Standard error of a shift per axis: half the scatter between the shifts that the even and
        the odd frames give on their own.
    stretch_frames : int
        Frames averaged for one shift.
    range_px : float
        Largest distance between two of the positions, their errors taken off; 0 where they do
        not differ measurably.
    speed_px_per_1000_frames : float
        Of a straight line through the shifts; 0 where they do not differ measurably.
    jitter_px : float or None
        Standard deviation per axis of single frames about the drift; None where single frames
        are too noisy to tell.
    jitter_error_px : float or None
        The smallest jitter that could have been told from none.
    kept_detail : float or None
        Share of the power of the mean image's detail (finer than 8 pixels) that the motion
        leaves in an average over ``window`` frames; None where there is no such detail.
    window : int
        Frames that are averaged.
    longest_window : int or None
        The longest window that keeps 90 % of the power of the detail.
    """

    frames: NDArray[np.float64]
    shifts_px: NDArray[np.float64]
    error_px: float
    stretch_frames: int
    range_px: float
    speed_px_per_1000_frames: float
    jitter_px: float | None
    jitter_error_px: float | None
    kept_detail: float | None
    window: int
    longest_window: int | None

    @property
    def is_still(self) -> bool:
        return self.range_px == 0.0 and not self.jitter_px


def measure_stillness(survey: Survey, *, window: int | None = None) -> Stillness | None:
    """Register averages of stretches of frames, long enough to be out of the noise.

    The stretches grow until their even and their odd frames, on their own, agree to 0.05 pixel,
    or only a few stretches are left.

    Returns
    -------
    Stillness or None
        None where the recording is too short, too small or too noisy, or shows nothing.
    """
    side = min(survey.shape[1:])
    if len(survey.chunk_means) < FEWEST_CHUNKS or side < SMALLEST_SIDE or survey.is_constant:
        return None
    spectra = _halves(survey.chunk_means)
    edges = survey.chunk_edges
    while True:
        shifts, template = align_halves(spectra)
        error = standard_error(shifts[:, 0], shifts[:, 1])
        if error <= GOOD_ERROR_PX or len(spectra) < 2 * FEWEST_CHUNKS:
            break
        spectra, edges = _merge(spectra), _merge_edges(edges, len(spectra))
    if not error <= min(USEFUL_ERROR_PX, side / 32):
        return None
    positions = shifts.mean(axis=1)
    positions -= positions.mean(axis=0)
    middles = (edges[:-1] + edges[1:] - 1) / 2
    moves = _moves(positions, error)
    jitter, jitter_error = _jitter(survey, template.mean(axis=0), middles, positions)
    path = _path(survey.shape[0], middles, positions if moves else np.zeros_like(positions))
    window = min(window or survey.shape[0], survey.shape[0])
    blur = (jitter or 0.0) ** 2 - (error**2 if moves else 0.0)
    detail = _detail_of(template)
    kept = longest = None
    if detail is not None:
        waves = _waves(path, detail.frequencies)
        kept = _kept(waves, detail, max(1, window * TIME_POINTS // survey.shape[0]), blur=blur)
        longest = _longest_window(waves, detail, survey.shape[0], blur=blur)
    return Stillness(
        frames=middles,
        shifts_px=positions,
        error_px=error,
        stretch_frames=int(np.median(np.diff(edges))),
        range_px=_range(positions, error) if moves else 0.0,
        speed_px_per_1000_frames=_speed(middles, positions) if moves else 0.0,
        jitter_px=jitter,
        jitter_error_px=jitter_error,
        kept_detail=kept,
        window=window,
        longest_window=longest,
    )


def _halves(chunk_means: NDArray[np.float32]) -> Spectrum:
    chunks, _, rows, columns = chunk_means.shape
    return spectra_of(chunk_means.reshape(-1, rows, columns)).reshape(chunks, 2, rows, columns)


def _merge(spectra: Spectrum) -> Spectrum:
    """Averages of neighbouring pairs; the last one, where it has no pair, joins the last pair."""
    pairs = len(spectra) // 2
    merged = (spectra[0 : 2 * pairs : 2] + spectra[1 : 2 * pairs : 2]) / 2
    if len(spectra) % 2:
        merged[-1] = merged[-1] * np.float32(2 / 3) + spectra[-1] / 3
    return merged


def _merge_edges(edges: NDArray[np.intp], chunks: int) -> NDArray[np.intp]:
    return np.append(edges[: 2 * (chunks // 2) : 2], edges[-1])


def _moves(positions: NDArray[np.float64], error: float) -> bool:
    """Whether the positions scatter more than their errors, as a chi-square over all of them."""
    resolved = max(error, RESOLUTION_PX)
    freedom = positions.size - 2
    chi_square = float(np.sum(positions**2)) / resolved**2
    return bool(chi_square > freedom + SIGNIFICANT * np.sqrt(2 * freedom))


def _range(positions: NDArray[np.float64], error: float) -> float:
    """The largest distance, less (in quadrature) the one that errors alone would spread to."""
    apart = positions[:, None] - positions
    by_errors = 8 * np.log(len(positions)) * error**2
    return float(np.sqrt(max(0.0, (apart**2).sum(axis=2).max() - by_errors)))


def _speed(frames: NDArray[np.float64], positions: NDArray[np.float64]) -> float:
    slope = np.polyfit(frames, positions, 1)[0]
    return float(np.hypot(*slope) * 1000)


def _path(
    n_frames: int, frames: NDArray[np.float64], positions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Positions at times spread evenly over the recording; straight lines between and beyond."""
    from scipy.interpolate import make_interp_spline

    times = (np.arange(TIME_POINTS) + 0.5) / TIME_POINTS * n_frames
    path: NDArray[np.float64] = make_interp_spline(frames, positions, k=1)(times)
    return path


def _jitter(
    survey: Survey,
    template: Spectrum,
    frames: NDArray[np.float64],
    positions: NDArray[np.float64],
) -> tuple[float | None, float | None]:
    """Scatter of single frames about the drift, from what two halves of the field agree on."""
    if len(survey.kept) < FEWEST_JITTER_FRAMES:
        return None, None
    image = fft.ifft2(template).real
    half = image.shape[1] // 2
    drift = np.stack([np.interp(survey.kept_frames, frames, p) for p in positions.T], axis=1)
    sides = []
    for columns in (slice(0, half), slice(half, 2 * half)):
        reference = spectra_of(image[None, :, columns])[0]
        sides.append(register(spectra_of(survey.kept[:, :, columns]), reference) - drift)
    left, right = (side - np.median(side, axis=0) for side in sides)
    noise = standard_error(left, right)
    if not noise <= USEFUL_ERROR_PX:
        return None, None
    variance = float(np.mean(left * right))
    smallest = SIGNIFICANT * 2 * noise**2 / np.sqrt(left.size)
    jitter = float(np.sqrt(variance)) if variance > smallest else 0.0
    return jitter, float(np.sqrt(smallest))


@dataclass(frozen=True)
class _Detail:
    """Signal power of detail finer than 8 pixels by ring of spatial frequency: two (R,)."""

    power: NDArray[np.float64]
    frequencies: NDArray[np.float64]


def _detail_of(template: Spectrum) -> _Detail | None:
    """From the cross-spectrum of the two halves, in which noise has no part.

    Rings where it is within its sampling error are left out; None where all are.
    """
    rings = common_power(template[0], template[1])
    clear = rings.fine & (rings.power > rings.error * SIGNIFICANT / 2)
    return _Detail(rings.power[clear], rings.frequencies[clear]) if clear.any() else None


def _waves(path: NDArray[np.float64], frequencies: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Waves of each frequency and direction as the path carries them past a pixel: (T, R, D)."""
    angles = np.arange(DIRECTIONS) * np.pi / DIRECTIONS
    directions = np.stack([np.sin(angles), np.cos(angles)])
    waves: NDArray[np.complex128] = np.exp(
        -2j * np.pi * (path @ directions)[:, None] * frequencies[:, None]
    )
    return waves


def _kept(waves: NDArray[np.complex128], detail: _Detail, points: int, *, blur: float) -> float:
    """Share of the power of the detail left in averages over ``points`` of the path.

    ``blur`` is the variance, in square pixels, of what else moves; negative where errors of the
    path are to be taken off.
    """
    windows = len(waves) // points
    whole = waves[: windows * points].reshape(windows, points, *waves.shape[1:])
    left = (np.abs(whole.mean(axis=1)) ** 2).mean(axis=(0, 2))
    left = left * np.exp(-4 * np.pi**2 * detail.frequencies**2 * blur)
    return float(detail.power @ np.minimum(left, 1) / detail.power.sum())


def _longest_window(
    waves: NDArray[np.complex128], detail: _Detail, n_frames: int, *, blur: float
) -> int | None:
    """By bisection over the points of the path; None where not even one point keeps enough."""

    def keeps(points: int) -> bool:
        return _kept(waves, detail, points, blur=blur) >= KEPT_DETAIL

    if not keeps(1):
        return None
    low, high = 1, TIME_POINTS + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return max(1, low * n_frames // TIME_POINTS)
