"""The network that ships: trained beforehand on simulated recordings, used as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from freq2clean.denoisers.contract import (
    Denoiser,
    Frames,
    Model,
    Progress,
    Read,
    check,
)
from freq2clean.denoisers.files import load_arrays, save_arrays
from freq2clean.denoisers.pretrained.reader import SIDE_MULTIPLE, reader
from freq2clean.denoisers.pretrained.runtimes import RUNTIMES, open_network, runtime_of
from freq2clean.denoisers.pretrained.views import Views, look
from freq2clean.errors import InputError

__all__ = ["Pretrained", "PretrainedModel"]

TRAINED_SNR_DB = -12.0, 6.0
_SHIPPED = Path(__file__).with_name("network")


@dataclass(frozen=True)
class Pretrained(Denoiser):
    """A small DeepCAD-RT network [1]_ that needs no training on the recording.

    It was trained on simulated recordings whose truth is known, of -12 to 6 dB and with cells of 6
    to 20 pixels. Beside the frames it sees the mean image of the recording and an image of how
    much each pixel's signal varies, and it predicts what differs from the mean image, in units of
    the noise: gain and offset of the recording do not matter. ``docs/model-card.md`` says what it
    can do and what not.

    Parameters
    ----------
    network : str, optional
        Another network that ``training.export`` wrote: its path without ``.pth`` or ``.onnx``.
    runtime : {"auto", "torch", "onnx"}
        What runs it; "auto" is PyTorch if that is installed, else ONNX Runtime.
    device : str
        Of PyTorch: "auto" is a GPU if there is one, else the CPU.
    tile_t, tile_yx, halo : int
        Side of a tile, in frames and in pixels, and what of it is thrown away at each side:
        multiples of 8. From a halo of 48 on, results do not depend on the tiles at all.

    References
    ----------
    .. [1] X. Li et al., Nature Biotechnology 41 (2023), doi:10.1038/s41587-022-01450-8

    Examples
    --------
    >>> import numpy as np
    >>> raw = np.random.default_rng(0).poisson(5, (60, 32, 32)).astype(np.uint16)
    >>> denoised = Pretrained().fit(raw).predict(raw)[:]
    >>> bool(denoised.std() < 0.2 * raw.std())
    True
    """

    name: ClassVar[str] = "pretrained"
    extra: ClassVar[str | None] = "onnx"
    needs: ClassVar[tuple[str, ...]] = tuple(RUNTIMES.values())
    prediction_options: ClassVar[tuple[str, ...]] = (
        "runtime", "device", "tile_t", "tile_yx", "halo",
    )  # fmt: skip

    network: str | None = None
    runtime: str = "auto"
    device: str = "auto"
    tile_t: int = 128
    tile_yx: int = 128
    halo: int = 16

    def __post_init__(self) -> None:
        if self.runtime not in ("auto", *RUNTIMES):
            raise InputError(f"runtime = {self.runtime!r}; give auto, {' or '.join(RUNTIMES)}")
        if self.halo < 0 or self.halo % SIDE_MULTIPLE:
            raise InputError(f"halo = {self.halo}; give a multiple of {SIDE_MULTIPLE}")
        for name in ("tile_t", "tile_yx"):
            side = getattr(self, name)
            if side % SIDE_MULTIPLE or side <= 2 * self.halo:
                raise InputError(
                    f"{name} = {side}; give a multiple of {SIDE_MULTIPLE} that is more than twice "
                    f"the halo of {self.halo}"
                )

    def fit(self, recording: Frames, /, *, progress: Progress | None = None) -> PretrainedModel:
        """Measure the recording's images, noise and SNR. Nothing is trained."""
        check(recording)
        self.check_installed()
        views = look(recording, progress=progress)
        return PretrainedModel(self, views, views.snr_db(recording))

    @classmethod
    def check_installed(cls) -> None:
        runtime_of("auto")

    @classmethod
    def _load(cls, path: Path) -> PretrainedModel:
        about, arrays = load_arrays(path, cls.name)
        views = Views(**arrays, level=about["level"], noise_sd=about["noise_sd"])
        return PretrainedModel(cls(**about["options"]), views, about["snr_db"])


@dataclass(frozen=True, eq=False)
class PretrainedModel(Model):
    """What the network is told of a recording.

    Parameters
    ----------
    denoiser : Pretrained
    views : Views
    snr_db : float or None
        Of the recording; None if it could not be measured.
    """

    denoiser: Pretrained
    views: Views
    snr_db: float | None

    @property
    def findings(self) -> Mapping[str, Any]:
        return {"snr_db": self.snr_db, "noise_sd": self.views.noise_sd, "domain": self.domain}

    @property
    def domain(self) -> str:
        """Whether the network was trained for such a recording, in words."""
        low, high = TRAINED_SNR_DB
        trained = f"the {low:g} to {high:g} dB that the network was trained on"
        if self.snr_db is None:
            return f"the SNR could not be measured; be wary if it is not within {trained}"
        if low <= self.snr_db <= high:
            return f"SNR about {self.snr_db:.1f} dB: within {trained}"
        return f"SNR about {self.snr_db:.1f} dB: outside {trained}; another model may do better"

    def save(self, path: str | Path, /) -> None:
        views = self.views
        about = {
            "options": asdict(self.denoiser),
            "level": views.level,
            "noise_sd": views.noise_sd,
            "snr_db": self.snr_db,
        }
        images: dict[str, NDArray[Any]] = {"mean": views.mean, "activity": views.activity}
        save_arrays(path, self.denoiser.name, about, images)

    def _check_fits(self, recording: Frames) -> None:
        shape = self.views.mean.shape
        if tuple(recording.shape[1:]) != shape:
            raise InputError(
                f"the images are those of frames of {shape} pixels, and these have "
                f"{tuple(recording.shape[1:])}; fit to a recording of the same field"
            )

    def _reader(self, recording: Frames, notes: list[str]) -> Read:
        if self.views.noise_sd == 0:
            notes.append("nothing varies from frame to frame: the recording is left as it is")
            return partial(_as_it_is, recording)
        options = self.denoiser
        stem = _SHIPPED if options.network is None else Path(options.network)
        return reader(
            recording,
            self.views,
            open_network(stem, runtime=options.runtime, device=options.device),
            tile_t=options.tile_t,
            tile_yx=options.tile_yx,
            halo=options.halo,
            notes=notes,
        )


def _as_it_is(recording: Frames, start: int, stop: int) -> NDArray[np.float32]:
    frames = np.asarray(recording[start:stop]).astype(np.float32)
    frames[~np.isfinite(frames)] = np.nan
    return frames
