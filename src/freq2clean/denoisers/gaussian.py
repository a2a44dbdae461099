"""A Gaussian blur in time and space whose widths come from the recording itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn
from scipy.ndimage import correlate1d

from freq2clean.denoisers.contract import (
    Denoiser,
    Frames,
    Model,
    Progress,
    Read,
    blocks_of,
    check,
    check_numbers,
    valid_frames,
)
from freq2clean.denoisers.files import load_arrays, save_arrays
from freq2clean.errors import InputError
from freq2clean.threads import n_threads

__all__ = ["Gaussian", "GaussianModel"]

_TRUNCATE = 4.0  # standard deviations, as in scipy.ndimage
_LEAST_WEIGHT = 1e-4
_SAMPLE_SHAPE = 128, 256, 256
_N_SAMPLES = 8
_GOLDEN = 0.618
_WIDTHS_T = (0.0, *(0.5 * 2 ** (i / 2) for i in range(11)))
_WIDTHS_YX = (0.0, *(0.4 * 2 ** (i / 4) for i in range(15)))


@dataclass(frozen=True)
class Gaussian(Denoiser):
    """Blur in time and space; the widths are those of least estimated risk.

    The mean squared error of a linear filter follows from the recording alone once the noise is
    known: Stein's unbiased risk [1]_, per frequency ``(1 - g)² P + 2 g N - N`` with the filter's
    gain g, the recording's power P and the noise's power N. Noise of different frames is
    independent, so N is what is left in the upper half of the temporal frequencies, per spatial
    frequency: noise that bleeds between pixels is taken for what it is. Borders are reflected;
    missing values count for nothing (normalised convolution).

    Parameters
    ----------
    sigma_t_frames : float, optional
        Width in time; chosen from 0 to 16 frames if not given.
    sigma_yx_pixels : float, optional
        Width in space; chosen from 0 to 4.5 pixels if not given.

    References
    ----------
    .. [1] C. M. Stein, Annals of Statistics 9 (1981), doi:10.1214/aos/1176345632

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(100, 9, (64, 20, 24)).astype(np.float32)
    >>> model = Gaussian().fit(noise)
    >>> bool(model.predict(noise)[:].std() < 1)
    True
    """

    name: ClassVar[str] = "gaussian"

    sigma_t_frames: float | None = None
    sigma_yx_pixels: float | None = None

    def __post_init__(self) -> None:
        for option, unit in (("sigma_t_frames", "frames"), ("sigma_yx_pixels", "pixels")):
            width = getattr(self, option)
            if width is not None and not 0 <= width <= 1000:
                raise InputError(
                    f"{option} = {width}; give 0 to 1000 {unit}, or None to measure it"
                )

    def fit(self, recording: Frames, /, *, progress: Progress | None = None) -> GaussianModel:
        """Choose the widths on blocks of frames spread over the recording.

        A single frame tells signal from noise in no direction: the widths not given are 0.
        """
        check(recording)
        check_numbers(recording)
        widths_t = _WIDTHS_T if self.sigma_t_frames is None else (self.sigma_t_frames,)
        widths_yx = _WIDTHS_YX if self.sigma_yx_pixels is None else (self.sigma_yx_pixels,)
        if recording.shape[0] == 1:
            widths_t, widths_yx = widths_t[:1], widths_yx[:1]
        if len(widths_t) == len(widths_yx) == 1:
            return GaussianModel(self, widths_t[0], widths_yx[0], {})
        power = _mean_power(recording, progress)
        risks = estimated_risks(power, widths_t, widths_yx)
        best_t, best_yx = np.unravel_index(np.argmin(risks), risks.shape)
        curve = {
            "sigma_t_frames": list(widths_t),
            "sigma_yx_pixels": list(widths_yx),
            "mean_squared_error": risks.tolist(),
        }
        return GaussianModel(self, widths_t[best_t], widths_yx[best_yx], curve)

    @classmethod
    def _load(cls, path: Path) -> GaussianModel:
        about, _ = load_arrays(path, cls.name)
        return GaussianModel(cls(**about.pop("options")), **about)


@dataclass(frozen=True)
class GaussianModel(Model):
    """Widths and, where they were chosen, the estimated risk of every pair tried.

    Parameters
    ----------
    denoiser : Gaussian
    sigma_t_frames, sigma_yx_pixels : float
    risk : mapping
        Lists of the widths tried, and the estimated mean squared error for each pair, in squared
        units of the recording; empty if nothing was to be chosen.
    """

    denoiser: Gaussian
    sigma_t_frames: float
    sigma_yx_pixels: float
    risk: Mapping[str, Any]

    @property
    def findings(self) -> Mapping[str, Any]:
        return {
            "sigma_t_frames": self.sigma_t_frames,
            "sigma_yx_pixels": self.sigma_yx_pixels,
            "risk": dict(self.risk),
        }

    def save(self, path: str | Path, /) -> None:
        about = {"options": asdict(self.denoiser), **self.findings}
        save_arrays(path, self.denoiser.name, about, {})

    def _check_fits(self, recording: Frames) -> None:
        """Widths suit any recording."""

    def _reader(self, recording: Frames, notes: list[str]) -> Read:
        return partial(self._frames, recording)

    def _frames(self, recording: Frames, start: int, stop: int) -> NDArray[np.float32]:
        n_frames, *frame_shape = recording.shape
        halo = len(_kernel(self.sigma_t_frames)) // 2
        total = np.zeros((stop - start, *frame_shape), np.float32)
        lost: NDArray[np.float32] | None = None
        not_a_number: dict[int, NDArray[np.bool_]] = {}
        for first, last in blocks_of(max(0, start - halo), min(n_frames, stop + halo)):
            block = np.asarray(recording[first:last])
            frames = valid_frames(block)
            missing = np.isnan(frames)
            reached = max(start, first - halo), min(stop, last + halo)
            weights = temporal_weights(
                self.sigma_t_frames, n_frames, targets=reached, sources=(first, last)
            )
            inside = slice(reached[0] - start, reached[1] - start)
            if missing.any():
                frames[missing] = 0
                lost = np.zeros_like(total) if lost is None else lost
                lost[inside] += _combine(weights, missing)
                not_a_number |= {
                    t - start: ~np.isfinite(block[t - first])
                    for t in range(max(start, first), min(stop, last))
                }
            total[inside] += _combine(weights, frames)
        self._blur_space(total)
        if lost is not None:
            self._blur_space(lost)
            weight = 1 - lost
            supported = weight > _LEAST_WEIGHT
            total = np.divide(total, weight, out=np.zeros_like(total), where=supported)
            for frame, mask in not_a_number.items():
                total[frame][mask] = np.nan
        return total

    def _blur_space(self, frames: NDArray[np.float32]) -> None:
        kernel = _kernel(self.sigma_yx_pixels)
        if len(kernel) > 1:
            for frame in frames:
                correlate1d(correlate1d(frame, kernel, axis=0), kernel, axis=1, output=frame)


def _combine(weights: NDArray[np.float32], frames: NDArray[Any]) -> NDArray[np.float32]:
    """Weighted sums over frames: (n, k) times (k, Y, X)."""
    flat = frames.reshape(len(frames), -1).astype(np.float32, copy=False)
    return (weights @ flat).reshape(-1, *frames.shape[1:])


def _kernel(sigma: float) -> NDArray[np.float64]:
    """A sampled Gaussian of sum 1, truncated like scipy.ndimage's."""
    radius = int(_TRUNCATE * sigma + 0.5)
    if radius == 0:
        return np.ones(1)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.asarray(kernel / kernel.sum())


def temporal_weights(
    sigma: float, n_frames: int, *, targets: tuple[int, int], sources: tuple[int, int]
) -> NDArray[np.float32]:
    """Weights (targets, sources) of a blur in time, the recording's ends reflected.

    Parameters
    ----------
    targets, sources : (int, int)
        First frame and the one after the last.
    """
    kernel = _kernel(sigma)
    target = np.arange(*targets)[:, None]
    source = (target + np.arange(len(kernel)) - len(kernel) // 2) % (2 * n_frames)
    source = np.minimum(source, 2 * n_frames - 1 - source)
    row, tap = np.nonzero((source >= sources[0]) & (source < sources[1]))
    weights = np.zeros((targets[1] - targets[0], sources[1] - sources[0]))
    np.add.at(weights, (row, source[row, tap] - sources[0]), kernel[tap])
    return weights.astype(np.float32)


def _gains(sigma: float, n: int) -> NDArray[np.float64]:
    """What the blur, its ends reflected, multiplies each of n DCT-II coefficients by."""
    kernel = _kernel(sigma)
    lag = np.arange(len(kernel)) - len(kernel) // 2
    return np.asarray(np.cos(np.pi / n * np.outer(np.arange(n), lag)) @ kernel)


def _mean_power(recording: Frames, progress: Progress | None) -> NDArray[np.float64]:
    """Squared orthonormal DCT-II coefficients (L, Y, X), their mean over sampled blocks.

    The blocks are spread over the recording, in space too where its frames are large. A missing
    value is given the mean of its pixel.
    """
    size = np.minimum(recording.shape, _SAMPLE_SHAPE)
    room = np.array(recording.shape) - size
    n_blocks = int(min(_N_SAMPLES, max(recording.shape[0] // size[0], 1)))
    power = np.zeros(size)
    for i in range(n_blocks):
        along_time = (i + 0.5) / n_blocks
        places = along_time, _GOLDEN * (i + 0.5) % 1, along_time
        block = _sample(recording, np.round(room * places).astype(int), size)
        power += dctn(block, norm="ortho", overwrite_x=True, workers=n_threads()) ** 2
        if progress is not None:
            progress(i + 1, n_blocks)
    return np.asarray(power / n_blocks)


def _sample(
    recording: Frames, first: NDArray[np.int_], size: NDArray[np.int_]
) -> NDArray[np.float32]:
    (start, row, column), (stop, last_row, last_column) = first, first + size
    block = np.empty(size, np.float32)
    for low, high in blocks_of(start, stop):
        frames = np.asarray(recording[low:high])[:, row:last_row, column:last_column]
        block[low - start : high - start] = valid_frames(frames)
    valid = np.isfinite(block)
    level = np.where(valid, block, 0).sum(axis=0) / np.maximum(valid.sum(axis=0), 1)
    block = np.where(valid, block, level)
    return np.asarray(block - block.mean(dtype=np.float64), np.float32)


def estimated_risks(
    power: NDArray[np.float64], widths_t: tuple[float, ...], widths_yx: tuple[float, ...]
) -> NDArray[np.float64]:
    """Mean squared error (widths in time, widths in space) that Stein's risk expects.

    Parameters
    ----------
    power : ndarray, (L, Y, X)
        Squared DCT-II coefficients; the upper half of the temporal ones is taken for noise.
    """
    length, n_rows, n_columns = power.shape
    spatial = np.stack(
        [np.outer(_gains(s, n_rows), _gains(s, n_columns)).ravel() for s in widths_yx]
    )
    temporal = np.stack([_gains(s, length) for s in widths_t])
    flat = power.reshape(length, -1)
    all_power = flat.sum(axis=1)
    passed, passed_twice = flat @ spatial.T, flat @ (spatial**2).T
    noise, noise_passed = (p[length // 2 :].mean(axis=0) for p in (all_power, passed))
    residual = all_power.sum() - 2 * temporal @ passed + temporal**2 @ passed_twice
    risks = residual + 2 * np.outer(temporal.sum(axis=1), noise_passed) - length * noise
    return np.asarray(risks / power.size)
