"""What emits light in each frame: resting light, activity, bleaching, motion."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from freq2clean.simulation.motion import view

__all__ = ["Tissue", "bleaching_curve", "light_moments", "neuropil_response", "view_pixels"]

NEUROPIL_GRID_UM = 40.0
SNR_FRAMES = 48


@dataclass(frozen=True, eq=False)
class Tissue:
    """What emits light: ``photons[t] = brightness[t] * (resting + response @ activity[t])``.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns, the margin around the field of view included.
    margin : int
        Pixels of tissue around the field of view, on each side.
    resting : (pixels,) float32
    response : sparse (pixels, components) float32
        Light of each component at an activity of one.
    activity : (T, components) float32
    brightness : (T,) float32
        Photons per unit of light, falling with bleaching.
    shifts_px : (T, 2) float64
    """

    shape: tuple[int, int]
    margin: int
    resting: NDArray[np.float32]
    response: sparse.csr_array
    activity: NDArray[np.float32]
    brightness: NDArray[np.float32]
    shifts_px: NDArray[np.float64]

    def photons(self, frame: int) -> NDArray[np.float32]:
        """Expected photons (Y, X) in one frame; the same however frames are asked for."""
        light = self.resting + self.response @ self.activity[frame]
        moved = view(light.reshape(self.shape), self.shifts_px[frame], self.margin)
        return np.asarray(self.brightness[frame] * moved)

    @property
    def view_shape(self) -> tuple[int, int]:
        return self.shape[0] - 2 * self.margin, self.shape[1] - 2 * self.margin

    def cropped(self) -> Tissue:
        """The field of view alone, at rest."""
        inside = view_pixels(self.shape, self.margin)
        return replace(
            self,
            shape=self.view_shape,
            margin=0,
            resting=self.resting[inside],
            response=self.response[inside],
            shifts_px=np.zeros_like(self.shifts_px),
        )


def neuropil_response(
    neuropil: NDArray[np.float32], pixel_size_um: float
) -> tuple[sparse.csr_array, tuple[int, int]]:
    """Neuropil shared out among the points of a coarse grid (pixels, points), linearly."""
    hats = []
    for size in neuropil.shape:
        knots = np.linspace(0, size - 1, 2 + int(size * pixel_size_um / NEUROPIL_GRID_UM))
        pixels = np.arange(size)[:, None]
        hats.append(np.maximum(1 - np.abs(pixels - knots) / max(knots[1], 1), 0))
    spread = sparse.kron(*(sparse.csr_array(h) for h in hats), format="csr")
    response = sparse.diags_array(neuropil.reshape(-1)) @ spread
    return sparse.csr_array(response), (hats[0].shape[1], hats[1].shape[1])


def bleaching_curve(n_frames: int, bleaching: float) -> NDArray[np.float32]:
    """Exponential decay from 1 to ``1 - bleaching``."""
    return ((1 - bleaching) ** np.linspace(0, 1, n_frames)).astype(np.float32)


def view_pixels(shape: tuple[int, int], margin: int) -> NDArray[np.int64]:
    """Flat indices of the field of view in the tissue."""
    index = np.arange(shape[0] * shape[1]).reshape(shape)
    return index[margin : shape[0] - margin, margin : shape[1] - margin].reshape(-1)


def light_moments(tissue: Tissue) -> tuple[float, float, float]:
    """Mean and mean square of the light over the recording, and a bound on its maximum.

    Without motion both follow from the Gram matrix of the components, with no frame rendered;
    motion moves light over the edges, and its effect is measured on frames spread evenly.
    """
    still = tissue.cropped()
    response, resting = still.response.astype(np.float64), still.resting.astype(np.float64)
    gram = sparse.csr_array(response.T @ response)
    sums, products = response.sum(axis=0), response.T @ resting
    mean = mean_square = 0.0
    for start in range(0, len(still.activity), 1024):
        activity = still.activity[start : start + 1024].astype(np.float64)
        fade = still.brightness[start : start + 1024].astype(np.float64)
        energy = np.einsum("tk,kt->t", activity, gram @ activity.T)
        mean += float(fade @ (resting.sum() + activity @ sums))
        mean_square += float(fade**2 @ (resting @ resting + 2 * activity @ products + energy))
    size = len(still.activity) * len(resting)
    brightest = float(np.max(tissue.resting + tissue.response @ tissue.activity.max(axis=0)))
    if not tissue.shifts_px.any():
        return mean / size, mean_square / size, brightest
    n_frames = len(tissue.activity)
    frames = np.unique(np.linspace(0, n_frames - 1, SNR_FRAMES).round().astype(int))
    moved, fixed = (
        np.sum([_moments(t.photons(frame)) for frame in frames], axis=0) for t in (tissue, still)
    )
    return (
        mean / size * float(moved[0] / fixed[0]),
        mean_square / size * float(moved[1] / fixed[1]),
        brightest,
    )


def _moments(image: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.array([image.sum(dtype=np.float64), np.square(image, dtype=np.float64).sum()])
