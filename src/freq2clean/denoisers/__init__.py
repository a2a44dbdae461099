"""Denoisers upstream of fusion, behind one small contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from freq2clean.denoisers.command import Command
from freq2clean.denoisers.contract import Denoised, Denoiser, Model
from freq2clean.denoisers.deepcad import DeepCAD
from freq2clean.denoisers.function import Function
from freq2clean.denoisers.gaussian import Gaussian
from freq2clean.denoisers.noise2noise import Noise2Noise
from freq2clean.denoisers.noise2void import Noise2Void
from freq2clean.denoisers.pca import PCA
from freq2clean.denoisers.pretrained import Pretrained
from freq2clean.errors import InputError, MissingExtraError

__all__ = [
    "DENOISERS",
    "PCA",
    "Command",
    "DeepCAD",
    "Denoised",
    "Denoiser",
    "Function",
    "Gaussian",
    "Model",
    "Noise2Noise",
    "Noise2Void",
    "Pretrained",
    "default_model",
    "get_denoiser",
    "load_model",
]

DENOISERS: dict[str, type[Denoiser]] = {
    kind.name: kind
    for kind in (Gaussian, PCA, Pretrained, DeepCAD, Noise2Noise, Noise2Void, Command)
}


def get_denoiser(name: str | Callable[..., Any], /, **options: Any) -> Denoiser:
    """The denoiser of that name with these options; or a function, as one.

    Raises
    ------
    InputError
        If there is no such denoiser, or it has no such option, or not such a value of it.

    Examples
    --------
    >>> get_denoiser("gaussian", sigma_t_frames=2.0)
    Gaussian(sigma_t_frames=2.0, sigma_yx_pixels=None)
    """
    if not isinstance(name, str):
        if options:
            raise InputError(f"a function takes no options; {', '.join(options)} given")
        return Function(name)
    return _kind(name, options)(**options)


def default_model() -> str:
    """What denoises best without training, of what can be run here: "pretrained", or "gaussian"."""
    try:
        Pretrained.check_installed()
    except MissingExtraError:
        return Gaussian.name
    return Pretrained.name


def load_model(name: str, path: str | Path, /, **options: Any) -> Model:
    """The model of the denoiser of that name that was saved in a file.

    Parameters
    ----------
    **options
        Of prediction, to replace those that the model was saved with.

    Raises
    ------
    InputError
        If there is no such denoiser, the file is none of its models, or an option is not one of
        prediction.
    """
    return _kind(name, options).load(path, **options)


def _kind(name: str, options: Mapping[str, Any]) -> type[Denoiser]:
    if name not in DENOISERS:
        raise InputError(f"no denoiser is called {name!r}; choose from {', '.join(DENOISERS)}")
    kind = DENOISERS[name]
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    unknown = [option for option in options if option not in known]
    if unknown:
        raise InputError(
            f"{name} has no option {', '.join(unknown)}; its options are {', '.join(known)}"
        )
    return kind
