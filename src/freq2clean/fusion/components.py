"""The courses of a denoised recording: in each patch, what varies together and strongly.

They are sums over the cells of a patch, so they are read from any frame without the others. A
denoiser leaks noise of the frame that it predicts, and weak components are made of such leaks;
those count that are three times as strong as the strongest of a quiet patch.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.gathered import GatheredGroup, gathered, overlap_add
from freq2clean.fusion.missing import zero_where_unknown
from freq2clean.fusion.parallel import over_rows
from freq2clean.fusion.patches import Group, PatchGrid
from freq2clean.fusion.scale import Scale
from freq2clean.fusion.spaces import HOST, Space, space_of

__all__ = ["ComponentSurvey", "Components"]

MOST_PER_PATCH = 6
_LEAST_STRENGTH = 3.0
_QUIET_SHARE = 0.25


@dataclass(frozen=True, eq=False)
class Components:
    """The patches that have components, in groups of neighbours.

    Courses of a group are (n, patches * K) side by side. A product with a matrix that holds zeros
    where patches do not reach takes the host less time than one for each patch, and it does without
    the courses of components that a patch does not have.

    Parameters
    ----------
    grid : PatchGrid
    groups : list of Group
    loadings : list of array, (patches, cells, K), float32
        For each group, its patches' components, orthonormal, the strongest first; zeros where a
        patch has fewer than the K of the richest in its group.
    reference : array, (Y, X), float32, padded
        The image from which courses count, near the mean.
    """

    grid: PatchGrid
    groups: Sequence[Any]
    loadings: Sequence[Any]
    reference: Any

    @property
    def space(self) -> Space:
        """Where they are, and so the frames."""
        return space_of(self.reference)

    def deviations(self, frames: Any) -> Any:
        """Frames (n, Y, X) less the reference, in cells."""
        return self.grid.deviations(frames, self.reference)

    def courses(self, deviations: Any, index: int) -> Any:
        """What the components of a group show: (n, patches * K)."""
        return self.groups[index].cells.cut(deviations) @ self._maps[index]

    def present_courses(self, deviations: Any, index: int) -> Any:
        """Those of components that the patches have, alone, (n, N)."""
        return self.groups[index].cells.cut(deviations) @ self._present_maps[index]

    def present(self, courses: Any, index: int) -> Any:
        """The same of courses (patches, n, K) of a group."""
        side_by_side = courses.transpose(1, 0, 2).reshape(courses.shape[1], -1)
        return side_by_side[:, self._is_present(index)]

    def correlated(self, turned: Any, frames: Any, index: int) -> Any:
        """Courses (patches, K, n) of a group times frames: (patches, K, pixels of a patch)."""
        pixels, (n_patches, n_courses, n_frames) = self.groups[index].pixels, turned.shape
        products = turned.reshape(-1, n_frames) @ pixels.cut(frames)
        return pixels.gather(products.reshape(n_patches, n_courses, -1))

    def placed(self, constant: Any, images: Sequence[Any], index: int) -> Any:
        """Images of a group's patches for `add`: of a constant, (patches, 1, pixels), and of some
        sets of present courses, each (patches, K, pixels)."""
        spread, present = self.groups[index].pixels.spread, self._is_present(index)
        constants = spread(constant).sum(axis=0, keepdims=True)
        return np.concatenate([constants, *(spread(x)[present] for x in images)])

    def lined_up(self, courses: Sequence[Any], index: int) -> Any:
        """Sets of present courses, each (n, N), and constants, (n, 1), for `add`."""
        return np.concatenate(courses, axis=1)

    def add(self, courses: Callable[[int], Any], images: Sequence[Any], out: Any) -> None:
        """Add to frames ``out``, for each group, its courses times its images."""

        def add_row(row: int) -> None:
            for index in self._rows[row]:
                pixels = self.groups[index].pixels
                added = (courses(index) @ images[index]).reshape(len(out), *pixels.size)
                target = out[pixels.slices]
                target += added[:, : target.shape[1], : target.shape[2]]

        over_rows(add_row, len(self._rows))

    def images(self, index: int) -> Any:
        """The components of a group as images of unit norm: (patches, K, pixels of a patch)."""
        xp, cell, (height, width) = self.space.xp, self.grid.cell, self.grid.size
        loadings = xp.permute_dims(self.loadings[index], (0, 2, 1)) / cell
        lead = loadings.shape[:2]
        cells = xp.reshape(loadings, (*lead, height // cell, 1, width // cell, 1))
        pixels = xp.broadcast_to(cells, (*lead, height // cell, cell, width // cell, cell))
        return xp.reshape(pixels, (*lead, -1))

    def seen_in(self, patches: Any, index: int) -> Any:
        """What the components show of patches (patches, n, pixels): (patches, n, K)."""
        xp, (n_patches, n_images, _) = self.space.xp, patches.shape
        cells = self.grid.binned(xp.reshape(patches, (-1, *self.grid.size)))
        return xp.reshape(cells, (n_patches, n_images, -1)) @ self.loadings[index]

    def _is_present(self, index: int) -> NDArray[np.bool_]:
        """Which courses of a group are of a component that its patch has, (patches * K,)."""
        present: NDArray[np.bool_] = self.loadings[index].any(axis=1).ravel()
        return present

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
            np.ascontiguousarray(whole[:, self._is_present(index)])
            for index, whole in enumerate(self._maps)
        ]

    @cached_property
    def _rows(self) -> list[list[int]]:
        """Which groups lie in each row of patches."""
        rows: list[list[int]] = [[] for _ in self.grid.starts[0]]
        for index, group in enumerate(self.groups):
            rows[group.row].append(index)
        return rows


class _GatheredComponents(Components):
    """The same on a device: patches are gathered, and worked on in one product for each group."""

    def courses(self, deviations: Any, index: int) -> Any:
        seen = self.groups[index].cells.patches(deviations) @ self.loadings[index]
        return self.present(seen, index)

    def present_courses(self, deviations: Any, index: int) -> Any:
        return self.courses(deviations, index)

    def present(self, courses: Any, index: int) -> Any:
        xp = self.space.xp
        return xp.reshape(xp.permute_dims(courses, (1, 0, 2)), (courses.shape[1], -1))

    def correlated(self, turned: Any, frames: Any, index: int) -> Any:
        return turned @ self.groups[index].pixels.patches(frames)

    def placed(self, constant: Any, images: Sequence[Any], index: int) -> Any:
        return self.space.floats(self.space.xp.concat([constant, *images], axis=1))

    def lined_up(self, courses: Sequence[Any], index: int) -> Any:
        xp, n_patches = self.space.xp, self.loadings[index].shape[0]
        sets = [
            xp.broadcast_to(x[:, :, None], (x.shape[0], n_patches, 1))
            if x.shape[1] == 1
            else xp.reshape(x, (x.shape[0], n_patches, -1))
            for x in courses
        ]
        return xp.permute_dims(xp.concat(sets, axis=2), (1, 0, 2))

    def add(self, courses: Callable[[int], Any], images: Sequence[Any], out: Any) -> None:
        if images:
            added = [courses(index) @ image for index, image in enumerate(images)]
            self._overlap_add(added, out)

    @cached_property
    def _overlap_add(self) -> Callable[[list[Any], Any], None]:
        return overlap_add(self.space, self.grid, self.groups)


class ComponentSurvey:
    """Adds up the covariance of a denoised recording's cells, patch by patch, over some frames."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.grid = PatchGrid(shape)
        self.space: Space = HOST
        self._groups: Sequence[Group | GatheredGroup] = []
        self._products: list[Any] = []
        self._sums: list[Any] = []
        self._n_frames = 0
        self._reference: Any = None

    def add(self, denoised: Any) -> None:
        """Add frames (n, Y, X); values that are not finite count as the average."""
        space, n_frames = space_of(denoised), denoised.shape[0]
        if self._reference is None:
            self._begin(space)
        step = self.grid.cell**2 * space.few_frames(math.prod(self.grid.shape))
        for first in range(0, n_frames, step):
            self._add(space.floats(denoised[first : min(first + step, n_frames), ...]))

    def _begin(self, space: Space) -> None:
        """Take memory where the recording is."""
        rows, columns = (len(starts) for starts in self.grid.starts)
        groups = self.grid.groups([np.arange(columns)] * rows)
        self.space = space
        self._groups = groups if space.is_host else [gathered(space, self.grid, groups)]
        n_patches, n_cells = [group.where[1].size for group in self._groups], self.grid.n_cells
        self._products = [space.zeros((n, n_cells, n_cells), space.xp.float32) for n in n_patches]
        self._sums = [space.zeros((n, n_cells), space.real) for n in n_patches]

    def _add(self, frames: Any) -> None:
        xp = self.space.xp
        if self._reference is None:
            with np.errstate(invalid="ignore"):
                self._reference = zero_where_unknown(xp.mean(self.grid.pad(frames), axis=0))
        deviations = self.grid.deviations(frames, self._reference)

        def add_group(index: int) -> None:
            cells = self._groups[index].cells.patches(deviations)
            self._products[index] += xp.matrix_transpose(cells) @ cells
            self._sums[index] += xp.sum(cells, axis=1)

        self.space.over_items(add_group, range(len(self._groups)))
        self._n_frames += frames.shape[0]

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
            is_strong = strong[group.where]
            n_kept = is_strong.sum(axis=1).max()
            own = np.where(is_strong[:, None], loadings[group.where], 0)
            kept.append(own[..., :n_kept].astype(np.float32))
        reference = scale.apply(self._reference)
        if self.space.is_host:
            return Components(self.grid, groups, kept, reference)
        together = _equally_rich(kept)
        return _GatheredComponents(
            self.grid,
            [gathered(self.space, self.grid, [groups[i] for i in some]) for some in together],
            [self.space.array(np.concatenate([kept[i] for i in some])) for some in together],
            reference,
        )

    def _strongest(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Variances (rows, columns, K) and loadings (rows, columns, cells, K)."""
        space, n_cells = self.space, self.grid.n_cells
        n_kept = min(MOST_PER_PATCH, n_cells)
        shape = tuple(len(starts) for starts in self.grid.starts)
        strengths = np.zeros((*shape, n_kept), np.float32)
        loadings = np.zeros((*shape, n_cells, n_kept), np.float32)

        def solve_group(index: int) -> None:
            mean = self._sums[index] / max(1, self._n_frames)
            covariance = self._products[index] / max(1, self._n_frames)
            covariance -= space.floats(mean[:, :, None] * mean[:, None, :])
            values, vectors = space.eigh(covariance)
            where = self._groups[index].where
            strengths[where] = space.host(values[:, n_cells - n_kept :])[:, ::-1]
            loadings[where] = space.host(vectors[:, :, n_cells - n_kept :])[:, :, ::-1]

        space.over_items(solve_group, range(len(self._groups)))
        return strengths, loadings


def _equally_rich(loadings: Sequence[NDArray[np.float32]]) -> list[list[int]]:
    """Groups of equally many components per patch."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for index, own in enumerate(loadings):
        found[own.shape[2]].append(index)
    return list(found.values())
