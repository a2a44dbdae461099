"""A folder or a glob of numbered TIFF files, or of videos, as one recording."""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.recordings.contract import Recording
from freq2clean.recordings.formats import READABLE, TIFF, VIDEO
from freq2clean.recordings.spare_memory import SpareMemory
from freq2clean.recordings.tiff import TiffRecording

__all__ = ["FolderRecording", "is_part", "natural_order", "open_folder"]


def open_folder(folder: Path, *, channel: int | None = None, plane: int | None = None) -> Recording:
    """Recording of the TIFF files in a folder, or else of its videos, in natural order."""
    files = [file for file in folder.iterdir() if file.is_file()]
    parts = [file for file in files if is_part(file) and not file.name.startswith(".")]
    tiffs = [file for file in parts if READABLE[file.suffix.lower()] is TIFF]
    if not parts:
        raise InputError(
            f"{folder} is a folder without TIFF files and videos ({len(files)} others); give a "
            "folder of numbered .tif or .avi files or a recording's file"
        )
    return FolderRecording(
        tiffs or parts, name=str(folder), channel=channel, plane=plane, folder=folder
    )


def is_part(file: Path) -> bool:
    """Whether a file may be one of several that make a recording."""
    return READABLE.get(file.suffix.lower()) in (TIFF, VIDEO)


class FolderRecording(Recording):
    """TIFF files or videos after one another, of one or many frames each.

    Parameters
    ----------
    files : sequence of Path
        In any order; 2 comes before 10.
    name : str
    channel, plane : int, optional
    folder : Path, optional
        Where the recording is all that is in a folder.
    """

    def __init__(
        self,
        files: Sequence[Path],
        *,
        name: str,
        channel: int | None = None,
        plane: int | None = None,
        folder: Path | None = None,
    ) -> None:
        self.name = name
        memory = SpareMemory()
        self._parts: list[Recording] = [
            TiffRecording(file, channel=channel, plane=plane, single=True, memory=memory)
            if READABLE.get(file.suffix.lower()) is TIFF
            else VIDEO.open(file, channel=channel, plane=plane)
            for file in natural_order(files)
        ]
        first = self._parts[0]
        for part in self._parts:
            if part.shape[1:] != first.shape[1:] or part.dtype != first.dtype:
                raise InputError(
                    f"{name}: its files differ: {first.name} has frames of {first.shape[1:]} "
                    f"{first.dtype}, {part.name} of {part.shape[1:]} {part.dtype}"
                )
        self._ends = np.cumsum([len(part) for part in self._parts]).tolist()
        self.shape = (self._ends[-1], *first.shape[1:])
        self.dtype = first.dtype
        self.metadata = first.metadata
        self.notes = first.notes
        self.paths = (*([folder] if folder else []), *(part.paths[0] for part in self._parts))

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        blocks = []
        at = bisect.bisect_right(self._ends, start)
        while start < stop:
            begin = self._ends[at] - len(self._parts[at])
            end = min(stop, self._ends[at])
            blocks.append(self._parts[at].read(start - begin, end - begin))
            start, at = end, at + 1
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def close(self) -> None:
        super().close()
        for part in self._parts:
            part.close()


def natural_order(files: Sequence[Path]) -> list[Path]:
    """Files sorted as people number them: 2 before 10."""

    def key(file: Path) -> list[tuple[int, str]]:
        return [
            (int(part), "") if part.isdigit() else (-1, part)
            for part in re.split(r"([0-9]+)", str(file))
        ]

    return sorted(files, key=key)
