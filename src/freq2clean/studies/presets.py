"""What a study of training lengths is made with: recording, denoisers, fusions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from freq2clean.denoisers import DENOISERS, kind_of
from freq2clean.errors import InputError

__all__ = ["PRESETS", "Preset", "fusions_of", "get_preset"]

PATCH_T = (15, 30, 75, 150, 300)
"""Those of the study."""

_FFT = {"method": "fft", "alpha": 0.85, "matching": "histogram", "window": 3000}
_OURS: dict[str, dict[str, Any]] = {
    "wiener": {"method": "wiener"},
    "subspace": {"method": "subspace"},
    "auto": {"method": "auto"},
}
_STUDY_HZ, _STUDY_UM, _STUDY_SIDE, _STUDY_WINDOW = 30.0, 1.02, 490, 3000
_PER_UM, _PER_FRAME = 1 / (2 * _STUDY_SIDE * _STUDY_UM), _STUDY_HZ / (2 * _STUDY_WINDOW)


@dataclass(frozen=True)
class Preset:
    """What is trained on what.

    Parameters
    ----------
    model : str
        The name of a denoiser.
    shape : (int, int, int) or None
        Of the simulated recording; None where the user has to bring one.
    patch_t : tuple of int
        One training for each; empty for one training of a denoiser that has no such option.
    training : mapping
        Options of the denoiser; of one that is no DeepCAD, those that it has.
    prediction : mapping
        Options of prediction.
    """

    model: str
    shape: tuple[int, int, int] | None
    patch_t: tuple[int, ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)
    prediction: Mapping[str, Any] = field(default_factory=dict)

    def trainings(self, seed: int) -> list[tuple[int | None, dict[str, Any]]]:
        """Each patch_t and the options it is trained with."""
        options = {**self.training, "seed": seed}
        if self.model != "deepcad":
            known = {one.name for one in fields(kind_of(self.model))}  # type: ignore[arg-type]
            options = {name: value for name, value in options.items() if name in known}
        if not self.patch_t:
            return [(None, options)]
        return [(length, {**options, "patch_t": length}) for length in self.patch_t]


def _briefly(
    *, patch_xy: int, patches: int, epochs: int, learning_rate: float, base_channels: int
) -> dict[str, Any]:
    """A training at a high rate that falls to nothing: much shorter than the study's."""
    return {
        "patch_y": patch_xy,
        "patch_x": patch_xy,
        "patches_per_epoch": patches,
        "n_epochs": epochs,
        "learning_rate": learning_rate,
        "schedule": "cosine",
        "base_channels": base_channels,
    }


_SMALL = _briefly(patch_xy=32, patches=200, epochs=4, learning_rate=1e-3, base_channels=8)
_SMALL_SHAPE = (1500, 96, 96)

PRESETS = {
    "tiny": Preset(
        "deepcad",
        (120, 24, 24),
        (8, 16),
        _briefly(patch_xy=16, patches=4, epochs=2, learning_rate=1e-3, base_channels=2),
    ),
    "small": Preset("deepcad", _SMALL_SHAPE, (8, 15, 38, 75, 150), _SMALL),
    "middle": Preset(
        "deepcad",
        (3000, 192, 192),
        PATCH_T,
        _briefly(patch_xy=64, patches=1000, epochs=10, learning_rate=5e-4, base_channels=16),
    ),
    "paper": Preset(
        "deepcad",
        None,
        PATCH_T,
        {
            "patch_y": 150,
            "patch_x": 150,
            "patches_per_epoch": 6000,
            "n_epochs": 10,
            "learning_rate": 5e-5,
        },
        {"tile_t": 152, "halo": 40},
    ),
    "noise2noise": Preset("noise2noise", _SMALL_SHAPE, (15,), _SMALL),
    "noise2void": Preset(
        "noise2void",
        _SMALL_SHAPE,
        (),
        {
            "patch_y": 32,
            "patch_x": 32,
            "patches_per_epoch": 800,
            "n_epochs": 4,
            "base_channels": 16,
        },
    ),
}
"""``tiny`` shows in seconds that all works, ``small`` suits a CPU, ``middle`` and ``paper`` a GPU;
``paper`` is what the study did with its own recording, predicting in patches of 150 frames."""


def get_preset(name: str, *, patch_t: tuple[int, ...] = (), has_recording: bool = False) -> Preset:
    """The preset of that name, with other values of patch_t if some are given.

    Raises
    ------
    InputError
        If there is no such preset, its denoiser is not part of this version, it has no patch_t to
        change, or it needs a recording of the user's.
    """
    if name not in PRESETS:
        raise InputError(f"no preset is called {name!r}; choose from {', '.join(PRESETS)}")
    preset = PRESETS[name]
    if preset.model not in DENOISERS:
        raise InputError(
            f"preset {name} needs the denoiser {preset.model}, which this version does not have; "
            f"it has {', '.join(DENOISERS)}"
        )
    kind_of(preset.model).check_installed()
    if preset.shape is None and not has_recording:
        raise InputError(
            f"preset {name} is for the study's recording: give its clean and its noisy file "
            "(--recording CLEAN --noisy NOISY), from doi:10.5281/zenodo.6254739"
        )
    if not patch_t:
        return preset
    if not preset.patch_t:
        raise InputError(f"patch_t = {patch_t}: {preset.model} of preset {name} has none; leave it")
    if min(patch_t) < 1:
        raise InputError(f"patch_t = {patch_t}; give numbers from 1 up")
    return replace(preset, patch_t=tuple(dict.fromkeys(sorted(patch_t))))


def fusions_of(*, is_simulated: bool) -> dict[str, dict[str, Any]]:
    """The study's two fusions and ours, by name.

    The cut-offs of `dct` are indices of the study's recording; a simulated one has another size,
    and gets them in its units.
    """
    dct: dict[str, Any] = {"method": "dct"}
    if is_simulated:
        dct |= {
            "spatial_cutoff_per_um": 36 * _PER_UM,
            "spatial_width_per_um": 72 * _PER_UM,
            "temporal_cutoff_hz": -6 * _PER_FRAME,
            "temporal_width_hz": 16 * _PER_FRAME,
        }
    return {"fft": dict(_FFT), "dct": dct, **_OURS}
