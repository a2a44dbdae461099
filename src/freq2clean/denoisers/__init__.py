"""Denoisers upstream of fusion, behind one small contract; each is a module of its own."""

from freq2clean.denoisers.registry import (
    DENOISERS,
    default_model,
    get_denoiser,
    kind_of,
    load_model,
)

__all__ = ["DENOISERS", "default_model", "get_denoiser", "kind_of", "load_model"]
