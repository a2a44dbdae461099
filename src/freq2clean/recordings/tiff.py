"""TIFF files: plain, BigTIFF, ImageJ, OME, tiled, compressed.

tifffile reads the directory of pages once; pixels are then read at their places, without a lock
and without an open file.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError
from freq2clean.recordings.axes import select
from freq2clean.recordings.contract import Layout, Recording, Sink
from freq2clean.recordings.pixels import native
from freq2clean.recordings.plain_bytes import read_pieces, read_segments
from freq2clean.recordings.spare_memory import SpareMemory
from freq2clean.recordings.tiff_metadata import imagej_tags, plain_tags, read_metadata
from freq2clean.recordings.tiff_pages import Pages
from freq2clean.threads import n_threads

__all__ = ["TiffRecording", "open_tiff", "tiff_sink"]

_CLASSIC_LIMIT_BYTES = 2**32 - 2**25
_IMAGEJ_DTYPES = ("uint8", "uint16", "float32")
_CODECS = {"deflate": "adobe_deflate", "zstd": "zstd"}


def open_tiff(
    path: Path, inside: str = "", *, channel: int | None = None, plane: int | None = None
) -> Recording:
    """Recording of one TIFF file."""
    return TiffRecording(path, channel=channel, plane=plane)


class TiffRecording(Recording):
    """A recording in one TIFF file.

    Parameters
    ----------
    path : Path
    channel, plane : int, optional
    single : bool, optional
        Take a 2-D image for a recording of one frame, as in a folder of numbered files.
    memory : SpareMemory, optional
        For frames; those of several files may share it.

    Raises
    ------
    InputError
        Where the file is no TIFF, is truncated, or is no grey movie.
    """

    def __init__(
        self,
        path: Path,
        *,
        channel: int | None = None,
        plane: int | None = None,
        single: bool = False,
        memory: SpareMemory | None = None,
    ) -> None:
        import tifffile

        self.name = str(path)
        self.paths = (path,)
        self._path = path
        with _tifffile_errors(path), tifffile.TiffFile(path) as tif:
            pages = Pages(tif, self.name)
            self.metadata = read_metadata(tif)
        axes, shape = pages.axes, pages.shape
        if single and len(shape) == 2:
            axes, shape = f"T{axes}", (1, *shape)
        index = select(axes, shape, channel=channel, plane=plane, name=self.name)
        numbers = np.arange(np.prod(shape[:-2])).reshape(shape[:-2])[index]
        self.shape = (len(numbers), *pages.frame_shape)
        self.dtype = pages.dtype.newbyteorder("=")
        self._stored = pages.dtype
        self._decoder = pages.decoder
        self._offsets = pages.offsets[numbers]
        self._counts = pages.counts[numbers]
        self._memory = memory or SpareMemory()

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        shape = stop - start, *self.shape[1:]
        decoder = self._decoder
        if decoder is None:
            pixels = self._memory.empty(shape, self._stored)
            read_pieces(self._path, self._offsets[start:stop, 0], pixels)
            return native(pixels)
        out = self._memory.empty(shape, self.dtype)

        def fill(i: int) -> None:
            places = self._offsets[start + i].tolist(), self._counts[start + i].tolist()
            segments = read_segments(self._path, *places)
            try:
                _decode(decoder, segments, out[i])
            except Exception as error:  # a decoder may raise anything on damaged data
                raise InputError(
                    f"{self.name}: frame {start + i} cannot be decoded ({error}): "
                    "the file is damaged"
                ) from error

        if stop - start == 1:
            fill(0)
        else:
            with ThreadPoolExecutor(n_threads()) as pool:
                list(pool.map(fill, range(stop - start)))
        return out

    def close(self) -> None:
        super().close()
        self._memory = SpareMemory()


def _decode(decoder: Callable[..., Any], segments: list[bytes], out: NDArray[Any]) -> None:
    """Put the strips or tiles of one frame where they belong."""
    for i, segment in enumerate(segments):
        decoded, (_, _, row, column, _), shape = decoder(segment, i)
        part = out[row : row + shape[1], column : column + shape[2]]
        part[...] = decoded[0, : part.shape[0], : part.shape[1], 0]


@contextmanager
def _tifffile_errors(path: Path) -> Iterator[None]:
    """One clear error in place of tifffile's many, and of what it logs besides."""
    logger = logging.getLogger("tifffile")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # a damaged file may break the parser anywhere
        raise InputError(f"{path} cannot be read as TIFF: {error}") from error
    finally:
        logger.setLevel(level)


def tiff_sink(path: Path, layout: Layout) -> Sink:
    """Writes a TIFF, ImageJ-readable where ImageJ knows the dtype and the file fits into 4 GB.

    Beyond 4 GB it is a BigTIFF. A compressed file might shrink below that, which nobody knows yet.
    """
    import tifffile

    shape, dtype, metadata = layout.shape, layout.dtype, layout.metadata
    nbytes = int(np.prod(shape, dtype=object)) * dtype.itemsize
    big = nbytes + 512 * shape[0] > _CLASSIC_LIMIT_BYTES
    byteorder: Any = {"little": "<", "big": ">"}[sys.byteorder]
    imagej = dtype.name in _IMAGEJ_DTYPES and not big
    tags = imagej_tags(shape, metadata, byteorder) if imagej else plain_tags(shape, metadata)
    writer = tifffile.TiffWriter(path, bigtiff=big, byteorder=byteorder)
    options: dict[str, Any] = {"photometric": "minisblack", "metadata": None}
    if layout.compression is None:
        with writer:
            place: Any = writer.write(
                shape=shape, dtype=dtype, returnoffset=True, **options, **tags
            )
        return _PlainSink(path, place[0])
    predictor = dtype.kind in "iu" and dtype.itemsize <= 4
    options |= {"compression": _CODECS[layout.compression], "predictor": predictor}
    return _CompressedSink(writer, options, tags)


class _PlainSink(Sink):
    """Fills the space that tifffile laid out."""

    def __init__(self, path: Path, offset: int) -> None:
        self._file = path.open("r+b")
        self._file.seek(offset)

    def append(self, block: NDArray[Any]) -> None:
        self._file.write(np.ascontiguousarray(block).data)

    def close(self) -> None:
        self._file.close()


class _CompressedSink(Sink):
    """Appends pages; the first one carries the description of all."""

    def __init__(self, writer: Any, options: dict[str, Any], first: dict[str, Any]) -> None:
        self._writer = writer
        self._options = options
        self._first = first

    def append(self, block: NDArray[Any]) -> None:
        for frame in block:
            self._writer.write(frame, **self._options, **self._first)
            self._first = {}

    def close(self) -> None:
        self._writer.close()
