"""Frames into a file: cast and counted, with the provenance that says how they were made."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.recordings import Metadata, Recording, cast, create
from freq2clean.recordings.provenance import described
from freq2clean.recordings.resuming import resumable
from freq2clean.recordings.small_files import whole_file
from freq2clean.recordings.writing import dtype_to_write
from freq2clean.streaming import blocks, read_ahead, write_behind
from freq2clean.version import __version__

__all__ = [
    "Saved",
    "Target",
    "check_file_options",
    "metadata_of",
    "provenance",
    "resuming",
    "save",
    "saving",
    "whole_file",
]


@dataclass(frozen=True)
class Target:
    """Where a recording is written, and how.

    Parameters
    ----------
    path : str or Path
        Format by suffix.
    dtype : str
        ``"same"`` as the raw recording, or the name of a dtype.
    compression : {None, "deflate", "zstd"}
    """

    path: str | Path
    dtype: str = "float32"
    compression: str | None = None


def check_file_options(out: str | Path | None, *, dtype: str, compression: str | None) -> None:
    """Refuse options of a file where none is to be written."""
    if out is None and (dtype != Target.dtype or compression is not None):
        given = f"dtype = {dtype!r}, compression = {compression!r}"
        raise InputError(f"{given}: an array is returned as float32; give out to write a file")


@dataclass
class Saved:
    """What was written."""

    path: str
    shape: tuple[int, int, int]
    dtype: str
    n_clipped: int = 0


@contextmanager
def saving(
    target: Target,
    shape: tuple[int, int, int],
    *,
    raw: Recording,
    how: Mapping[str, Any],
    inputs: Sequence[Recording],
) -> Iterator[tuple[Callable[[NDArray[Any]], None], Saved]]:
    """A function that writes the next frames, on another thread, and the account of it."""
    dtype = dtype_to_write(target.path, target.dtype, raw.dtype)
    metadata = metadata_of(raw, how=how, inputs=inputs)
    saved = Saved(str(target.path), shape, dtype.name)
    with (
        create(
            target.path,
            shape,
            dtype,
            metadata=metadata,
            compression=target.compression,
            inputs=inputs,
        ) as writer,
        write_behind(writer.append) as append,
    ):

        def write(block: NDArray[Any]) -> None:
            values, n_clipped = cast(block, dtype)
            saved.n_clipped += n_clipped
            append(values)

        yield write, saved


@contextmanager
def resuming(
    target: Target,
    shape: tuple[int, int, int],
    *,
    raw: Recording,
    how: Mapping[str, Any],
    inputs: Sequence[Recording],
    job: Mapping[str, Any],
) -> Iterator[tuple[Callable[[int, NDArray[Any]], None], Saved, int]]:
    """The same for a target that another run of the job may have begun.

    The function takes the first frame of a block, too, which may have been written before; also
    given is how many frames were.
    """
    dtype = dtype_to_write(target.path, target.dtype, raw.dtype)
    saved = Saved(str(target.path), shape, dtype.name)
    with resumable(
        target.path,
        shape,
        dtype,
        metadata=metadata_of(raw, how=how, inputs=inputs),
        compression=target.compression,
        job=job,
    ) as writer:

        def place(block: tuple[int, NDArray[Any]]) -> None:
            writer.append(*block)

        with write_behind(place) as append:
            yield lambda start, block: append((start, block)), saved, writer.n_committed
        saved.n_clipped = writer.n_clipped


def save(
    recording: Recording,
    target: Target,
    *,
    raw: Recording,
    how: Mapping[str, Any],
    inputs: Sequence[Recording],
    n_block: int,
    progress: Callable[[int, int], None] | None = None,
) -> Saved:
    """Write a recording, lazily computed perhaps, block by block."""
    n_frames = recording.shape[0]
    with saving(target, recording.shape, raw=raw, how=how, inputs=inputs) as (write, saved):
        for (_, stop), block in read_ahead(recording.read, blocks(0, n_frames, n_block)):
            write(block)
            if progress:
                progress(stop, n_frames)
    return saved


def metadata_of(raw: Recording, *, how: Mapping[str, Any], inputs: Sequence[Recording]) -> Metadata:
    """What is kept with a recording that was made from a raw one."""
    return Metadata(
        frame_rate_hz=raw.metadata.frame_rate_hz,
        pixel_size_um=raw.metadata.pixel_size_um,
        provenance=provenance(how, inputs),
        origin=raw.metadata.origin,
    )


def provenance(how: Mapping[str, Any], inputs: Sequence[Recording]) -> dict[str, Any]:
    """How a recording was made: parameters, versions, and checksums of what went in."""
    return {
        **how,
        "versions": {
            "freq2clean": __version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "python": platform.python_version(),
        },
        "inputs": [described(recording) for recording in inputs],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
