"""The tissue in one focal plane: vessels, neuropil, somata, processes, cells out of focus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import gaussian_filter

__all__ = ["Anatomy", "Patch", "draw_anatomy"]

STEP_PX = 0.5
PSF_SIGMA_UM = 0.45
FREE_PROCESSES_PER_MM2 = 1500
MESH_FIBRES_PER_MM2 = 40_000
CAPILLARIES_PER_MM2 = 90
DEFOCUSED_PER_CELL = 0.8

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Patch:
    """A small image and where its first pixel lies on the tissue."""

    top: int
    left: int
    image: NDArray[Any]


@dataclass(frozen=True)
class Anatomy:
    """Everything that does not change over time, on the tissue's pixels (height, width).

    Attributes
    ----------
    neuropil : (height, width) float32
        Resting light of the background.
    cells, defocused, processes : list of Patch
        Resting light of each cell in focus (with its dendrites), of each cell out of focus and
        of each process whose soma is out of view.
    somata : list of Patch
        Outlines of the cells in focus, the nucleus included; boolean images.
    """

    neuropil: Image
    cells: list[Patch]
    somata: list[Patch]
    defocused: list[Patch]
    processes: list[Patch]

    def light(self) -> sparse.csr_array:
        """Resting light (components, height * width): cells, defocused cells, processes."""
        patches = [*self.cells, *self.defocused, *self.processes]
        return _stack(patches, self.neuropil.shape)

    def soma_masks(self) -> sparse.csr_array:
        """Outlines of the cells in focus (cells, height * width), boolean."""
        return _stack(self.somata, self.neuropil.shape).astype(bool)


def draw_anatomy(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    pixel_size_um: float,
    soma_diameter_um: float,
    cell_density_per_mm2: float,
) -> Anatomy:
    """Draw the tissue on (height, width) pixels; resting neuropil has a mean of about one."""
    area_mm2 = shape[0] * shape[1] * (pixel_size_um / 1000) ** 2
    psf_px = float(np.hypot(PSF_SIGMA_UM / pixel_size_um, 0.3))
    artist = _Artist(rng, shape, pixel_size_um, psf_px)

    transmission = artist.vessels(area_mm2)
    radii = 0.5 * soma_diameter_um / pixel_size_um
    centres = artist.scatter(
        rng.poisson(cell_density_per_mm2 * area_mm2), transmission, 2.1 * radii
    )
    shade = transmission * artist.illumination()
    neuropil = artist.neuropil(area_mm2) * shade

    cells, somata = [], []
    for centre in centres:
        soma, outline = artist.soma(centre, radii * rng.lognormal(0, 0.12))
        dendrites = artist.dendrites(centre, radii)
        brightness = 1.8 * rng.lognormal(0, 0.4)
        _fade(neuropil, outline, psf_px)
        cells.append(_shaded(_merge(soma, dendrites), brightness, shade))
        somata.append(outline)

    defocused = [
        _shaded(artist.defocused_soma(radii), 0.8 * rng.lognormal(0, 0.5), shade)
        for _ in range(rng.poisson(DEFOCUSED_PER_CELL * len(cells)))
    ]
    processes = [
        _shaded(artist.process(), 0.3 * rng.lognormal(0, 0.6), shade)
        for _ in range(rng.poisson(FREE_PROCESSES_PER_MM2 * area_mm2))
    ]
    return Anatomy(neuropil, cells, somata, defocused, processes)


class _Artist:
    """Draws single structures; holds what they share: generator, canvas, scale, sharpness."""

    def __init__(
        self,
        rng: np.random.Generator,
        shape: tuple[int, int],
        pixel_size_um: float,
        psf_px: float,
    ) -> None:
        self.rng = rng
        self.shape = shape
        self.um = 1 / pixel_size_um
        self.psf_px = psf_px

    def scatter(self, n: int, transmission: Image, spacing: float) -> NDArray[np.float64]:
        """Up to n centres that keep their distance from each other and from vessels."""
        chosen = np.empty((n, 2))
        found = 0
        for centre in self.rng.uniform(0, self.shape, (20 * n, 2)):
            if found == n:
                break
            apart = np.hypot(*(chosen[:found] - centre).T).min(initial=np.inf) > spacing
            if apart and transmission[int(centre[0]), int(centre[1])] > 0.8:
                chosen[found] = centre
                found += 1
        return chosen[:found]

    def illumination(self) -> Image:
        """Slow unevenness of excitation and expression."""
        return np.asarray(np.exp(0.18 * self._grain(60 * self.um)), np.float32)

    def vessels(self, area_mm2: float) -> Image:
        """Transmission (height, width): 1 in tissue, near 0 in a vessel."""
        shadow = np.zeros(self.shape, np.float32)
        for _ in range(1 + self.rng.poisson(4 * area_mm2)):
            side = int(self.rng.integers(4))
            along = self.rng.uniform(0.15, 0.85)
            edge = np.array([[0.0, along], [along, 1.0], [1.0, along], [along, 0.0]])[side]
            heading = np.pi / 2 * (side + 1) + self.rng.normal(0, 0.4)
            radius = self.rng.uniform(3.5, 8.0) * self.um
            self._grow_vessel(shadow, edge * (np.array(self.shape) - 1), heading, radius)
        for _ in range(self.rng.poisson(CAPILLARIES_PER_MM2 * area_mm2)):
            centre = self.rng.uniform(0, self.shape)
            _stamp_disc(shadow, centre, self.rng.uniform(1.5, 3.5) * self.um)
        return np.asarray(1 - 0.88 * gaussian_filter(shadow, 1.2 * self.psf_px), np.float32)

    def _grow_vessel(
        self, shadow: Image, point: NDArray[np.float64], heading: float, radius: float
    ) -> None:
        bend = 0.0
        while radius > 1.6 * self.um and np.all(
            (point > -radius) & (point < np.add(self.shape, radius))
        ):
            _stamp_disc(shadow, point, radius)
            radius *= 1 - 0.001 / self.um
            bend = 0.9 * bend + self.rng.normal(0, 0.012)
            heading += bend
            point = point + np.array([np.sin(heading), np.cos(heading)])
            if self.rng.random() < 0.008 / self.um:
                turn = self.rng.choice([-1, 1]) * self.rng.uniform(0.5, 1.1)
                self._grow_vessel(shadow, point, heading + turn, 0.6 * radius)
                radius *= 0.88

    def neuropil(self, area_mm2: float) -> Image:
        """A felt of fine fibres over a granular haze, mean about one."""
        n_fibres = self.rng.poisson(MESH_FIBRES_PER_MM2 * area_mm2)
        points = self._walk(
            self.rng.uniform(0, self.shape, (n_fibres, 2)), length_um=12.0, stiffness=0.25
        )
        weights = self.rng.lognormal(0, 0.8, n_fibres)[:, None] * np.ones(points.shape[1])
        mesh = gaussian_filter(_splat(points, weights, self.shape), self.psf_px)
        grain = np.exp(0.12 * self._grain(self.psf_px) + 0.15 * self._grain(4 * self.um))
        return np.asarray((0.83 + 0.17 * mesh / mesh.mean()) * grain, np.float32)

    def soma(self, centre: NDArray[np.float64], radius: float) -> tuple[Patch, Patch]:
        """Light of one soma, about one at its brightest, and its filled outline.

        The focal plane cuts a ball at some depth, and the dark nucleus within it.
        """
        reach = int(np.ceil(1.7 * radius + 4 * self.psf_px + 2))
        top, left = (int(c) - reach for c in centre)
        rows, columns = np.mgrid[: 2 * reach + 1, : 2 * reach + 1].astype(np.float32)
        dy, dx = rows + top - centre[0], columns + left - centre[1]
        depth, nucleus_share = self.rng.uniform(0, 0.75), self.rng.uniform(0.55, 0.75)
        outer = self._blob(dy, dx, radius * np.sqrt(1 - depth**2))
        off = 0.1 * radius * self.rng.standard_normal(2)
        nucleus_radius = radius * np.sqrt(max(nucleus_share**2 - depth**2, 0))
        inner = self._blob(dy - off[0], dx - off[1], nucleus_radius)
        filled = self.rng.random() < 0.08
        nucleus = 0.3 if filled else self.rng.uniform(0.75, 0.98)
        grain = np.exp(0.25 * _unit(gaussian_filter(self._noise(outer.shape), self.psf_px)))
        light = gaussian_filter(outer * (1 - nucleus * inner) * grain, self.psf_px)
        return Patch(top, left, light.astype(np.float32)), Patch(top, left, outer > 0.5)

    def _blob(self, dy: Image, dx: Image, radius: float) -> Image:
        """A rounded, slightly irregular disc with an edge one pixel soft."""
        angle = np.arctan2(dy, dx)
        bumps = self.rng.normal(0, [0.09, 0.05, 0.03])
        phases = self.rng.uniform(0, 2 * np.pi, 3)
        contour = 1 + sum(
            b * np.cos(k * angle + p) for k, b, p in zip((2, 3, 4), bumps, phases, strict=True)
        )
        return np.asarray(np.clip(radius * contour - np.hypot(dy, dx) + 0.5, 0, 1), np.float32)

    def dendrites(self, centre: NDArray[np.float64], radius: float) -> list[Patch]:
        """The proximal dendrites that stay in the focal plane."""
        headings = self.rng.uniform(0, 2 * np.pi, self.rng.integers(1, 5))
        roots = centre + 0.95 * radius * np.stack([np.sin(headings), np.cos(headings)], 1)
        return [
            self._fibre(root, heading, self.rng.uniform(10, 45), taper=True)
            for root, heading in zip(roots, headings, strict=True)
        ]

    def process(self) -> Patch:
        """A stretch of axon or dendrite that passes through the focal plane."""
        start = self.rng.uniform(0, self.shape)
        heading = self.rng.uniform(0, 2 * np.pi)
        return self._fibre(start, heading, self.rng.lognormal(3.6, 0.5), taper=False)

    def _fibre(
        self, start: NDArray[np.float64], heading: float, length_um: float, *, taper: bool
    ) -> Patch:
        path = self._walk(start[None], length_um=length_um, stiffness=0.06, heading=heading)[0]
        along = np.linspace(0, 1, len(path))
        focus = (1 - along) ** 0.7 if taper else np.sin(np.pi * along) ** 0.5
        varicose = np.exp(0.35 * _unit(gaussian_filter(self._noise((len(path),)), 3)))
        light = focus * varicose
        n_boutons = self.rng.poisson(length_um / 7)
        light[self.rng.integers(0, len(path), n_boutons)] += self.rng.uniform(1, 5, n_boutons)
        width_px = float(np.hypot(self.psf_px, self.rng.uniform(0.1, 0.5) * self.um))
        return _line(path, light * STEP_PX, width_px)

    def _walk(
        self,
        starts: NDArray[np.float64],
        *,
        length_um: float,
        stiffness: float,
        heading: float | None = None,
    ) -> NDArray[np.float64]:
        """Curved paths (n, steps, 2) from starts (n, 2)."""
        steps = max(4, int(length_um * self.um / STEP_PX))
        bend = gaussian_filter(self._noise((len(starts), steps)), (0, 4))
        turns = stiffness * np.cumsum(bend, axis=1)
        first = self.rng.uniform(0, 2 * np.pi, (len(starts), 1)) if heading is None else heading
        angles = first + turns
        moves = STEP_PX * np.stack([np.sin(angles), np.cos(angles)], axis=-1)
        return starts[:, None] + np.cumsum(moves, axis=1)

    def defocused_soma(self, radius: float) -> Patch:
        """A cell above or below the focal plane: a soft blob."""
        centre = self.rng.uniform(0, self.shape)
        blur = self.rng.uniform(0.6, 1.3) * radius
        reach = int(np.ceil(3 * np.hypot(blur, 0.6 * radius)))
        top, left = (int(c) - reach for c in centre)
        rows, columns = np.mgrid[: 2 * reach + 1, : 2 * reach + 1].astype(np.float32)
        squared = (rows + top - centre[0]) ** 2 + (columns + left - centre[1]) ** 2
        variance = blur**2 + (0.6 * radius) ** 2
        light = (0.6 * radius) ** 2 / variance * np.exp(-squared / (2 * variance))
        return Patch(top, left, np.asarray(light, np.float32))

    def _grain(self, sigma_px: float) -> Image:
        """Smooth noise over the tissue, zero mean and unit variance."""
        return _unit(gaussian_filter(self._noise(self.shape), sigma_px, mode="wrap"))

    def _noise(self, shape: tuple[int, ...]) -> Image:
        return self.rng.standard_normal(shape, np.float32)


def _unit(noise: Image) -> Image:
    return np.asarray((noise - noise.mean()) / (noise.std() + np.float32(1e-12)), np.float32)


def _stamp_disc(image: Image, centre: NDArray[np.float64], radius: float) -> None:
    """Raise the image to one within the radius, with an edge one pixel soft."""
    low = np.maximum(np.floor(centre - radius - 1).astype(int), 0)
    high = np.maximum(np.ceil(centre + radius + 2).astype(int), 0)
    window = image[low[0] : high[0], low[1] : high[1]]
    rows, columns = np.ogrid[: window.shape[0], : window.shape[1]]
    distance = np.hypot(rows + low[0] - centre[0], columns + low[1] - centre[1])
    np.maximum(window, np.clip(radius - distance + 0.5, 0, 1), out=window, casting="same_kind")


def _splat(
    points: NDArray[np.float64], weights: NDArray[np.float64], shape: tuple[int, int]
) -> Image:
    """Weighted points (..., 2) shared out between their four nearest pixels."""
    points, weights = points.reshape(-1, 2), weights.reshape(-1)
    corner = np.floor(points).astype(np.intp)
    part = points - corner
    total = np.zeros(shape[0] * shape[1])
    for down in (0, 1):
        for right in (0, 1):
            row, column = corner[:, 0] + down, corner[:, 1] + right
            share = np.abs(1 - down - part[:, 0]) * np.abs(1 - right - part[:, 1])
            inside = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
            flat = row[inside] * shape[1] + column[inside]
            total += np.bincount(flat, (weights * share)[inside], minlength=len(total))
    return np.asarray(total.reshape(shape), np.float32)


def _line(path: NDArray[np.float64], weights: NDArray[np.float64], width_px: float) -> Patch:
    """A blurred line whose peak is about the weight per pixel of length."""
    reach = int(np.ceil(4 * width_px)) + 1
    low = np.floor(path.min(axis=0)).astype(int) - reach
    high = np.ceil(path.max(axis=0)).astype(int) + reach + 1
    drawn = _splat(path - low, weights, (int(high[0] - low[0]), int(high[1] - low[1])))
    light = gaussian_filter(drawn, width_px) * np.float32(width_px * np.sqrt(2 * np.pi))
    light[light < 1e-3 * light.max()] = 0
    return Patch(int(low[0]), int(low[1]), light)


def _fade(neuropil: Image, outline: Patch, psf_px: float) -> None:
    """Most of the neuropil's light gives way where a soma lies."""
    window, part = _overlap(outline, neuropil.shape)
    cover = gaussian_filter(outline.image.astype(np.float32), psf_px)
    neuropil[window] *= 1 - 0.65 * cover[part]


def _merge(soma: Patch, dendrites: list[Patch]) -> Patch:
    """One patch with the light of a soma and its dendrites."""
    parts = [soma, *dendrites]
    top, left = min(p.top for p in parts), min(p.left for p in parts)
    bottom = max(p.top + p.image.shape[0] for p in parts)
    right = max(p.left + p.image.shape[1] for p in parts)
    merged = np.zeros((bottom - top, right - left), np.float32)
    for part in parts:
        rows, columns = part.image.shape
        y, x = part.top - top, part.left - left
        scale = 1.0 if part is soma else 0.45
        merged[y : y + rows, x : x + columns] += np.float32(scale) * part.image
    return Patch(top, left, merged)


def _shaded(patch: Patch, brightness: float, shade: Image) -> Patch:
    """The patch cut to the tissue and dimmed by vessels and illumination."""
    window, part = _overlap(patch, shade.shape)
    image = np.float32(brightness) * patch.image[part] * shade[window]
    return Patch(window[0].start, window[1].start, image)


def _overlap(
    patch: Patch, shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a patch lies on the tissue, and which part of the patch that is."""
    window, part = [], []
    for start, size, limit in zip((patch.top, patch.left), patch.image.shape, shape, strict=True):
        low = min(max(start, 0), limit)
        high = max(min(start + size, limit), low)
        window.append(slice(low, high))
        part.append(slice(low - start, high - start))
    return (window[0], window[1]), (part[0], part[1])


def _stack(patches: list[Patch], shape: tuple[int, ...]) -> sparse.csr_array:
    """Patches as the rows of one sparse matrix (patches, height * width)."""
    flat = np.arange(shape[0] * shape[1], dtype=np.int32).reshape(shape)
    columns, values, counts = [], [], [0]
    for patch in patches:
        window, part = _overlap(patch, shape)
        image = patch.image[part]
        lit = image != 0
        columns.append(flat[window][lit])
        values.append(image[lit].astype(np.float32))
        counts.append(len(values[-1]))
    empty = np.empty(0, np.float32)
    return sparse.csr_array(
        (
            np.concatenate([empty, *values]),
            np.concatenate([empty.astype(np.int32), *columns]),
            np.cumsum(counts),
        ),
        shape=(len(patches), flat.size),
    )
