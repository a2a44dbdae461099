"""TIFF files: plain, BigTIFF, ImageJ, OME, tiled, compressed.

tifffile reads the directory of pages once; pixels are then read from the mapped file, without a
lock and without an open file.
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
from freq2clean.recordings.contract import Metadata, Recording, Sink
from freq2clean.recordings.pixels import map_bytes, native, pixel_dtype
from freq2clean.recordings.tiff_metadata import (
    claimed_frames,
    imagej_tags,
    plain_tags,
    read_metadata,
)

__all__ = ["TiffRecording", "open_tiff", "tiff_sink"]

_CLASSIC_LIMIT_BYTES = 2**32 - 2**25
_IMAGEJ_DTYPES = ("uint8", "uint16", "float32")
_LARGEST_FRAME_BYTES = 2**31
_LARGEST_RATIO = 2000
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
    ) -> None:
        import tifffile

        self.name = str(path)
        self.paths = (path,)
        self._path = path
        with _tifffile_errors(path), tifffile.TiffFile(path) as tif:
            pages = _Pages(tif, self.name)
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

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        offsets, counts = self._offsets[start:stop], self._counts[start:stop]
        first = int(offsets.min())
        data = map_bytes(self._path, first, int((offsets + counts).max()))
        offsets = offsets - first
        if self._decoder is None and (np.diff(offsets[:, 0]) == counts[:-1, 0]).all():
            frames = np.frombuffer(data, self._stored).reshape(stop - start, *self.shape[1:])
            return native(frames)
        out = np.empty((stop - start, *self.shape[1:]), self.dtype)

        def fill(i: int) -> None:
            segments = [data[o : o + n] for o, n in zip(offsets[i], counts[i], strict=True)]
            try:
                self._decode(segments, out[i])
            except Exception as error:  # a decoder may raise anything on damaged data
                raise InputError(
                    f"{self.name}: frame {start + i} cannot be decoded ({error}): "
                    "the file is damaged"
                ) from error

        if stop - start == 1 or self._decoder is None:
            for i in range(stop - start):
                fill(i)
        else:
            with ThreadPoolExecutor() as pool:
                list(pool.map(fill, range(stop - start)))
        return out

    def _decode(self, segments: list[memoryview], out: NDArray[Any]) -> None:
        """Put the strips or tiles of one frame where they belong."""
        if self._decoder is None:
            out[...] = np.frombuffer(segments[0], self._stored).reshape(out.shape)
            return
        for i, segment in enumerate(segments):
            decoded, (_, _, row, column, _), shape = self._decoder(bytes(segment), i)
            part = out[row : row + shape[1], column : column + shape[2]]
            part[...] = decoded[0, : part.shape[0], : part.shape[1], 0]


class _Pages:
    """Where the pixels of every page of a TIFF's movie lie.

    Attributes
    ----------
    axes, shape
        Of the movie; axes of length 1 only where the file names them as axes of a movie.
    frame_shape, dtype
        Of a page, the dtype in the file's byte order.
    offsets, counts : int64 arrays, pages x segments
        Of each strip or tile in the file; one segment per page where pages are stored as they are.
    decoder : callable or None
        What decodes a segment; None where pages are stored as they are.
    """

    def __init__(self, tif: Any, name: str) -> None:
        series = _movie(tif, name)
        keyframe = series[0].keyframe
        if len(keyframe.shape) != 2:
            raise InputError(
                f"{name}: its pages have axes {keyframe.axes} = {keyframe.shape}, several samples "
                "per pixel (RGB?); a recording is a grey movie: convert it to grey first"
            )
        self.frame_shape: tuple[int, int] = keyframe.shape
        stored = pixel_dtype(keyframe.dtype, name=name)
        self.dtype = stored.newbyteorder(tif.byteorder)
        self._name = name
        self._frame_text = " x ".join(map(str, self.frame_shape))
        self._size = tif.filehandle.size
        self._frame_bytes = int(np.prod(self.frame_shape, dtype=object)) * stored.itemsize
        self._check_frame_size()
        self.axes, self.shape = _axes(tif, series)
        self.decoder: Callable[..., Any] | None = None
        claimed = claimed_frames(tif)
        if not claimed:
            self._check_chain(tif)
        start = series[0].dataoffset if len(series) == 1 and keyframe.is_final else None
        if start is None:
            self._lay_out_pages(tif, series, claimed)
        else:
            self._lay_out_contiguous(start, claimed)

    def _lay_out_contiguous(self, start: int, claimed: int) -> None:
        frames = int(np.prod(self.shape[:-2], dtype=object))
        if claimed > frames == 1:  # ImageJ's way beyond 4 GB: one page describes all
            self.axes, self.shape, frames = "TYX", (claimed, *self.frame_shape), claimed
        if start + max(frames, claimed) * self._frame_bytes > self._size:
            held = (self._size - start) // self._frame_bytes
            raise self._truncated(max(frames, claimed), held)
        self.offsets = start + self._frame_bytes * np.arange(frames)[:, None]
        self.counts = np.full_like(self.offsets, self._frame_bytes)

    def _lay_out_pages(self, tif: Any, series: list[Any], claimed: int) -> None:
        frames = max(claimed, sum(len(one) for one in series))
        held = len(tif.pages)
        if frames > held:
            raise self._truncated(frames, held)
        pages = [page for one in series for page in one]
        if None in pages:
            raise self._truncated(frames, frames - pages.count(None))
        self.offsets = np.array([page.dataoffsets for page in pages], np.int64)
        self.counts = np.array([page.databytecounts for page in pages], np.int64)
        missing = (self.counts == 0) | (self.offsets + self.counts > self._size)
        if missing.any():
            raise self._truncated(frames, int(np.argmax(missing.any(1))))
        keyframe = series[0].keyframe
        ends = self.offsets[:, :-1] + self.counts[:, :-1]
        if keyframe.is_final and (ends == self.offsets[:, 1:]).all():
            self.offsets = self.offsets[:, :1]
            self.counts = np.full_like(self.offsets, self._frame_bytes)
            return
        segments = int(np.prod(keyframe.chunked))
        if self.counts.shape[1] != segments:
            raise InputError(
                f"{self._name}: its pages need {segments} strips or tiles and list "
                f"{self.counts.shape[1]}: the file is damaged"
            )
        self.decoder = keyframe.decode

    def _check_frame_size(self) -> None:
        if self._frame_bytes > max(_LARGEST_FRAME_BYTES, _LARGEST_RATIO * self._size):
            raise InputError(
                f"{self._name} is damaged or truncated: its header claims frames of "
                f"{self._frame_text} pixels, {self._frame_bytes} bytes each, and the file has "
                f"{self._size} bytes"
            )

    def _check_chain(self, tif: Any) -> None:
        tif.filehandle.seek(tif.pages.next_page_offset)
        following = tif.filehandle.read(tif.tiff.offsetsize)
        if any(following) or len(following) < tif.tiff.offsetsize:
            raise InputError(
                f"{self._name} is truncated: after frame {len(tif.pages) - 1} its directory of "
                f"frames points beyond its end at {self._size} bytes"
            )

    def _truncated(self, claimed: int, held: int) -> InputError:
        return InputError(
            f"{self._name} is truncated: its header claims {claimed} frames of "
            f"{self._frame_text} pixels; its {self._size} bytes hold {held}"
        )


def _movie(tif: Any, name: str) -> list[Any]:
    """The series that make up the movie: one, or many alike as appended one after another."""
    series = list(tif.series)
    if not series:
        raise InputError(f"{name} holds no image")
    if any(one.is_multifile for one in series):
        raise InputError(
            f"{name} is one of several files of an OME-TIFF: join them into one file first"
        )
    movies = [one for one in series if len(one.shape) > 2] or series
    if len(movies) == 1:
        return movies
    if len({one.keyframe.hash for one in series}) == 1 and max(len(s.shape) for s in series) <= 3:
        return series
    found = ", ".join(f"{one.axes} = {one.shape} {one.dtype}" for one in series[:8])
    raise InputError(
        f"{name} holds {len(series)} series of unequal shapes, dtypes or compressions ({found}): "
        "save the movie alone"
    )


def _axes(tif: Any, series: list[Any]) -> tuple[str, tuple[int, ...]]:
    if len(series) > 1:
        return "TYX", (sum(len(one) for one in series), *series[0].keyframe.shape)
    (one,) = series
    axes, shape = one.axes, tuple(int(size) for size in one.shape)
    named = one.kind == "shaped" or (one.kind == "imagej" and "frames" in tif.imagej_metadata)
    if axes == "YX" and named and len(one.get_shape(False)) > 2:
        return "TYX", (1, *shape)
    return axes, shape


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


def tiff_sink(
    path: Path,
    inside: str,
    shape: tuple[int, int, int],
    dtype: np.dtype[Any],
    metadata: Metadata,
    compression: str | None,
) -> Sink:
    """Writes a TIFF, ImageJ-readable where ImageJ knows the dtype and the file fits into 4 GB.

    Beyond 4 GB it is a BigTIFF. A compressed file might shrink below that, which nobody knows yet.
    """
    import tifffile

    nbytes = int(np.prod(shape, dtype=object)) * dtype.itemsize
    big = nbytes + 512 * shape[0] > _CLASSIC_LIMIT_BYTES
    byteorder: Any = {"little": "<", "big": ">"}[sys.byteorder]
    imagej = dtype.name in _IMAGEJ_DTYPES and not big
    tags = imagej_tags(shape, metadata, byteorder) if imagej else plain_tags(shape, metadata)
    writer = tifffile.TiffWriter(path, bigtiff=big, byteorder=byteorder)
    options: dict[str, Any] = {"photometric": "minisblack", "metadata": None}
    if compression is None:
        with writer:
            place: Any = writer.write(
                shape=shape, dtype=dtype, returnoffset=True, **options, **tags
            )
        return _PlainSink(path, place[0])
    predictor = dtype.kind in "iu" and dtype.itemsize <= 4
    options |= {"compression": _CODECS[compression], "predictor": predictor}
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
