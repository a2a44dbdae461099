"""The registry: recordings.toml, read."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from freq2clean.errors import InputError

__all__ = ["REGISTRY", "Dataset", "get_dataset", "read_registry"]

REGISTRY = Path(__file__).with_name("recordings.toml")


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """What is known of a recording without asking anyone; None where nothing is.

    Parameters
    ----------
    name, title : str
    record : int or None
        Its number at Zenodo; None for one without a public address.
    raw, truth : str or None
        Names of the files.
    truth_is : str or None
        What the truth is.
    frames : int or None
    size_px : (int, int) or None
        Sides of a frame, in the order in which the file's name has them.
    frame_rate_hz, pixel_size_um : float or None
    data_range : float or None
        For scores, in the units of the pixels.
    alpha : float
        What the study's fusion takes of the raw magnitude.
    """

    name: str
    title: str
    alpha: float
    record: int | None = None
    raw: str | None = None
    truth: str | None = None
    truth_is: str | None = None
    frames: int | None = None
    size_px: tuple[int, int] | None = None
    frame_rate_hz: float | None = None
    pixel_size_um: float | None = None
    data_range: float | None = None

    @property
    def doi(self) -> str | None:
        """Of the record."""
        return f"10.5281/zenodo.{self.record}" if self.record else None

    @property
    def wanted(self) -> list[str]:
        """The files that a study needs; none where the record's are not known."""
        return [name for name in (self.raw, self.truth) if name]

    @property
    def pair(self) -> tuple[str, str]:
        """Names of the raw recording and of its truth.

        Raises
        ------
        InputError
            Where there is no truth, or none is known.
        """
        if self.raw is None or self.truth is None:
            raise InputError(
                f"{self.name} has no truth to score against; freq2clean run --probe measures a "
                "gain without one"
            )
        return self.raw, self.truth

    def as_dict(self) -> dict[str, Any]:
        """The same and the DOI, JSON-serialisable."""
        return {**asdict(self), "doi": self.doi}


def read_registry() -> dict[str, Dataset]:
    """All recordings, by name.

    Examples
    --------
    >>> read_registry()["synthetic"].doi
    '10.5281/zenodo.6254739'
    """
    entries = tomllib.loads(REGISTRY.read_text(encoding="utf-8"))
    return {name: _dataset(name, entry) for name, entry in entries.items()}


def get_dataset(name: str) -> Dataset:
    """A recording by its name.

    Raises
    ------
    InputError
        Where there is none.
    """
    known = read_registry()
    if name not in known:
        raise InputError(f"no dataset is called {name!r}; there are {', '.join(known)}")
    return known[name]


def _dataset(name: str, entry: dict[str, Any]) -> Dataset:
    if "size_px" in entry:
        entry["size_px"] = tuple(entry["size_px"])
    return Dataset(name=name, **entry)
