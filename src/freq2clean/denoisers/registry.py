"""Denoisers by name. One is imported when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freq2clean.entries import Entry
from freq2clean.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from freq2clean.denoisers.contract import Denoiser, Model

__all__ = ["DENOISERS", "default_model", "get_denoiser", "kind_of", "load_model"]


DENOISERS = {
    "gaussian": Entry("denoisers.gaussian:Gaussian", "widths chosen from the data"),
    "pca": Entry("denoisers.pca:PCA", "local, by patch"),
    "pretrained": Entry(
        "denoisers.pretrained:Pretrained",
        "a network that comes with freq2clean (needs the extra onnx or torch)",
    ),
    "deepcad": Entry(
        "denoisers.deepcad:DeepCAD",
        "the network of DeepCAD-RT, which has to be trained (needs the extra torch)",
    ),
    "noise2noise": Entry("denoisers.noise2noise:Noise2Noise", "the same, trained on pairs"),
    "noise2void": Entry(
        "denoisers.noise2void:Noise2Void", "by CAREamics, to be trained (needs the extra careamics)"
    ),
    "command": Entry("denoisers.command:Command", "see --command"),
}


def kind_of(name: str) -> type[Denoiser]:
    """The class of the denoiser of that name.

    Raises
    ------
    InputError
        If there is no such denoiser.

    Examples
    --------
    >>> kind_of("pca").__name__
    'PCA'
    """
    if name not in DENOISERS:
        raise InputError(f"no denoiser is called {name!r}; choose from {', '.join(DENOISERS)}")
    kind: type[Denoiser] = DENOISERS[name].load()
    return kind


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
    if isinstance(name, str):
        return _kind_with(name, options)(**options)
    if options:
        raise InputError(f"a function takes no options; {', '.join(options)} given")
    from freq2clean.denoisers.function import Function

    return Function(name)


def default_model() -> str:
    """What denoises best without training, of what can be run here: "pretrained", or "gaussian"."""
    try:
        kind_of("pretrained").check_installed()
    except MissingExtraError:
        return "gaussian"
    return "pretrained"


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
    return _kind_with(name, options).load(path, **options)


def _kind_with(name: str, options: Mapping[str, Any]) -> type[Denoiser]:
    """The class of that name, which has these options."""
    kind = kind_of(name)
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    unknown = [option for option in options if option not in known]
    if unknown:
        raise InputError(
            f"{name} has no option {', '.join(unknown)}; its options are {', '.join(known)}"
        )
    return kind
