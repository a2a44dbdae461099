"""The conditions under which quality is measured, and the recordings that show them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache, partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean import denoise, simulate
from freq2clean.simulation import imitate_denoiser

SEEDS = (31_001, 31_002)
DENOISERS = ("imitated", "gaussian", "pca", "pretrained")
AXES: dict[str, tuple[Any, ...]] = {
    "snr_db": (-12.0, -5.5, 0.0, 6.0, 12.0),
    "motion": ("still", "drift", "jitter"),
    "density": ("dense", "sparse"),
    "bleaching": (0.1, 0.5),
    "frames": (300, 1500, 6000),
}
_LONG = max(AXES["frames"])
_MOTIONS: dict[str, dict[str, float]] = {
    "still": {},
    "drift": {"drift_px": 4.0},
    "jitter": {"jitter_px": 1.0},
}
_CELLS_PER_MM2 = {"dense": 1100.0, "sparse": 300.0}
_GAIN = 25.0
_READ_NOISE = 1.25

Frames = NDArray[np.float32]


@dataclass(frozen=True)
class Condition:
    """One recording and the denoiser it went through; the defaults are the base condition."""

    snr_db: float = -5.5
    motion: str = "still"
    density: str = "dense"
    bleaching: float = 0.1
    frames: int = 300
    denoiser: str = DENOISERS[0]

    @classmethod
    def of(cls, row: Mapping[str, str]) -> Condition:
        """From a row of texts that has all its fields, and others."""
        kinds = {key: type(value) for key, value in asdict(cls()).items()}
        return cls(**{key: kind(row[key]) for key, kind in kinds.items()})

    def differences(self) -> list[str]:
        """The axes along which it is not the base condition."""
        return [axis for axis in AXES if getattr(self, axis) != getattr(Condition(), axis)]

    def label(self, axis: str) -> str:
        """Its place on an axis, in words."""
        value = getattr(self, axis)
        match axis:
            case "snr_db":
                return f"{value:+g} dB"
            case "bleaching":
                return f"bleaching {value:.0%}"
            case "frames":
                return f"{value} frames"
        return {"drift": "drift 4 px", "jitter": "jitter 1 px"}.get(value, value)

    def __str__(self) -> str:
        return ", ".join([self.denoiser, *(self.label(axis) for axis in self.differences())])


def cross(denoisers: Sequence[str] = DENOISERS) -> list[Condition]:
    """Every condition with every other, short recordings first."""
    ordered = product(*reversed(AXES.values()), denoisers)
    names = [*reversed(AXES), "denoiser"]
    return [Condition(**dict(zip(names, values, strict=True))) for values in ordered]


def around_base(denoisers: Sequence[str] = DENOISERS) -> list[Condition]:
    """The base condition, those that differ on one axis, and bright recordings that move.

    The longest recordings, which cost as much as all others, go through the first denoiser alone.
    """
    base = Condition()
    varied = [replace(base, **{axis: value}) for axis in AXES for value in AXES[axis]]
    brightest = max(AXES["snr_db"])
    moving = [replace(base, snr_db=brightest, motion=motion) for motion in AXES["motion"]]
    return [
        replace(condition, denoiser=denoiser)
        for condition in dict.fromkeys([base, *varied, *moving])
        for denoiser in (denoisers[:1] if condition.frames == _LONG else denoisers)
    ]


@lru_cache(maxsize=1)
def _recorded(condition: Condition, size: int, seed: int) -> tuple[Frames, NDArray[np.uint16]]:
    """Truth and raw recording."""
    recording = simulate(
        (condition.frames, size, size),
        seed=seed,
        snr_db=condition.snr_db,
        bleaching=condition.bleaching,
        cell_density_per_mm2=_CELLS_PER_MM2[condition.density],
        gain=_GAIN,
        read_noise=_READ_NOISE,
        **_MOTIONS[condition.motion],
    )
    return recording.truth[:], recording.raw[:]


def make_recordings(
    condition: Condition, *, size: int, seed: int, checkpoints: Mapping[str, str]
) -> tuple[Frames, NDArray[np.uint16], Frames]:
    """Truth, raw and denoised recording; conditions that share the first two should follow up.

    ``checkpoints`` holds the file of each trained denoiser.
    """
    truth, raw = _recorded(replace(condition, denoiser=""), size, seed)
    denoised = denoiser_of(condition, truth, checkpoints=checkpoints)(raw)
    return truth, raw, denoised


def denoiser_of(
    condition: Condition, truth: Frames, *, checkpoints: Mapping[str, str]
) -> Callable[[NDArray[Any]], Frames]:
    """What denoises a raw recording of this truth; only the imitated one looks at it."""
    name = condition.denoiser
    if name == "imitated":
        return partial(imitate_denoiser, truth)
    return partial(denoise, model=name, checkpoint=checkpoints.get(name))


def by_recording(conditions: Sequence[Condition]) -> list[list[Condition]]:
    """Conditions that differ in their denoiser only, together; long recordings first."""
    groups: dict[Condition, list[Condition]] = {}
    for condition in conditions:
        groups.setdefault(replace(condition, denoiser=""), []).append(condition)
    return sorted(groups.values(), key=lambda group: -group[0].frames)


FIELDS = [field.name for field in fields(Condition)]
