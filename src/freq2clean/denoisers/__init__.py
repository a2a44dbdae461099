"""Denoisers upstream of fusion, behind one small contract."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from freq2clean.denoisers.contract import Denoiser, Model
from freq2clean.denoisers.gaussian import Gaussian
from freq2clean.denoisers.pca import PCA
from freq2clean.errors import InputError

__all__ = ["DENOISERS", "PCA", "Denoiser", "Gaussian", "Model", "get_denoiser"]

DENOISERS: dict[str, type[Denoiser]] = {kind.name: kind for kind in (Gaussian, PCA)}


def get_denoiser(name: str, /, **options: Any) -> Denoiser:
    """The denoiser of that name with these options.

    Raises
    ------
    InputError
        If there is no such denoiser, or it has no such option, or not such a value of it.

    Examples
    --------
    >>> get_denoiser("gaussian", sigma_t_frames=2.0)
    Gaussian(sigma_t_frames=2.0, sigma_yx_pixels=None)
    """
    if name not in DENOISERS:
        raise InputError(f"no denoiser is called {name!r}; choose from {', '.join(DENOISERS)}")
    kind = DENOISERS[name]
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    unknown = [option for option in options if option not in known]
    if unknown:
        raise InputError(
            f"{name} has no option {', '.join(unknown)}; its options are {', '.join(known)}"
        )
    return kind(**options)
