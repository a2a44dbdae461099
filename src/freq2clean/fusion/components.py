"""The courses of a denoised recording: in each patch, what varies together and strongly.

They are sums over the cells of a patch, so they are read from any frame without the others. A
denoiser leaks noise of the frame that it predicts, and weak components are made of such leaks;
those count that are three times as strong as the strongest of a quiet patch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.missing import zero_where_unknown
from freq2clean.fusion.parallel import few_frames, over_items
from freq2clean.fusion.patches import Group, PatchGrid
from freq2clean.fusion.scale import Scale

__all__ = ["ComponentSurvey", "Components"]

MOST_PER_PATCH = 6
_LEAST_STRENGTH = 3.0
_QUIET_SHARE = 0.25


@dataclass(frozen=True, eq=False)
class Components:
    """The patches that have components, in groups of neighbours.

    Parameters
    ----------
    grid : PatchGrid
    groups : list of Group
    loadings : list of ndarray, (patches, cells, K), float32
        For each group, its patches' components, orthonormal, the strongest first; zeros where a
        patch has fewer than the K of the richest in its group.
    reference : ndarray, (Y, X), float32, padded
        The image from which courses count, near the mean.
    """

    grid: PatchGrid
    groups: list[Group]
    loadings: list[NDArray[np.float32]]
    reference: NDArray[np.float32]

    def deviations(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Frames (n, Y, X) less the reference, in cells."""
        return self.grid.deviations(frames, self.reference)

    def courses(self, deviations: NDArray[np.float32], index: int) -> NDArray[np.float32]:
        """What the components of a group show: (n, patches * K)."""
        courses: NDArray[np.float32] = self.groups[index].cells.cut(deviations) @ self._maps[index]
        return courses

    def present(self, index: int) -> NDArray[np.bool_]:
        """Which courses of a group are of a component that its patch has, (patches * K,)."""
        return self.loadings[index].any(axis=1).ravel()

    def present_courses(self, deviations: NDArray[np.float32], index: int) -> NDArray[np.float32]:
        """These courses alone, (n, N)."""
        cells, maps = self.groups[index].cells, self._present_maps[index]
        courses: NDArray[np.float32] = cells.cut(deviations) @ maps
        return courses

    def images(self, index: int) -> NDArray[np.float32]:
        """The components of a group as images of unit norm: (patches, K, pixels of a patch)."""
        cell, (height, width) = self.grid.cell, self.grid.size
        loadings = self.loadings[index].transpose(0, 2, 1)
        cells = loadings.reshape(*loadings.shape[:2], height // cell, width // cell)
        images = np.repeat(np.repeat(cells, cell, axis=2), cell, axis=3) / np.float32(cell)
        return images.reshape(*loadings.shape[:2], -1)

    def seen_in(self, patches: NDArray[Any], index: int) -> NDArray[Any]:
        """What the components show of patches (patches, n, pixels): (patches, n, K)."""
        n_patches, n_images, _ = patches.shape
        cells = self.grid.binned(patches.reshape(-1, *self.grid.size))
        seen: NDArray[Any] = cells.reshape(n_patches, n_images, -1) @ self.loadings[index]
        return seen

    @cached_property
    def _maps(self) -> list[NDArray[np.float32]]:
        """From the cells of each group to its courses."""
        return [
            np.ascontiguousarray(group.cells.spread(loadings.transpose(0, 2, 1)).T)
            for group, loadings in zip(self.groups, self.loadings, strict=True)
        ]

    @cached_property
    def _present_maps(self) -> list[NDArray[np.float32]]:
        return [
            np.ascontiguousarray(whole[:, self.present(index)])
            for index, whole in enumerate(self._maps)
        ]


class ComponentSurvey:
    """Adds up the covariance of a denoised recording's cells, patch by patch, over some frames."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.grid = PatchGrid(shape)
        rows, columns = (len(starts) for starts in self.grid.starts)
        self._groups = self.grid.groups([np.arange(columns)] * rows)
        self._products = np.zeros((rows, columns, self.grid.n_cells, self.grid.n_cells), np.float32)
        self._sums = np.zeros((rows, columns, self.grid.n_cells))
        self._n_frames = 0
        self._reference: NDArray[np.float32] | None = None

    def add(self, denoised: NDArray[Any]) -> None:
        """Add frames (n, Y, X); values that are not finite count as the average."""
        step = self.grid.cell**2 * few_frames(denoised[0].size)
        for first in range(0, len(denoised), step):
            self._add(denoised[first : first + step].astype(np.float32, copy=False))

    def _add(self, frames: NDArray[np.float32]) -> None:
        if self._reference is None:
            with np.errstate(invalid="ignore"):
                self._reference = zero_where_unknown(self.grid.pad(frames).mean(axis=0))
        deviations = self.grid.deviations(frames, self._reference)

        def add_group(group: Group) -> None:
            cells = group.cells.patches(deviations)
            self._products[group.row, group.columns] += cells.transpose(0, 2, 1) @ cells
            self._sums[group.row, group.columns] += cells.sum(axis=1)

        over_items(add_group, self._groups)
        self._n_frames += len(frames)

    def components(self, scale: Scale, *, at_most: int | None = None) -> Components:
        """The components that are strong enough to be more than leaked noise.

        ``scale`` is that of the denoised recording: components see it as brought to the raw one's.
        Of more than ``at_most``, the strongest are taken.
        """
        assert self._reference is not None, "no frame was added"
        strengths, loadings = self._strongest()
        floor = _LEAST_STRENGTH * np.quantile(strengths[..., 0], _QUIET_SHARE)
        if at_most is not None and at_most < strengths.size:
            floor = max(floor, np.partition(strengths, -at_most - 1, axis=None)[-at_most - 1])
        strong = strengths > max(floor, np.finfo(np.float32).tiny)
        groups = self.grid.groups([np.flatnonzero(row[:, 0]) for row in strong])
        kept = []
        for group in groups:
            is_strong = strong[group.row, group.columns]
            n_kept = is_strong.sum(axis=1).max()
            own = np.where(is_strong[:, None], loadings[group.row, group.columns], 0)
            kept.append(own[..., :n_kept].astype(np.float32))
        return Components(self.grid, groups, kept, scale.apply(self._reference))

    def _strongest(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Variances (rows, columns, K) and loadings (rows, columns, cells, K)."""
        n_kept = min(MOST_PER_PATCH, self.grid.n_cells)
        shape = self._products.shape
        strengths = np.zeros((*shape[:2], n_kept), np.float32)
        loadings = np.zeros((*shape[:3], n_kept), np.float32)

        def solve_row(row: int) -> None:
            mean = self._sums[row] / max(1, self._n_frames)
            covariance = self._products[row] / np.float32(max(1, self._n_frames))
            covariance -= (mean[:, :, None] * mean[:, None]).astype(np.float32)
            values, vectors = np.linalg.eigh(covariance)
            strengths[row] = values[:, ::-1][:, :n_kept]
            loadings[row] = vectors[:, :, ::-1][:, :, :n_kept]

        over_items(solve_row, range(shape[0]))
        return strengths, loadings
