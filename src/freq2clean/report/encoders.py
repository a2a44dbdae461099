"""Movie files, frame by frame in the memory of one: GIF by Pillow, MP4 and WebM by PyAV."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freq2clean.errors import MissingExtraError, OutputError
from freq2clean.report.palette import Palette

__all__ = ["FORMATS", "MovieFormat", "movie_format"]

Add = Callable[[NDArray[np.uint8]], None]
_BT709 = _LIMITED = 1  # FFmpeg's numbers of colour spaces and of ranges
_GIF_SHADES = 64
_TRANSPARENT = _GIF_SHADES
_FOREVER = b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"


@dataclass(frozen=True)
class MovieFormat:
    """How frames of one suffix are written.

    Attributes
    ----------
    codec : str
        What FFmpeg calls it.
    most_fps : float
        That players keep up with.
    n_shades : int or None
        Fewer of them make smaller files; None for all.
    options : mapping
        Of the codec.
    """

    codec: str
    most_fps: float
    n_shades: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_video(self) -> bool:
        return self.codec != "gif"

    def check_installed(self) -> None:
        """Raise MissingExtraError or OutputError unless files can be written."""
        if not self.is_video:
            return
        if find_spec("av") is None:
            raise MissingExtraError(
                'MP4 and WebM need PyAV; install it with pip install "freq2clean[video]", or '
                "write a .gif"
            )
        import av

        if self.codec not in av.codecs_available:
            raise OutputError(
                f"this PyAV has no encoder {self.codec}; install the one from PyPI, or write "
                "another format (.mp4, .webm, .gif)"
            )

    def writing(
        self, file: Path, size: tuple[int, int], fps: float, palette: Palette
    ) -> AbstractContextManager[Add]:
        """A function that adds frames of palette indices of that (even) height and width."""
        if self.is_video:
            return _video(file, size, fps, palette, self)
        return _gif(file, size, fps, palette)


FORMATS = {
    ".gif": MovieFormat("gif", 50, n_shades=_GIF_SHADES),
    ".mp4": MovieFormat("libx264", 60, options={"crf": "23", "preset": "veryfast"}),
    ".webm": MovieFormat(
        "libvpx-vp9", 60,
        options={"crf": "30", "b:v": "0", "deadline": "realtime", "cpu-used": "5", "row-mt": "1"},
    ),
}  # fmt: skip


def movie_format(path: Path) -> MovieFormat:
    """The format that a suffix names; raises as `MovieFormat.check_installed` does.

    Examples
    --------
    >>> movie_format(Path("movie.gif")).most_fps
    50
    """
    try:
        found = FORMATS[path.suffix.lower()]
    except KeyError:
        raise OutputError(
            f"{path}: unknown suffix {path.suffix!r}; movies end in {', '.join(FORMATS)}, "
            "pictures in .png"
        ) from None
    found.check_installed()
    return found


@contextmanager
def _gif(file: Path, size: tuple[int, int], fps: float, palette: Palette) -> Iterator[Add]:
    """One palette for all frames, and of each only the pixels that are not as they were.

    Delays are hundredths of a second, which keep time on average.
    """
    from PIL import Image
    from PIL.GifImagePlugin import getdata

    n_frames = 0
    before = np.full(size, _TRANSPARENT, np.uint8)

    def add(indices: NDArray[np.uint8]) -> None:
        nonlocal n_frames
        delay = round(100 * (n_frames + 1) / fps) - round(100 * n_frames / fps)
        changes = indices.copy()
        changes[indices == before] = _TRANSPARENT
        shown: dict[str, Any] = {
            "duration": 10 * delay,
            "transparency": _TRANSPARENT,
            "disposal": 1,
        }
        for part in getdata(Image.fromarray(changes), **shown):
            out.write(part)
        before[:] = indices
        n_frames += 1

    with file.open("wb") as out:
        height, width = size
        out.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF7, 0, 0))
        out.write(palette.colours.tobytes() + _FOREVER)
        yield add
        out.write(b";")


@contextmanager
def _video(
    file: Path, size: tuple[int, int], fps: float, palette: Palette, how: MovieFormat
) -> Iterator[Add]:
    """H.264 or VP9, 8 bits, 4:2:0, with the colours of BT.709, which is what browsers play."""
    import av

    def add(indices: NDArray[np.uint8]) -> None:
        frame = av.VideoFrame.from_ndarray(palette.colours[indices], format="rgb24")
        video = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        container.mux(stream.encode(video))

    options = {"movflags": "+faststart"} if file.suffix.lower() == ".mp4" else {}
    with av.open(str(file), "w", options=options) as container:
        stream: Any = container.add_stream(
            how.codec, rate=Fraction(fps).limit_denominator(1000), options=dict(how.options)
        )
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.color_range = _LIMITED
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        yield add
        container.mux(stream.encode(None))
