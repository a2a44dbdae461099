"""Give the spatial detail back that a denoiser took from a fluorescence recording.

>>> import freq2clean, numpy as np
>>> raw = np.random.default_rng(0).poisson(5, (60, 32, 32)).astype(np.uint16)
>>> denoised = np.full(raw.shape, 5, np.float32)
>>> freq2clean.fuse(raw, denoised).shape
(60, 32, 32)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from freq2clean.version import __version__

if TYPE_CHECKING:
    from freq2clean.denoisers.deepcad import DeepCAD
    from freq2clean.denoisers.gaussian import Gaussian
    from freq2clean.denoisers.pca import PCA
    from freq2clean.errors import Freq2CleanError, InputError, MissingExtraError, OutputError
    from freq2clean.fusion.auto import Auto
    from freq2clean.fusion.dct import Dct
    from freq2clean.fusion.fft import Fft
    from freq2clean.fusion.live import StreamingFuser
    from freq2clean.fusion.method import Fusion
    from freq2clean.fusion.subspace import Subspace
    from freq2clean.fusion.wiener import Wiener
    from freq2clean.metrics import Scores, SSIM3DOptions
    from freq2clean.pipeline import (
        DenoiseResult,
        FuseResult,
        denoise,
        evaluate,
        fuse,
        inspect,
        run,
        simulate,
        train,
    )
    from freq2clean.recordings import create, open_recording


_ROOMS = {
    "denoisers.deepcad": ("DeepCAD",),
    "denoisers.gaussian": ("Gaussian",),
    "denoisers.pca": ("PCA",),
    "errors": ("Freq2CleanError", "InputError", "MissingExtraError", "OutputError"),
    "fusion.auto": ("Auto",),
    "fusion.dct": ("Dct",),
    "fusion.fft": ("Fft",),
    "fusion.live": ("StreamingFuser",),
    "fusion.method": ("Fusion",),
    "fusion.subspace": ("Subspace",),
    "fusion.wiener": ("Wiener",),
    "metrics": ("SSIM3DOptions", "Scores"),
    "pipeline": (
        "DenoiseResult",
        "FuseResult",
        "denoise",
        "evaluate",
        "fuse",
        "inspect",
        "run",
        "simulate",
        "train",
    ),
    "recordings": ("create", "open_recording"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "PCA",
    "Auto",
    "Dct",
    "DeepCAD",
    "DenoiseResult",
    "Fft",
    "Freq2CleanError",
    "FuseResult",
    "Fusion",
    "Gaussian",
    "InputError",
    "MissingExtraError",
    "OutputError",
    "SSIM3DOptions",
    "Scores",
    "StreamingFuser",
    "Subspace",
    "Wiener",
    "__version__",
    "create",
    "denoise",
    "evaluate",
    "fuse",
    "inspect",
    "open_recording",
    "run",
    "simulate",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: the import of the package stays light."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'freq2clean' has no attribute {name!r}")
    value = getattr(import_module(f"freq2clean.{_ROOM_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
