"""Where in a TIFF file the pixels of its movie lie, and what decodes them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from freq2clean.errors import InputError
from freq2clean.recordings.pixels import pixel_dtype
from freq2clean.recordings.tiff_metadata import claimed_frames

__all__ = ["Pages"]

_LARGEST_FRAME_BYTES = 2**31
_LARGEST_RATIO = 2000
_FORMAT_CODES = (256, 257, 258, 259, 277, 278, 317, 322, 323, 339)
_FORMAT_TAGS = {
    order: frozenset(struct.pack(f"{order}H", code) for code in _FORMAT_CODES) for order in "<>"
}


class Pages:
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
        start = series[0].dataoffset if len(series) == 1 and keyframe.is_final else None
        if start is None:
            self._lay_out_pages(tif, series, claimed)
        else:
            if not claimed:
                self._check_chain(tif)
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
        self._check_chain(tif)
        pages = [page for one in series for page in one]
        if None in pages:
            raise self._truncated(frames, frames - pages.count(None))
        self._check_alike(tif, pages)
        self.offsets = np.array([page.dataoffsets for page in pages], np.int64)
        self.counts = np.array([page.databytecounts for page in pages], np.int64)
        missing = (self.counts <= 0) | (self.offsets + self.counts > self._size)
        missing |= self.offsets < 0
        if missing.any() or not missing.shape[1]:
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

    def _check_alike(self, tif: Any, pages: list[Any]) -> None:
        """That no page has its own size or format: tifffile looks at some pages only."""
        first = None
        for number, page in enumerate(pages):
            format_tags = _format_tags(tif, page.offset)
            first = first or format_tags
            if format_tags != first:
                raise InputError(
                    f"{self._name}: page {number} differs from page 0 in size or format: save the "
                    "movie alone"
                )

    def _truncated(self, claimed: int, held: int) -> InputError:
        return InputError(
            f"{self._name} is truncated: its header claims {claimed} frames of "
            f"{self._frame_text} pixels; its {self._size} bytes hold {held}"
        )


def _movie(tif: Any, name: str) -> list[Any]:
    """The series that make up the movie: one, or many alike as appended one after another."""
    if tif.is_shaped and not claimed_frames(tif) and len(tif.pages) > 1 and tif.is_uniform:
        return [_page_by_page(tif)]
    series = list(tif.series)
    if not series:
        raise InputError(f"{name} holds no image")
    if any(one.is_multifile for one in series):
        raise InputError(
            f"{name} is one of several files of an OME-TIFF: join them into one file first"
        )
    movies = [one for one in series if len(one.shape) > 2] or series
    if len(series) == 1 or (len(movies) == 1 and _is_unbroken(movies[0])):
        return movies
    if len({one.keyframe.hash for one in series}) == 1 and max(len(s.shape) for s in series) <= 3:
        return series
    found = ", ".join(f"{one.axes} = {one.shape} {one.dtype}" for one in series[:8])
    raise InputError(
        f"{name} holds {len(series)} series of unequal shapes, dtypes or compressions ({found}): "
        "save the movie alone"
    )


def _is_unbroken(series: Any) -> bool:
    """Whether no other image, such as a thumbnail, stands between its pages."""
    numbers = [page.index for page in series if page is not None]
    return bool(numbers[-1] - numbers[0] == len(numbers) - 1)


def _format_tags(tif: Any, offset: int) -> list[bytes]:
    """The entries of a page's directory that say its size, dtype and compression."""
    file, tiff = tif.filehandle, tif.tiff
    file.seek(offset)
    (count,) = struct.unpack(tiff.tagnoformat, file.read(tiff.tagnosize))
    entries = file.read(count * tiff.tagsize)
    return [
        entries[start : start + tiff.tagsize]
        for start in range(0, len(entries), tiff.tagsize)
        if entries[start : start + 2] in _FORMAT_TAGS[tif.byteorder]
    ]


def _page_by_page(tif: Any) -> Any:
    """One series of pages, each of which tifffile would take, slowly, for a series of its own."""
    import tifffile

    tif.pages.useframes = True
    tif.pages.set_keyframe(0)
    first = tif.pages.first
    shape = (len(tif.pages), *first.shape)
    return tifffile.TiffPageSeries(tif.pages[:], shape, first.dtype, f"T{first.axes}")


def _axes(tif: Any, series: list[Any]) -> tuple[str, tuple[int, ...]]:
    if len(series) > 1:
        return "TYX", (sum(len(one) for one in series), *series[0].keyframe.shape)
    (one,) = series
    axes, shape = one.axes, tuple(int(size) for size in one.shape)
    if axes == "YX" and _says_frames(tif, one.kind):
        return "TYX", (1, *shape)
    return axes, shape


def _says_frames(tif: Any, kind: str) -> bool:
    """Whether what is with a single image calls it a frame of several axes."""
    if kind == "shaped":
        return len(tif.shaped_metadata[0]["shape"]) > 2
    return kind == "imagej" and "frames" in tif.imagej_metadata
