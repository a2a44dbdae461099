"""Denoise a recording slab by slab, each in overlapping tiles of which the valid part is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from freq2clean.denoisers.contract import Frames, valid_frames
from freq2clean.denoisers.deepcad.devices import computing, device_of
from freq2clean.denoisers.deepcad.network import SIDE_MULTIPLE
from freq2clean.denoisers.deepcad.tiles import Slabs, Tile, Tiler, tiles_of
from freq2clean.denoisers.deepcad.units import Units, filled, measure
from freq2clean.fusion.survey import spread_runs

if TYPE_CHECKING:
    from freq2clean.denoisers.deepcad.denoiser import DeepCAD

__all__ = ["Reader", "Runner", "calibration"]

_CALIBRATION_RUNS = 8
_CALIBRATION_SHAPE = 48, 128, 128
_CALIBRATION_MARGIN = 16


class Reader:
    """Gives denoised frames of one recording.

    Parameters
    ----------
    network : torch.nn.Module
    options : DeepCAD
    unit_size : float or None
        What the network takes for one; None for the noise of the recording.
    recording : array or recording (T, Y, X)
    notes : list of str
        What had to be done is added to it.
    """

    def __init__(
        self,
        network: nn.Module,
        options: DeepCAD,
        unit_size: float | None,
        recording: Frames,
        notes: list[str],
    ) -> None:
        self._recording = recording
        self._unit_size = unit_size
        self._calibrate = options.calibrate
        slabs = tiles_of(
            recording.shape[0], options.tile_t, halo=options.halo, multiple=SIDE_MULTIPLE
        )
        self._read = Slabs(slabs, recording.shape[1:], self._denoise)
        self._runner = Runner(network, options, notes)
        self._units: Units | None = None
        self._line = 1.0, 0.0

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        return self._read(start, stop)

    def _denoise(self, slab: Tile) -> NDArray[np.float32]:
        """The valid frames of a slab."""
        units = self._measured()
        n_frames = self._recording.shape[0]
        block = np.asarray(self._recording[slab.start : min(slab.stop, n_frames)])
        valid = slice(slab.first - slab.start, slab.last - slab.start)
        frames = filled(units.of(valid_frames(block)))
        beyond = slab.stop - slab.start - len(frames)
        frames = np.pad(frames, ((0, beyond), (0, 0), (0, 0)), mode="symmetric")
        out = self._runner.run(frames, valid)
        gain, offset = self._line
        out *= np.float32(gain * units.size)
        out += np.float32(offset * units.size + units.mean)
        if block.dtype.kind == "f":
            out[~np.isfinite(block[valid])] = np.nan
        return out

    def _measured(self) -> Units:
        if self._units is None:
            found = measure(self._recording)
            self._units = Units(found.mean, self._unit_size or found.size)
            if self._calibrate:
                self._line = calibration(self._runner, self._recording, self._units)
        return self._units


def calibration(runner: Runner, recording: Frames, units: Units) -> tuple[float, float]:
    """Gain and offset that bring a network's output to the scale of the recording.

    For the gain, every second frame is denoised, and the frames between are regressed on the
    result: their noise is independent of it, so the line of least squares is unbiased. A single
    frame tells none: it is 1. The offset makes the means equal when all frames are denoised. Some
    places of the recording are looked at.
    """
    n_frames, *frame_shape = recording.shape
    length, *sides = _CALIBRATION_SHAPE
    has_halves = n_frames > 1
    halves, wholes = np.zeros(5), np.zeros(5)
    runs = spread_runs(n_frames, n_runs=_CALIBRATION_RUNS, length=2 * length)
    for i, (start, stop) in enumerate(runs):
        even = slice(start, stop - (stop - start) % 2) if has_halves else slice(start, stop)
        rows, columns = (
            _window(n, side, (0.5 + i * step) % 1)
            for n, side, step in zip(frame_shape, sides, (0.618, 0.382), strict=True)
        )
        read = np.asarray(recording[even])[:, rows, columns]
        frames = units.of(valid_frames(read))
        over_yx = _inside(rows, frame_shape[0]), _inside(columns, frame_shape[1])
        half = _inside(slice(even.start // 2, even.stop // 2), n_frames // 2), *over_yx
        whole = _inside(even, n_frames), *over_yx
        if has_halves:
            halves += _sums(_denoised(runner, frames[::2])[half], frames[1::2][half])
        wholes += _sums(_denoised(runner, frames)[whole], frames[whole])
    n, x, y, xx, xy = halves.tolist()
    spread = xx - x * x / max(n, 1)
    gain = max(0.0, (xy - x * y / n) / spread) if spread > 1e-9 * xx else 0.0
    gain = gain if has_halves else 1.0
    n, x, y, *_ = wholes.tolist()
    return gain, (y - gain * x) / max(n, 1)


def _denoised(runner: Runner, frames: NDArray[np.float32]) -> NDArray[np.float32]:
    padding = (0, -len(frames) % SIDE_MULTIPLE), (0, 0), (0, 0)
    padded = np.pad(filled(frames.copy()), padding, mode="symmetric")
    return runner.run(padded, slice(0, len(frames)))


def _sums(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float64]:
    """Count, sums and sums of products, where y is a number."""
    seen = ~np.isnan(y)
    a, b = x[seen].astype(np.float64), y[seen].astype(np.float64)
    return np.array([a.size, a.sum(), b.sum(), a @ a, a @ b])


def _window(n: int, side: int, place: float) -> slice:
    first = int((n - min(n, side)) * place)
    return slice(first, first + min(n, side))


def _inside(window: slice, n: int) -> slice:
    """A window less a margin at each end that is not an end of the axis, in its own places."""
    length = window.stop - window.start
    margin = min(_CALIBRATION_MARGIN, length // 4)
    return slice(margin if window.start else 0, length - (margin if window.stop < n else 0))


class Runner:
    """Runs a network on volumes of any size, on its device."""

    def __init__(self, network: nn.Module, options: DeepCAD, notes: list[str]) -> None:
        self._device = device_of(options.device)
        self._network = network.to(self._device).eval()
        self._half = options.mixed_precision and self._device.type == "cuda"
        self._notes = notes
        self._tiler = Tiler(
            self._forward,
            side=options.tile_yx,
            halo=options.halo,
            multiple=SIDE_MULTIPLE,
            per_batch=options.tiles_per_batch,
            notes=notes,
        )

    def run(self, frames: NDArray[np.float32], valid: slice) -> NDArray[np.float32]:
        """The output for the valid frames of some, in units, as many as a network takes."""
        return self._tiler.run(frames, valid)

    @computing()
    @torch.inference_mode()
    def _forward(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        volumes = torch.from_numpy(tiles)[:, None].to(self._device)
        volumes = volumes.contiguous(memory_format=torch.channels_last_3d)
        with torch.autocast(self._device.type, torch.float16, enabled=self._half):
            denoised = self._network(volumes)
        if self._half and not bool(torch.isfinite(denoised).all()):
            self._half = False
            self._notes.append("half precision overflowed: went on in single precision")
            denoised = self._network(volumes)
        out: NDArray[np.float32] = denoised[:, 0].float().cpu().numpy()
        return out
