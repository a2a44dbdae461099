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
from freq2clean.simulation.anatomy import draw_anatomy
from freq2clean.simulation.detector import Detector
from freq2clean.simulation.motion import draw_shifts, margin_for
from freq2clean.simulation.options import check_options
from freq2clean.simulation.tissue import (
    Tissue,
    bleaching_curve,
    light_moments,
    neuropil_response,
    view_pixels,
)

__all__ = ["SimulatedRecording", "simulate"]

ANATOMY, SPIKES, RESPONSE, NEUROPIL, MOTION, NOISE = range(6)
WARM_UP_DECAYS = 6
DFF_PER_SPIKE = 0.85


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
    offset: float = 20.0,
    read_noise: float = 5.0,
    bleed: float = 0.0,
) -> SimulatedRecording:
    """Simulate a recording of neurons, inspired by two-photon calcium imaging.

    Somata with dark nuclei, dendrites and axons, neuropil that fluctuates slowly and partly in
    common, vessels, cells out of focus; spikes in bursts through a double-exponential indicator;
    photon noise. Frames are made when they are read; only the traces are held, some 5 kB per frame
    for 512 x 512 pixels.

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
        Diameter of a typical soma in micrometres; the focal plane cuts each at another depth.
    cell_density_per_mm2 : float
        Cells in focus per square millimetre.
    rise_s, decay_s : float
        Time constants of the indicator in seconds.
    bleaching : float
        Share of the light that is lost by the last frame, in [0, 0.99].
    drift_px : float
        Distance that the tissue moves from the first frame to the last, in pixels; steady, in a
        direction that the seed gives.
    jitter_px : float
        Standard deviation of the motion from frame to frame, per axis, in pixels.
    gain : float
        Counts per photon.
    offset : float
        Counts without light; at least four times the read noise and, with bleed, a fifth
        of ``gain * bleed``, lest noise be clipped.
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
    check_options(shape, seed, options)
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
    light, outlines = anatomy.light(), anatomy.soma_masks()
    spikes, dff = _cell_activity(
        seed, light.shape[0], n_frames, rise_s=rise_s, decay_s=decay_s, frame_rate_hz=frame_rate_hz
    )
    haze, grid = neuropil_response(anatomy.neuropil, pixel_size_um)
    haze_activity = draw_neuropil_activity(
        _generator(seed, NEUROPIL), grid, n_frames, frame_rate_hz=frame_rate_hz
    )
    unlit = Tissue(
        padded,
        margin,
        resting=anatomy.neuropil.reshape(-1) + light.sum(axis=0, dtype=np.float32),
        response=sparse.csr_array(sparse.hstack([light.T, haze]), dtype=np.float32),
        activity=np.ascontiguousarray(np.concatenate([dff, haze_activity]).T),
        brightness=bleaching_curve(n_frames, bleaching),
        shifts_px=shifts,
    )
    tissue, photons_per_pixel = _illuminate(unlit, detector, snr_db)
    inside = view_pixels(padded, margin)
    visible = _mostly_inside(outlines, inside)
    metadata = Metadata(
        frame_rate_hz,
        (pixel_size_um, pixel_size_um),
        {"simulated": {"shape": [*map(int, shape)], "seed": int(seed), **options}},
    )
    return SimulatedRecording(
        raw=_Raw(tissue, detector, metadata, seed=seed),
        truth=_Truth(tissue, detector, metadata),
        footprints=light[visible][:, inside],
        labels=_labels(outlines[visible][:, inside], view_shape),
        traces=dff[visible],
        spikes=spikes[visible],
        shifts_px=shifts,
        photons_per_pixel=photons_per_pixel,
    )


def _illuminate(tissue: Tissue, detector: Detector, snr_db: float) -> tuple[Tissue, float]:
    """The tissue with as much light as the SNR needs, and the mean photons per pixel."""
    if not tissue.shifts_px.any():
        tissue = tissue.cropped()
    mean, mean_square, brightest = light_moments(tissue)
    scale = detector.brightness_for(snr_db, mean=mean, mean_square=mean_square)
    counts = detector.gain * (scale * brightest + 6 * np.sqrt(scale * brightest)) + detector.offset
    if counts > 65535:
        raise InputError(
            f"gain={detector.gain}: at snr_db={snr_db} the brightest pixels may reach "
            f"{counts:.0f} counts, and 16 bits hold 65535; divide the gain by "
            f"{counts / 60_000:.2g} or more"
        )
    return replace(tissue, brightness=np.float32(scale) * tissue.brightness), scale * mean


def _cell_activity(
    seed: int, n_cells: int, n_frames: int, *, rise_s: float, decay_s: float, frame_rate_hz: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Spikes and dF/F (n_cells, n_frames), in full swing from the first frame on."""
    warm_up = int(np.ceil(WARM_UP_DECAYS * decay_s * frame_rate_hz))
    spikes = draw_spikes(
        _generator(seed, SPIKES), n_cells, warm_up + n_frames, frame_rate_hz=frame_rate_hz
    )
    response = indicator_response(
        spikes, rise_s=rise_s, decay_s=decay_s, frame_rate_hz=frame_rate_hz
    )
    dff_per_spike = DFF_PER_SPIKE * _generator(seed, RESPONSE).lognormal(0, 0.5, (n_cells, 1))
    response *= dff_per_spike.astype(np.float32)
    return spikes[:, warm_up:], response[:, warm_up:]


def _generator(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


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
