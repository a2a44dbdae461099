"""What has a name and is imported when it is first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

__all__ = ["Entry"]


@dataclass(frozen=True)
class Entry:
    """Where a class is, and what help says of it.

    Parameters
    ----------
    place : str
        Module and class, as in "denoisers.gaussian:Gaussian".
    about : str

    Examples
    --------
    >>> Entry("denoisers.pca:PCA", "local, by patch").load().__name__
    'PCA'
    """

    place: str
    about: str

    def load(self) -> Any:
        """The class itself."""
        module, name = self.place.split(":")
        return getattr(import_module(f"freq2clean.{module}"), name)
