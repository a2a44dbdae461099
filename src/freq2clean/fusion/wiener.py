"""The default fusion: each band of the residual weighted by the signal that it is seen to hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.fusion.bases import dct_basis, temporal_bands
from freq2clean.fusion.corrections import Correction
from freq2clean.fusion.leak import leaked_share
from freq2clean.fusion.local import LocalWeights, NoiseFinder
from freq2clean.fusion.method import Job, Method, Plan
from freq2clean.fusion.moments import Projection
from freq2clean.fusion.noise import NoiseMoments
from freq2clean.fusion.pattern import LineOffsets, bad_pixels, fill_in, find_line_offsets
from freq2clean.fusion.rings import RINGS_PER_CYCLE, ring_index, ring_sizes, ring_sums
from freq2clean.fusion.spaces import space_of, to_host
from freq2clean.fusion.survey import Survey, measured, spread_runs
from freq2clean.fusion.windows import check_windows, even_window, plan_windows

__all__ = [
    "DEFAULT_MEMORY_BYTES",
    "RUN_FRAMES",
    "ResidualSurvey",
    "Wiener",
    "WienerPlan",
    "mean_errors",
    "shrinkage",
    "tiles_of",
]

RUN_FRAMES = 128
_TILE_PIXELS = 64
_TILE_RUNS = 4
_GAIN_SHARE = 0.995
_LEAST_GAIN = 0.005
DEFAULT_MEMORY_BYTES = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Wiener(Method):
    """Shrink the residual, raw minus denoised, by its own signal-to-noise, band by band.

    A band is a group of temporal DCT-II bins crossed with a ring of spatial frequency. A first
    estimate weights it by ``1 - noise / power`` of the residual, and 0 unless the power exceeds
    the noise by twice the error that sampling leaves in it. In patches of 8 x 8 pixels, each
    coefficient of the residual is then weighted by the power that the first estimate has there.
    Noise and power are measured; there is nothing to tune.

    A denoiser that sees the frame it predicts leaks some noise into it; how much, at least, shows
    where the residual lacks it, and weights allow for it. Where all of the mean image's noise has
    leaked, as a projection does, it is taken out of the mean image.

    Parameters
    ----------
    window : int, optional
        Frames per window; by default the recording is split evenly into windows of about 3000.
    overlap : float
        Share of a window that fades into the next, 0 to 0.9.
    n_bins : int, optional
        Temporal bins to correct; by default those where a survey of the residual finds signal.
    keep_fixed_pattern : bool
        Take offsets of lines and hot pixels of the raw recording for signal.

    References
    ----------
    Wiener, Extrapolation, Interpolation, and Smoothing of Stationary Time Series (1949);
    empirical form as in Lim and Oppenheim (1979), doi:10.1109/PROC.1979.11540.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.zeros((200, 32, 32)); truth[:, ::4] = 20
    >>> raw = np.random.default_rng(0).poisson(truth + 5)
    >>> denoised = np.full(raw.shape, 10.0)
    >>> fused = Wiener().fit(raw, denoised).apply(denoised)
    >>> bool(np.square(fused - truth - 5).mean() < 0.1 * np.square(denoised - truth - 5).mean())
    True
    """

    name: ClassVar[str] = "wiener"
    window: int | None = None
    overlap: float = 0.1
    n_bins: int | None = None
    keep_fixed_pattern: bool = False

    def __post_init__(self) -> None:
        check_windows(1 if self.window is None else self.window, self.overlap)
        if self.n_bins is not None and self.n_bins < 1:
            raise InputError(f"n_bins = {self.n_bins}; give 1 or more")

    def survey(self, n_frames: int, shape: tuple[int, int], *, find_scale: bool) -> Survey:
        runs = spread_runs(n_frames, n_runs=_TILE_RUNS, length=RUN_FRAMES)
        return ResidualSurvey(shape, runs, find_scale=find_scale)

    def plan(
        self, n_frames: int, shape: tuple[int, int], survey: Survey, *, memory_bytes: int | None
    ) -> Plan:
        assert isinstance(survey, ResidualSurvey)
        return WienerPlan(self, n_frames, shape, survey, memory_bytes or DEFAULT_MEMORY_BYTES)


class ResidualSurvey(Survey):
    """Also measures the noise, and keeps some tiles of both recordings for their dynamics."""

    def __init__(
        self, shape: tuple[int, int], runs: Sequence[tuple[int, int]], *, find_scale: bool
    ) -> None:
        super().__init__(shape, runs, find_scale=find_scale)
        self.noise = NoiseMoments(shape)
        self._n_runs, self._keep_every = 0, max(1, len(runs) // _TILE_RUNS)
        self._where = tiles_of(shape)
        self._tile_noise = NoiseMoments((min(shape[0], _TILE_PIXELS), min(shape[1], _TILE_PIXELS)))
        self._tiles: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []

    def add(self, raw: Any, denoised: Any) -> None:
        super().add(raw, denoised)
        self.noise.add(raw)
        self._n_runs += 1
        if (self._n_runs - 1) % self._keep_every:
            return
        for rows, columns in self._where:
            tile = measured(raw[:, rows, columns])
            xp = space_of(tile).xp
            self._tile_noise.add(tile)
            self._tiles.append((tile, xp.astype(denoised[:, rows, columns], xp.float32)))

    def bad_pixels(self) -> NDArray[np.bool_]:
        """Hot and dead pixels (Y, X) of the raw recording."""
        if self.noise.is_empty:
            return np.zeros(self._shape, np.bool_)
        error = float(np.sqrt(self.noise.mean_power() / self._n_seen))
        mean = self._raw.images(self._shape)[0, ...] / self._n_seen
        bad: NDArray[np.bool_] = bad_pixels(mean, error) & to_host(self._raw.seen(self._shape))
        return bad

    def expected_gain(self) -> NDArray[np.float64]:
        """What weights would gain in squared error, per temporal bin of a run, detail only.

        Bins where that is next to nothing beside the noise count as 0: each costs as much as one
        that matters. Power and noise are those of the tiles; the whole image's noise may differ.
        """
        index = ring_index(self._tiles[0][0].shape[1:])
        bands = temporal_bands(self._tiles[0][0].shape[0])
        power = np.zeros((len(bands), int(index.max()) + 1))
        for raw, denoised in self._tiles:
            residual = self._residual(raw, denoised)
            spectrum = space_of(residual).dctn(residual, axes=(-3, -2, -1))
            squares = ring_sums(spectrum * spectrum, index)
            power += np.add.reduceat(squares, bands, axis=0)
        width = np.diff([*bands, self._tiles[0][0].shape[0]])
        number = np.outer(width, ring_sizes(index) * float(len(self._tiles)))
        power /= number
        noise = self._tile_noise
        weights = _weights(power, number, noise)
        gain = np.sum((number * weights**2 * power)[:, 1:], axis=1)
        noise_power = noise.power_per_ring() @ number.T
        gain[gain < _LEAST_GAIN * noise_power] = 0
        return np.repeat(gain / width, width)

    def keeps_mean(self, n_frames: int) -> bool:
        """Whether the denoised recording seems to have the raw one's mean image, noise and all.

        Over all frames the residual then sums to nothing; over the share of frames that the runs
        hold, its sum lacks that share of the noise's power, or nearly.
        """
        space, n_places = space_of(self._tiles[0][0]), len(self._where)
        tiles = [space.xp.sum(self._residual(*t), axis=0, dtype=space.real) for t in self._tiles]
        sums = [
            sum(tiles[place + n_places :: n_places], start=tiles[place])
            for place in range(n_places)
        ]
        seen = sum(raw.shape[0] for raw, _ in self._tiles) // n_places
        index = ring_index(sums[0].shape)
        spectra = space.dctn(space.xp.stack(sums), axes=(-2, -1))
        power = ring_sums(spectra * spectra, index).sum(axis=0)[1:]
        noise = n_places * seen * (ring_sizes(index) * self._tile_noise.power_per_ring())[1:]
        lacking = noise.sum() - power.sum()
        chance = noise.sum() * np.sqrt(2 / (n_places * index.size))
        return bool(lacking > max(seen / n_frames * noise.sum() / 2, 4 * chance))

    def _residual(self, raw: Any, denoised: Any) -> Any:
        """Of a tile, with 0 for what was not measured."""
        xp, residual = space_of(raw).xp, raw - self.scale().apply(denoised)
        return xp.where(xp.isfinite(residual), residual, 0.0)


class WienerPlan(Plan):
    noted: ClassVar[tuple[str, ...]] = ("_offsets", "_weights", "_expected")

    def __init__(
        self,
        method: Wiener,
        n_frames: int,
        shape: tuple[int, int],
        survey: ResidualSurvey,
        memory_bytes: int,
    ) -> None:
        windows = plan_windows(
            n_frames,
            window=method.window or even_window(n_frames, overlap=method.overlap),
            overlap=method.overlap,
        )
        self._method = method
        self._noise = survey.noise
        self._bad_pixels = survey.bad_pixels()
        self._offsets: list[tuple[LineOffsets, ...]] = []
        self._index = ring_index(shape)
        self._ring_size = ring_sizes(self._index)
        most = max(1, min(windows[0].n_frames, memory_bytes // (16 * shape[0] * shape[1])))
        wanted = method.n_bins or useful_bins(survey, windows[0].n_frames)
        self._limited = wanted > most
        self._basis = dct_basis(windows[0].n_frames, min(wanted, most))
        self._bands = temporal_bands(len(self._basis))
        self._weights: list[NDArray[np.float64]] = []
        self._expected: list[tuple[float, float]] = []
        mean = self._basis[: survey.keeps_mean(n_frames)]
        self._windows = windows
        self.jobs = [
            Job(
                w,
                (
                    Projection("residual", w.start, self._basis),
                    *(Projection("denoised", w.start, row[None]) for row in mean),
                ),
            )
            for w in windows
        ]

    def solve(self, job: Job, shape: tuple[int, int]) -> Correction:
        return Correction.of(job.window, self._basis, self.correction_images(job, shape))

    def correction_images(self, job: Job, shape: tuple[int, int]) -> Any:
        """The residual's coefficient images, (K, Y, X), weighted."""
        residual, *denoised = job.projections
        images = self._without_pattern(residual.images(shape), job.window.n_frames)
        space = space_of(images)
        spectrum = space.dctn(images, axes=(-2, -1))
        power, number = self._band_power(spectrum)
        noise = residual.noise_factor * self._noise.power_per_ring()
        leak = leaked_share(power, number, noise)
        weights = _weights(
            power, number, self._noise, noise_factor=residual.noise_factor, kept=1 - leak
        )
        self._weights.append(weights)
        known = space.host(residual.seen(shape))
        local = noise / max(known.mean(), 1 / known.size)
        errors = self._weigh(spectrum, images, weights, local, leak)
        corrected = space.floats(spectrum)
        for mean in denoised:
            known = known & space.host(mean.seen(shape))
            fused = space.host(mean.images(shape)[0, ...] + corrected[0, ...])
            leaked, gained = NoiseFinder(shape)(fused, leak[0] ** 2 * local)
            corrected[0, ...] -= space.array(np.where(known, leaked, np.float32(0)))
            errors[0] += gained
        before, after = errors / (job.window.n_frames * shape[0] * shape[1])
        self._expected.append((float(before), float(after)))
        return corrected

    def _without_pattern(self, images: Any, n_frames: int) -> Any:
        """The images, (K, Y, X), without what the detector adds to every frame."""
        if self._method.keep_fixed_pattern:
            return images
        images = fill_in(images, self._bad_pixels)
        space, mean = space_of(images), images[0, ...]
        rows, columns = map(find_line_offsets, (mean, space.xp.matrix_transpose(mean)))
        self._offsets.append(tuple(found.per_frame(n_frames) for found in (rows, columns)))
        if rows.values.any() or columns.values.any():
            offsets = (rows.values[:, None] + columns.values).astype(np.float32)
            images = space.xp.astype(images, images.dtype, copy=True)
            images[0, ...] -= space.array(offsets)
        return images

    def _weigh(
        self,
        spectrum: Any,
        images: Any,
        weights: NDArray[np.float64],
        noise: NDArray[np.float64],
        leak: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Put the weighted images in place of their spectrum.

        ``weights``, of a first estimate, and ``leak`` are per band and ring.

        Returns
        -------
        ndarray, (2,)
            Sums of squared errors that the images correct, before and after.
        """
        space, (n_images, *shape) = space_of(images), images.shape
        weigh = LocalWeights((shape[0], shape[1]))
        band_of = np.repeat(np.arange(len(weights)), np.diff([*self._bands, n_images]))
        errors = np.zeros((n_images, 2))

        def weigh_bins(bins: slice) -> None:
            bands: NDArray[np.intp] = band_of[bins]
            used = np.any(weights[bands], axis=1)
            if not used.any():
                spectrum[bins, ...] = 0
                return
            estimate = spectrum[bins, ...]
            estimate *= space.of_rings(weights[bands], self._index)
            estimate = space.idctn(estimate, axes=(-2, -1))
            level = space.level(estimate)
            weighed, found = weigh(images[bins, ...], estimate, noise=noise, leak=leak[bands])
            # The level is known from all pixels: a patch would see it as detail in its own noise.
            weighed += space.floats(level - space.level(weighed))
            if not used.all():
                weighed *= space.array(used.astype(np.float32)[:, None, None])
            spectrum[bins, ...] = weighed
            errors[bins] = space.host(found) * used[:, None]

        space.over_images(weigh_bins, n_images, (shape[0], shape[1]))
        total: NDArray[np.float64] = errors.sum(axis=0)
        return total

    def _band_power(self, spectrum: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean squared coefficients per band and ring, and their number."""
        sums = space_of(spectrum).ring_powers(spectrum, self._index)
        width = np.diff([*self._bands, len(sums)])
        number = np.outer(width, self._ring_size)
        return np.add.reduceat(sums, self._bands, axis=0) / number, number

    def findings(self) -> dict[str, Any]:
        transfer = self._noise.photon_transfer()
        n = self._windows[0].n_frames
        edges = [*self._bands, len(self._basis)]
        return {
            "windows": [(window.start, window.stop) for window in self._windows],
            "n_bins": len(self._basis),
            "n_bins_limited_by_memory": self._limited,
            "noise": {"gain": transfer.gain, "offset": transfer.offset},
            "noise_sd": float(np.sqrt(self._noise.mean_power())),
            "band_edges_cycles_per_frame": [edge / (2 * n) for edge in edges],
            "ring_edges_cycles_per_pixel": [
                ring / RINGS_PER_CYCLE for ring in range(len(self._ring_size))
            ],
            "weights": np.mean(self._weights, axis=0).round(6).tolist() if self._weights else [],
            **self._expectation(),
            "fixed_pattern": self._pattern(),
        }

    def _pattern(self) -> dict[str, Any]:
        """What was kept out of the correction, at most over windows; offsets in counts."""
        if self._method.keep_fixed_pattern:
            return {}
        found: dict[str, Any] = {"bad_pixels": int(self._bad_pixels.sum())}
        for name, offsets in zip(
            ("rows", "columns"), zip(*self._offsets, strict=True), strict=False
        ):
            found[name] = max(x.n_lines for x in offsets)
            found[f"{name}_sd"] = max(x.sd for x in offsets)
        return found

    def _expectation(self) -> dict[str, Any]:
        """Mean squared errors in the weighted bands, before and after, and what that gains."""
        before, after = self.expected_errors()
        return {
            "expected_mse_reduction": float(before - after),
            "expected_mse_in_bands": [float(before), float(after)],
            "expected_gain_in_bands_db": float(10 * np.log10(before / after)) if after > 0 else 0.0,
        }

    def expected_errors(self) -> NDArray[np.float64]:
        """Mean squared errors before and after, the mean over windows."""
        return mean_errors(self._expected)

    def _expect_also(self, errors: tuple[float, float], n_values: int) -> None:
        """Add squared errors, before and after, to what is expected of the last window."""
        before, after = self._expected[-1]
        self._expected[-1] = before + errors[0] / n_values, after + errors[1] / n_values


def _weights(
    power: NDArray[np.float64],
    number: NDArray[np.float64],
    noise: NoiseMoments,
    *,
    noise_factor: float = 1.0,
    kept: NDArray[np.float64] | float = 1.0,
) -> NDArray[np.float64]:
    """The `shrinkage` that measured noise asks for; 0 where none could be measured.

    ``kept`` is the share of the noise's amplitude that the residual holds.
    """
    if noise.is_empty:
        return np.zeros_like(power)
    return shrinkage(
        power,
        np.square(kept) * noise_factor * noise.power_per_ring(),
        number,
        noise_error=noise.relative_error_per_ring(),
    )


def shrinkage(
    power: NDArray[np.float64],
    noise: NDArray[np.float64],
    number: NDArray[np.float64],
    *,
    noise_error: NDArray[np.float64] | float = 0.0,
) -> NDArray[np.float64]:
    """Weights ``max(0, 1 - noise / power)``, 0 within twice the sampling error of noise alone.

    Parameters
    ----------
    power : ndarray
        Mean squared coefficients of the residual in each band.
    noise : ndarray, broadcastable
        Mean squared coefficients of its noise.
    number : ndarray, broadcastable
        Coefficients in each band.
    noise_error : ndarray or float
        Standard error of ``noise``, relative.

    Examples
    --------
    >>> import numpy as np
    >>> shrinkage(np.array([4.0, 1.02]), np.array(1.0), np.array([1000, 1000]))
    array([0.75, 0.  ])
    """
    error = noise * np.sqrt(2 / number + np.square(noise_error))
    significant = (power > noise + 2 * error) & (power > 0)
    weights: NDArray[np.float64] = np.where(
        significant, 1 - noise / np.where(significant, power, 1.0), 0.0
    )
    return weights


def mean_errors(errors: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """The mean of errors before, and of errors after; 0 where there are none."""
    means: NDArray[np.float64] = np.mean(errors or [(0.0, 0.0)], axis=0)
    return means


def useful_bins(survey: ResidualSurvey, n_frames: int) -> int:
    """How many temporal bins of a window hold nearly all that the weights could gain.

    Short runs of frames show the temporal spectrum of the residual; the window's bins reach up to
    the frequency below which 99.5 % of the expected gain lies.
    """
    if n_frames <= RUN_FRAMES:
        return n_frames
    gain = np.cumsum(survey.expected_gain())
    last = int(np.searchsorted(gain, _GAIN_SHARE * gain[-1]))
    return min(n_frames, -(-n_frames * (last + 1) // len(gain)))


def tiles_of(shape: tuple[int, int]) -> list[tuple[slice, slice]]:
    """A few tiles on a grid over the image."""
    along = [
        [
            slice(first, min(first + _TILE_PIXELS, n))
            for first in np.unique(np.linspace(0, max(0, n - _TILE_PIXELS), 2).astype(int)).tolist()
        ]
        for n in shape
    ]
    return list(product(along[0], along[1]))
