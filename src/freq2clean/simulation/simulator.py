"""Seeded recordings with ground truth, inspired by two-photon calcium imaging."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from freq2clean.errors import InputError
from freq2clean.recordings.contract import Metadata, Recording
from freq2clean.simulation.activity import (
    draw_neuropil_activity,
    draw_spikes,
    indicator_response,
)
from freq2clean.simulation.anatomy import NEUROPIL_GRID_UM, Anatomy, draw_anatomy
from freq2clean.simulation.detector import Detector
from freq2clean.simulation.motion import draw_shifts, margin_for, view

__all__ = ["SimulatedRecording", "Tissue", "simulate"]

ANATOMY, SPIKES, RESPONSE, NEUROPIL, MOTION, NOISE = range(6)
WARM_UP_DECAYS = 6
SNR_FRAMES = 48
POSITIVE = (
    "frame_rate_hz", "pixel_size_um", "soma_diameter_um", "rise_s", "decay_s", "gain",
)  # fmt: skip
NOT_NEGATIVE = (
    "cell_density_per_mm2", "bleaching", "drift_px", "jitter_px", "offset", "read_noise", "bleed",
)  # fmt: skip


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
        inside = _view_pixels(self.shape, self.margin)
        return replace(
            self,
            shape=self.view_shape,
            margin=0,
            resting=self.resting[inside],
            response=self.response[inside],
            shifts_px=np.zeros_like(self.shifts_px),
        )


class _Truth(Recording):
    """The expected counts: no noise, in the units of the raw recording."""

    name = "simulated truth"
    dtype = np.dtype(np.float32)

    def __init__(self, tissue: Tissue, detector: Detector, metadata: Metadata) -> None:
        self.shape = (len(tissue.activity), *tissue.view_shape)
        self.metadata = metadata
        self._tissue = tissue
        self._detector = detector

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        frames = range(start, stop)
        return np.stack([self._detector.counts(self._tissue.photons(t)) for t in frames])


class _Raw(Recording):
    """What the detector writes; the noise of a frame hangs on the seed and its index alone."""

    name = "simulated raw"
    dtype = np.dtype(np.uint16)

    def __init__(
        self, tissue: Tissue, detector: Detector, metadata: Metadata, *, seed: int
    ) -> None:
        self.shape = (len(tissue.activity), *tissue.view_shape)
        self.metadata = metadata
        self._tissue = tissue
        self._detector = detector
        self._seed = seed

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        return np.stack(
            [
                self._detector.expose(_generator(self._seed, NOISE, t), self._tissue.photons(t))
                for t in range(start, stop)
            ]
        )


@dataclass(frozen=True, eq=False)
class SimulatedRecording:
    """A recording and all that is true of it.

    Attributes
    ----------
    raw : Recording (T, Y, X) uint16
        Counts, made lazily; any range of frames equals that range of the whole.
    truth : Recording (T, Y, X) float32
        Expected counts in the same units (gain and offset included): ``raw - truth`` is noise.
    footprints : sparse array (n_cells, Y * X) float32
        Resting light of each cell in focus, dendrites included, where nothing moves.
    labels : (Y, X) int32
        Somata where nothing moves, numbered from 1 in the order of `traces`; 0 elsewhere.
    traces : (n_cells, T) float32
        Relative change of fluorescence dF/F of each cell.
    spikes : (n_cells, T) uint8
        Spikes per frame.
    shifts_px : (T, 2) float64
        Displacement of the tissue, rows and columns.
    photons_per_pixel : float
        Mean expected photons per pixel and frame.
    """

    raw: Recording
    truth: Recording
    footprints: sparse.csr_array
    labels: NDArray[np.int32]
    traces: NDArray[np.float32]
    spikes: NDArray[np.uint8]
    shifts_px: NDArray[np.float64]
    photons_per_pixel: float

    @cached_property
    def masks(self) -> NDArray[np.bool_]:
        """Somata, nuclei included, one mask per cell (n_cells, Y, X)."""
        return np.asarray(self.labels == np.arange(1, len(self.traces) + 1)[:, None, None])


def simulate(
    shape: tuple[int, int, int] = (1500, 192, 192),
    *,
    seed: int,
    snr_db: float = -5.5,
    frame_rate_hz: float = 30.0,
    pixel_size_um: float = 1.0,
    soma_diameter_um: float = 12.0,
    cell_density_per_mm2: float = 1100.0,
    rise_s: float = 0.07,
    decay_s: float = 0.7,
    bleaching: float = 0.1,
    drift_px: float = 0.0,
    jitter_px: float = 0.0,
    gain: float = 100.0,
    offset: float = 200.0,
    read_noise: float = 10.0,
    bleed: float = 0.0,
) -> SimulatedRecording:
    """Simulate a recording of neurons, inspired by two-photon calcium imaging.

    Somata with dark nuclei, dendrites and axons, neuropil that fluctuates slowly and partly in
    common, vessels, cells out of focus; spikes in bursts through a double-exponential indicator;
    photon noise. Frames are made when they are read, so any length fits in memory.

    Parameters
    ----------
    shape : (int, int, int)
        Frames, rows, columns.
    seed : int
        The same seed and options give the same recording.
    snr_db : float
        ``10 log10(sum s^2 / sum n^2)``, s the signal in photons and n the noise.
    frame_rate_hz : float
        Frames per second.
    pixel_size_um : float
        Side of a pixel in micrometres.
    soma_diameter_um : float
        Mean diameter of a soma in micrometres.
    cell_density_per_mm2 : float
        Cells in focus per square millimetre.
    rise_s, decay_s : float
        Time constants of the indicator in seconds.
    bleaching : float
        Share of the light that is lost by the last frame, in [0, 1).
    drift_px : float
        Distance that the tissue moves from the first frame to the last, in pixels; steady, in a
        direction that the seed gives.
    jitter_px : float
        Standard deviation of the motion from frame to frame, per axis, in pixels.
    gain : float
        Counts per photon.
    offset : float
        Counts without light; at least four times the read noise, so that nothing is clipped.
    read_noise : float
        Standard deviation of the electronic noise in counts.
    bleed : float
        Share of each pixel's noise that reaches the next pixel of the row, in [0, 1].

    Returns
    -------
    SimulatedRecording

    Raises
    ------
    InputError
        Where an option is out of its range, or bright pixels would not fit 16 bits.

    Examples
    --------
    >>> recording = simulate((100, 64, 64), seed=1)
    >>> recording.raw[10:20].shape, recording.raw.dtype, recording.truth.dtype
    ((10, 64, 64), dtype('uint16'), dtype('float32'))
    """
    options = {key: value for key, value in locals().items() if key not in ("shape", "seed")}
    _check(shape, seed, options)
    n_frames, view_shape = shape[0], (shape[1], shape[2])
    detector = Detector(gain, offset, read_noise, bleed)

    shifts = draw_shifts(_generator(seed, MOTION), n_frames, drift_px=drift_px, jitter_px=jitter_px)
    margin = margin_for(shifts)
    padded = (view_shape[0] + 2 * margin, view_shape[1] + 2 * margin)
    anatomy = draw_anatomy(
        _generator(seed, ANATOMY),
        padded,
        pixel_size_um=pixel_size_um,
        soma_diameter_um=soma_diameter_um,
        cell_density_per_mm2=cell_density_per_mm2,
    )
    light = anatomy.light()
    spikes = draw_spikes(
        _generator(seed, SPIKES),
        light.shape[0],
        n_frames + (warm_up := int(np.ceil(WARM_UP_DECAYS * decay_s * frame_rate_hz))),
        frame_rate_hz=frame_rate_hz,
    )
    per_spike = _generator(seed, RESPONSE).lognormal(np.log(0.85), 0.5, (light.shape[0], 1))
    dff = per_spike.astype(np.float32) * indicator_response(
        spikes, rise_s=rise_s, decay_s=decay_s, frame_rate_hz=frame_rate_hz
    )
    spikes, dff = spikes[:, warm_up:], dff[:, warm_up:]
    haze, grid = _neuropil_response(anatomy, NEUROPIL_GRID_UM / pixel_size_um)
    haze_activity = draw_neuropil_activity(
        _generator(seed, NEUROPIL), grid, n_frames, frame_rate_hz=frame_rate_hz
    )
    resting = anatomy.neuropil.reshape(-1) + light.sum(axis=0)
    still = Tissue(
        padded,
        margin,
        resting.astype(np.float32),
        sparse.csr_array(sparse.hstack([light.T, haze]), dtype=np.float32),
        np.ascontiguousarray(np.concatenate([dff, haze_activity]).T),
        _bleaching_curve(n_frames, bleaching),
        shifts,
    )
    tissue = still if shifts.any() else still.cropped()
    mean, mean_square, brightest = _light_moments(tissue)
    scale = detector.brightness_for(snr_db, mean=mean, mean_square=mean_square)
    tissue = replace(tissue, brightness=np.float32(scale) * tissue.brightness)
    _check_range(detector, scale * brightest)

    inside = _view_pixels(padded, margin)
    outlines = anatomy.soma_masks()
    visible = _mostly_inside(outlines, inside)
    metadata = Metadata(
        frame_rate_hz,
        (pixel_size_um, pixel_size_um),
        {"simulated": {"shape": list(shape), "seed": seed, **options}},
    )
    return SimulatedRecording(
        raw=_Raw(tissue, detector, metadata, seed=seed),
        truth=_Truth(tissue, detector, metadata),
        footprints=light[visible][:, inside],
        labels=_labels(outlines[visible][:, inside], view_shape),
        traces=dff[visible],
        spikes=spikes[visible],
        shifts_px=shifts,
        photons_per_pixel=scale * mean,
    )


def _generator(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _check(shape: tuple[Any, ...], seed: Any, options: dict[str, float]) -> None:
    if len(shape) != 3 or not all(isinstance(n, (int, np.integer)) and n > 0 for n in shape):
        raise InputError(f"shape={shape}: must be three whole numbers above 0: (T, Y, X)")
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InputError(f"seed={seed}: must be a whole number, 0 or more")
    for name, value in options.items():
        if not np.isfinite(value):
            raise InputError(f"{name}={value}: must be a finite number")
    for name in POSITIVE:
        if options[name] <= 0:
            raise InputError(f"{name}={options[name]}: must be above 0")
    for name in NOT_NEGATIVE:
        if options[name] < 0:
            raise InputError(f"{name}={options[name]}: must be 0 or more")
    if not options["bleaching"] < 1:
        raise InputError(f"bleaching={options['bleaching']}: must be below 1, a share of the light")
    if options["bleed"] > 1:
        raise InputError(f"bleed={options['bleed']}: must be 1 or less, a share of the noise")
    if options["offset"] < 4 * options["read_noise"]:
        raise InputError(
            f"offset={options['offset']}: counts below 0 would be clipped; "
            f"use at least four times read_noise={options['read_noise']}"
        )


def _check_range(detector: Detector, photons: float) -> None:
    counts = detector.gain * (photons + 6 * np.sqrt(photons)) + detector.offset
    if counts > 65535:
        raise InputError(
            f"gain={detector.gain}: at this snr_db the brightest pixels may reach {counts:.0f} "
            f"counts, and 16 bits hold 65535; divide the gain by {counts / 60_000:.2g} or more"
        )


def _neuropil_response(
    anatomy: Anatomy, spacing_px: float
) -> tuple[sparse.csr_array, tuple[int, int]]:
    """Neuropil shared out among the points of a coarse grid (pixels, points), linearly."""
    hats = []
    for size in anatomy.neuropil.shape:
        knots = np.linspace(0, size - 1, 2 + int(size / spacing_px))
        pixels = np.arange(size)[:, None]
        hats.append(np.maximum(1 - np.abs(pixels - knots) / max(knots[1], 1), 0))
    spread = sparse.kron(*(sparse.csr_array(h) for h in hats), format="csr")
    response = sparse.diags_array(anatomy.neuropil.reshape(-1)) @ spread
    return sparse.csr_array(response), (hats[0].shape[1], hats[1].shape[1])


def _bleaching_curve(n_frames: int, bleaching: float) -> NDArray[np.float32]:
    """Exponential decay from 1 to ``1 - bleaching``."""
    return ((1 - bleaching) ** np.linspace(0, 1, n_frames)).astype(np.float32)


def _view_pixels(shape: tuple[int, int], margin: int) -> NDArray[np.int64]:
    """Flat indices of the field of view in the tissue."""
    index = np.arange(shape[0] * shape[1]).reshape(shape)
    return index[margin : shape[0] - margin, margin : shape[1] - margin].reshape(-1)


def _light_moments(tissue: Tissue) -> tuple[float, float, float]:
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


def _mostly_inside(outlines: sparse.csr_array, inside: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cells with at least half of their soma in the field of view."""
    area = outlines.sum(axis=1)
    return np.flatnonzero((area > 0) & (2 * outlines[:, inside].sum(axis=1) >= area))


def _labels(outlines: sparse.csr_array, shape: tuple[int, int]) -> NDArray[np.int32]:
    """Label image (Y, X); where somata overlap, the later cell lies on top."""
    labels = np.zeros(shape[0] * shape[1], np.int32)
    for cell in range(outlines.shape[0]):
        labels[outlines.indices[outlines.indptr[cell] : outlines.indptr[cell + 1]]] = cell + 1
    return labels.reshape(shape)
