"""Videos: any codec is read through FFmpeg; lossless FFV1 is written."""

from __future__ import annotations

import bisect
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import InputError, MissingExtraError, OutputError
from freq2clean.recordings.axes import select
from freq2clean.recordings.contract import Layout, Metadata, Recording, Sink
from freq2clean.recordings.provenance import metadata_from, metadata_items

__all__ = ["VideoRecording", "VideoSink", "open_video"]

_PACKED_YUV = ("yuyv422", "uyvy422", "yvyu422")
_FFV1 = {"level": "3", "g": "1", "slicecrc": "1"}
_SLICED_PIXELS = 4096
"""FFmpeg cannot cut smaller frames into slices."""
_MOST_PIXELS = 2**25
"""Of a frame. FFmpeg takes memory for what a file claims; 7680 x 4320 are the largest of videos."""
_RATE_HZ = Fraction(25)
"""Of a video whose frame rate is not known, for none can be without."""


def open_video(
    path: Path, inside: str = "", *, channel: int | None = None, plane: int | None = None
) -> Recording:
    """Recording of one video file."""
    return VideoRecording(path, channel=channel, plane=plane)


class VideoRecording(Recording):
    """The pictures in a file: grey, the luma of colours, or one of red, green and blue.

    The timestamps of all frames are looked up once. To read, the decoder goes back to the key frame
    before the first frame that is wanted, unless it stands there already.

    Parameters
    ----------
    path : Path
    channel : int, optional
        0, 1, 2 for red, green, blue, where they differ.
    plane : None or 0

    Raises
    ------
    InputError
        Where the file is no video, or has colours and ``channel`` does not choose one.
    MissingExtraError
        Where PyAV is not installed.
    """

    def __init__(self, path: Path, *, channel: int | None = None, plane: int | None = None) -> None:
        self.name = str(path)
        self.paths = (path,)
        self._lock = threading.Lock()
        self._channel = channel
        with _ffmpeg_errors(self.name):
            self._container = _opened(path)
            self._stream = self._container.streams.video[0]
            self._times, self._keys = _timestamps(self._container, self._stream)
            if not self._times:
                raise InputError(f"{path} is a video without frames")
            self._go_to(0)
            first = _pixels(next(self._frames))
            self._next = 1
        axes, shape = "TCYX", (len(self._times), *first.shape)
        if channel is None and (first == first[:1]).all():
            shape = (shape[0], 1, *shape[2:])
        index = select(axes, shape, channel=channel, plane=plane, name=self.name)
        self._channel = None if channel is None else int(index[1])  # type: ignore[arg-type]
        self.shape = (shape[0], shape[2], shape[3])
        self.dtype = first.dtype
        self.metadata = _metadata(self._container, self._stream)
        self.notes = _notes(self.name, self._stream)

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        out = np.empty((stop - start, *self.shape[1:]), self.dtype)
        with self._lock, _ffmpeg_errors(self.name):
            if start != self._next:
                self._go_to(start)
            for number in range(start, stop):
                out[number - start] = self._decoded(number)
        return out

    def close(self) -> None:
        super().close()
        with self._lock:
            self._frames.close()
            self._container.close()

    def _decoded(self, number: int) -> NDArray[Any]:
        """The next frame, which has to be the one of that number."""
        frame = next(self._frames, None)
        if frame is None or frame.pts != self._times[number]:
            raise InputError(f"{self.name}: frame {number} cannot be decoded: the file is damaged")
        self._next = number + 1
        colours = _pixels(frame)
        if self._channel is None and (colours != colours[:1]).any():
            raise InputError(
                f"{self.name}: frame {number} has colours, which the first one has not: give "
                "--channel 0, 1 or 2 for red, green or blue"
            )
        chosen: NDArray[Any] = colours[self._channel or 0]
        return chosen

    def _go_to(self, number: int) -> None:
        """Let the decoder give the frame of that number next."""
        for key in reversed(self._keys[: bisect.bisect_right(self._keys, number)]):
            self._container.seek(self._times[key], stream=self._stream)
            if self._skip_to(number):
                return
        self._container.close()
        self._container = _opened(self.paths[0])
        self._stream = self._container.streams.video[0]
        if not self._skip_to(number):
            raise InputError(f"{self.name}: frame {number} cannot be found: the file is damaged")

    def _skip_to(self, number: int) -> bool:
        """Decode up to the frame of that number; false where decoding began after it."""
        decoding = self._container.decode(self._stream)
        for frame in decoding:
            if frame.pts is not None and frame.pts >= self._times[number]:
                self._frames = _and_then(frame, decoding)
                self._next = number
                return bool(frame.pts == self._times[number])
        return False


class VideoSink(Sink):
    """Writes an AVI of FFV1, which is lossless, every frame by itself."""

    def __init__(self, path: Path, layout: Layout) -> None:
        import av

        _, height, width = layout.shape
        if height * width > _MOST_PIXELS:
            raise OutputError(
                f"frames of {height} x {width} pixels are too large for a video, which has up to "
                f"{_MOST_PIXELS}: write another format"
            )
        rate = Fraction(layout.metadata.frame_rate_hz or _RATE_HZ).limit_denominator(10**6)
        self._format = "gray" if layout.dtype.itemsize == 1 else "gray16le"
        self._container = av.open(str(path), "w", format="avi")
        self._container.metadata["comment"] = json.dumps(metadata_items(layout.metadata))
        options = _FFV1 | ({"slices": "1"} if height * width < _SLICED_PIXELS else {})
        self._stream: Any = self._container.add_stream("ffv1", rate=rate, options=options)
        self._stream.height, self._stream.width = height, width
        self._stream.pix_fmt = self._format

    def append(self, block: NDArray[Any]) -> None:
        from av import VideoFrame

        for frame in block:
            pixels = np.ascontiguousarray(frame)
            self._put(VideoFrame.from_ndarray(pixels, format=self._format))

    def close(self) -> None:
        try:
            self._put(None)
        finally:
            self._container.close()

    def _put(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            self._container.mux(packet)


def _opened(path: Path) -> Any:
    try:
        import av
    except ImportError:
        raise MissingExtraError(
            f'{path} is a video, which needs PyAV; install it with pip install "freq2clean[video]"'
        ) from None
    container = av.open(str(path), options={"max_pixels": str(_MOST_PIXELS)})
    if not container.streams.video:
        container.close()
        raise InputError(f"{path} has no pictures in it")
    container.streams.video[0].thread_type = "AUTO"
    return container


def _and_then(first: Any, rest: Iterator[Any]) -> Any:
    yield first
    yield from rest


def _timestamps(container: Any, stream: Any) -> tuple[list[int], list[int]]:
    """When each frame is shown, in order, and which of them are key frames."""
    shown = [(packet.pts, packet.is_keyframe) for packet in container.demux(stream) if packet.size]
    if any(time is None for time, _ in shown):
        container.seek(0, stream=stream)
        shown = [(frame.pts, frame.key_frame) for frame in container.decode(stream)]
    shown.sort()
    return [time for time, _ in shown], [i for i, (_, is_key) in enumerate(shown) if is_key]


def _pixels(frame: Any) -> NDArray[Any]:
    """Values of a frame, (channels, Y, X): one of grey and of luma, or red, green and blue."""
    name = frame.format.name
    deep = frame.format.components[0].bits > 8
    if name in _PACKED_YUV:
        frame, name = frame.reformat(format="yuv422p"), "yuv422p"
    if name.startswith(("gray", "yuv", "nv")):
        stored = np.dtype(("<u2" if not name.endswith("be") else ">u2") if deep else "u1")
        plane = frame.planes[0]
        rows = np.frombuffer(plane, stored).reshape(plane.height, -1)
        return rows[np.newaxis, :, : frame.width].astype(stored.newbyteorder("="))
    colours = frame.reformat(format="rgb48le" if deep else "rgb24").to_ndarray()
    return np.ascontiguousarray(colours.transpose(2, 0, 1))


def _metadata(container: Any, stream: Any) -> Metadata:
    """What `VideoSink` kept, or else the frame rate of the video."""
    try:
        items = json.loads(container.metadata.get("comment", ""))
    except ValueError:
        items = None
    if not isinstance(items, dict):
        items = {"frame_rate_hz": stream.average_rate}
    return metadata_from(items)


def _notes(name: str, stream: Any) -> list[str]:
    codec, layout = stream.codec_context.codec, stream.codec_context.pix_fmt or ""
    notes = []
    if codec.lossy:
        notes.append(
            f"{name} was compressed as {codec.name}, which loses faint detail and alters the noise "
            "that fusion measures: use a lossless original where there is one"
        )
    if layout.startswith("yuv") or layout in _PACKED_YUV:
        notes.append(f"of {name}, in colour format {layout}, the luma was read")
    return notes


@contextmanager
def _ffmpeg_errors(name: str) -> Iterator[None]:
    """One clear error in place of FFmpeg's many."""
    try:
        yield
    except (InputError, MissingExtraError):
        raise
    except Exception as error:  # a damaged file may break a decoder anywhere
        raise InputError(f"{name} cannot be read as a video: {error}") from error
