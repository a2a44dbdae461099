"""Principal components of overlapping patches, shrunk by what the noise alone would show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from freq2clean.denoisers.contract import (
    Denoiser,
    Frames,
    Model,
    Progress,
    Read,
    blocks_of,
    bridge,
    check,
    check_numbers,
    valid_frames,
)
from freq2clean.denoisers.files import load_arrays, save_arrays
from freq2clean.denoisers.noise import Mixing, survey
from freq2clean.denoisers.patches import PatchGrid, PatchMoments
from freq2clean.errors import InputError
from freq2clean.fusion.parallel import one_blas_thread

__all__ = ["PCA", "PCAModel", "PatchComponents", "optimal_weights"]

_MOMENT_BYTES = 400 * 2**20


@dataclass(frozen=True)
class PCA(Denoiser):
    """Project overlapping patches on the components that stand out of the noise.

    Pixels are scaled to noise of one, and the covariance of every patch is summed up in one pass.
    Components above the Marchenko-Pastur edge are kept, each shrunk as is optimal in mean squared
    error [1]_. The patches overlap by half and are blended. What is kept is the temporal mean of
    every pixel, as it is, and all noise within the components.

    Parameters
    ----------
    patch_pixels : int
        Side of a patch, even; it should hold a cell.
    max_components : int
        Most components per patch; bounds the memory of the model.

    Notes
    -----
    Fitting keeps ``5 / 4 * patch_pixels**2`` bytes of moments per pixel, 320 for patches of 16,
    and passes over strips of the field, one after the other, where that exceeds 400 MiB. The model
    keeps ``16 * max_components`` bytes per pixel at most, twice that where noise is correlated.
    A frame that was dropped altogether becomes the mean.

    References
    ----------
    .. [1] M. Gavish and D. L. Donoho, IEEE Trans. Inf. Theory 63 (2017),
       doi:10.1109/TIT.2017.2653801

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> blink = 20 * np.sin(np.arange(200) / 9)[:, None, None] * np.ones((1, 16, 16))
    >>> noisy = (100 + blink + rng.normal(0, 10, blink.shape)).astype(np.float32)
    >>> error = PCA().fit(noisy).predict(noisy)[:] - (100 + blink)
    >>> bool(error.std() < 2)
    True
    """

    name: ClassVar[str] = "pca"

    patch_pixels: int = 16
    max_components: int = 32

    def __post_init__(self) -> None:
        if self.patch_pixels not in range(4, 34, 2):
            raise InputError(f"patch_pixels = {self.patch_pixels}; give an even number, 4 to 32")
        if self.max_components < 1:
            raise InputError(f"max_components = {self.max_components}; give a number from 1 up")

    @one_blas_thread()
    def fit(self, recording: Frames, /, *, progress: Progress | None = None) -> PCAModel:
        """Find the components in one pass (in more, of strips, if the frames are very large)."""
        check(recording)
        check_numbers(recording)
        n_frames, n_rows, n_columns = recording.shape
        found = survey(recording)
        grid = PatchGrid((n_rows, n_columns), self.patch_pixels)
        mean = np.empty(grid.frame_shape, np.float32)
        patches: list[PatchComponents] = []
        mixing = found.mixing(*grid.pixel_places())
        strips = grid.strips(_MOMENT_BYTES)
        for i, (first_row, strip) in enumerate(strips):
            top = first_row * grid.side
            rows = slice(top, top + strip.frame_shape[0])
            level, noise_sd = found.level[rows], found.noise_sd[rows]
            moments = PatchMoments(strip)
            seen = np.zeros(strip.frame_shape, np.bool_)
            for start, stop in blocks_of(0, n_frames):
                scaled, missing = _scaled(recording[start:stop], rows, level, noise_sd)
                bridge(scaled, missing)
                moments.add(scaled)
                seen |= ~missing.all(axis=0)
                if progress is not None:
                    progress(i * n_frames + stop, len(strips) * n_frames)
            mean[rows] = level + noise_sd * (moments.sums() / n_frames)
            n_pixels = strip.patch_sums(seen)
            for (row, column), gram in moments.covariances():
                parts = self._shrink(gram, n_frames - 1, int(n_pixels[row, column]), mixing)
                if parts is not None:
                    patches.append(PatchComponents(first_row + row, column, *parts))
        return PCAModel(self, grid, mean, found.noise_sd, patches)

    @classmethod
    def _load(cls, path: Path) -> PCAModel:
        about, arrays = load_arrays(path, cls.name)
        denoiser = cls(**about["options"])
        mean, noise_sd = arrays["mean"], arrays["noise_sd"]
        grid = PatchGrid(mean.shape, denoiser.patch_pixels)
        ends = np.cumsum(arrays["n_components"])[:-1]
        analysis, synthesis, weights = (
            np.split(arrays[name], ends) for name in ("analysis", "synthesis", "weights")
        )
        places = zip(arrays["row"].tolist(), arrays["column"].tolist(), strict=True)
        patches = [
            PatchComponents(*place, a, np.ascontiguousarray(s.T), w)
            for place, a, s, w in zip(places, analysis, synthesis, weights, strict=True)
        ]
        return PCAModel(denoiser, grid, mean, noise_sd, patches)

    def _shrink(
        self, gram: NDArray[np.float32], n_samples: int, n_pixels: int, mixing: Mixing | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]] | None:
        """Analysis, synthesis and weights of the components that stand out, strongest first."""
        if n_samples == 0 or n_pixels == 0:
            return None
        if mixing is not None:
            gram = (mixing.inverse @ gram @ mixing.inverse).astype(np.float32)
        edge = (np.sqrt(n_samples) + np.sqrt(n_pixels)) ** 2
        powers, axes = eigh(gram, subset_by_value=(edge, np.inf), check_finite=False)
        if powers.size == 0:
            return None
        strongest = slice(None, -self.max_components - 1, -1)
        axes = axes[:, strongest]
        weights = optimal_weights(powers[strongest], n_samples, n_pixels).astype(np.float32)
        if mixing is None:
            synthesis = np.ascontiguousarray(axes)
            return synthesis.T, synthesis, weights
        analysis = (axes.T @ mixing.inverse).astype(np.float32)
        return analysis, (mixing.root @ axes).astype(np.float32), weights


def optimal_weights(powers: NDArray[Any], n_samples: int, n_pixels: int) -> NDArray[np.float64]:
    """What to multiply components by, given their squared singular values.

    The matrix (n_samples, n_pixels) holds signal of low rank and noise of variance 1. These are
    the shrunken over the observed singular values that are optimal in squared error, equation 7
    of Gavish and Donoho, doi:10.1109/TIT.2017.2653801; 0 below the edge of the noise.
    """
    few, many = sorted((n_samples, n_pixels))
    beta = few / many
    y2 = np.asarray(powers, np.float64) / many
    above = np.where(y2 > (1 + np.sqrt(beta)) ** 2, (y2 - beta - 1) ** 2 - 4 * beta, 0)
    return np.asarray(np.sqrt(np.maximum(above, 0)) / np.maximum(y2, 1))


@dataclass(frozen=True, eq=False)
class PatchComponents:
    """The components of one patch.

    Parameters
    ----------
    row, column : int
        The patch's place in the grid.
    analysis : ndarray, (k, pixels), float32
        From pixels, in units of the noise, to coefficients; pixels are ordered cell by cell.
    synthesis : ndarray, (pixels, k), float32
        From coefficients to pixels. Its transpose is the analysis unless noise is correlated.
    weights : ndarray, (k,), float32
        What the coefficients are multiplied by, between 0 and 1.
    """

    row: int
    column: int
    analysis: NDArray[np.float32]
    synthesis: NDArray[np.float32]
    weights: NDArray[np.float32]

    def coefficients(
        self, pixels: NDArray[np.float32], missing: NDArray[np.bool_] | None
    ) -> NDArray[np.float32]:
        """Shrunken coefficients (k, n) of a patch (pixels, n) that is 0 where values are missing.

        Missing values are taken to be what the coefficients themselves predict.
        """
        found = self.weights[:, None] * (self.analysis @ pixels)
        if missing is not None:
            for frame in np.flatnonzero(missing.any(axis=0)):
                hole = missing[:, frame]
                refill = self.analysis[:, hole] @ self.synthesis[hole]
                system = np.eye(len(found)) - self.weights[:, None] * refill
                found[:, frame] = np.linalg.solve(system, found[:, frame])
        return found


@dataclass(frozen=True, eq=False)
class PCAModel(Model):
    """The temporal mean and the components of each patch that has any.

    Parameters
    ----------
    denoiser : PCA
    grid : PatchGrid
    mean, noise_sd : ndarray, (Y, X), float32
    patches : list of PatchComponents
    """

    denoiser: PCA
    grid: PatchGrid
    mean: NDArray[np.float32]
    noise_sd: NDArray[np.float32]
    patches: list[PatchComponents]

    @property
    def findings(self) -> Mapping[str, Any]:
        counts = [patch.weights.size for patch in self.patches]
        return {
            "patches": int(np.prod(self.grid.n_patches)),
            "patches_with_components": len(counts),
            "components": sum(counts),
            "most_components_in_a_patch": max(counts, default=0),
            "median_noise_sd": float(np.median(self.noise_sd)),
        }

    def save(self, path: str | Path, /) -> None:
        def joined(parts: list[NDArray[np.float32]], width: int) -> NDArray[np.float32]:
            return np.concatenate([np.empty((0, width), np.float32), *parts])

        n_pixels = self.grid.patch_pixels**2
        arrays: dict[str, NDArray[Any]] = {
            "mean": self.mean,
            "noise_sd": self.noise_sd,
            "row": np.array([p.row for p in self.patches], np.int64),
            "column": np.array([p.column for p in self.patches], np.int64),
            "n_components": np.array([p.weights.size for p in self.patches], np.int64),
            "analysis": joined([p.analysis for p in self.patches], n_pixels),
            "synthesis": joined([p.synthesis.T for p in self.patches], n_pixels),
            "weights": joined([p.weights[:, None] for p in self.patches], 1)[:, 0],
        }
        about = {"options": asdict(self.denoiser)}
        save_arrays(path, self.denoiser.name, about, arrays)

    def _check_fits(self, recording: Frames) -> None:
        if tuple(recording.shape[1:]) != self.grid.frame_shape:
            raise InputError(
                f"the components are those of frames of {self.grid.frame_shape} pixels, and these "
                f"have {tuple(recording.shape[1:])}; fit to a recording of the same field"
            )

    def _reader(self, recording: Frames, notes: list[str]) -> Read:
        return partial(self._frames, recording)

    @one_blas_thread()
    def _frames(self, recording: Frames, start: int, stop: int) -> NDArray[np.float32]:
        out = np.empty((stop - start, *self.grid.frame_shape), np.float32)
        everything = slice(None)
        for first, last in blocks_of(start, stop):
            block = np.asarray(recording[first:last])
            scaled, missing = _scaled(block, everything, self.mean, self.noise_sd)
            signal = self._project(scaled, missing if missing.any() else None)
            frames = np.multiply(signal, self.noise_sd, out=out[first - start : last - start])
            frames += self.mean
            frames[~np.isfinite(block)] = np.nan
        return out

    def _project(
        self, scaled: NDArray[np.float32], missing: NDArray[np.bool_] | None
    ) -> NDArray[np.float32]:
        grid, windows = self.grid, self.grid.windows()
        cells = grid.cells(scaled)
        holes = None if missing is None else grid.cells(missing)
        signal = np.zeros_like(cells)
        n_pixels, n_frames = grid.patch_pixels**2, len(scaled)
        for patch in self.patches:
            place = slice(patch.row, patch.row + 2), slice(patch.column, patch.column + 2)
            pixels = cells[place].reshape(n_pixels, n_frames)
            hole = None if holes is None else holes[place].reshape(n_pixels, n_frames)
            window = windows[patch.row, patch.column][:, None]
            share = (window * patch.synthesis) @ patch.coefficients(pixels, hole)
            signal[place] += share.reshape(2, 2, -1, n_frames)
        return grid.frames(signal)


def _scaled(
    block: NDArray[Any],
    rows: slice,
    level: NDArray[np.float32],
    noise_sd: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Frames less their level in units of the noise, 0 where a value is missing, and where."""
    frames = valid_frames(block)[:, rows]
    missing = np.isnan(frames)
    frames -= level
    frames /= noise_sd
    frames[missing] = 0
    return frames, missing
