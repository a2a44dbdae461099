"""Pictures read back, and small recordings to draw."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image, ImageSequence

from freq2clean import FuseResult, create, denoise, fuse, simulate
from freq2clean.inspection import Gain
from freq2clean.recordings import Metadata
from freq2clean.report.html import Known, read_rois, write_report


@pytest.fixture
def pixels() -> Callable[[Path], np.ndarray]:
    def read(path: Path) -> np.ndarray:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))

    return read


@pytest.fixture
def frames_of() -> Callable[[Path], tuple[np.ndarray, list[float]]]:
    """The frames of a movie (n, Y, X, 3), and how long each is shown, in seconds."""

    def read_gif(path: Path) -> tuple[np.ndarray, list[float]]:
        with Image.open(path) as movie:
            held = [
                (np.asarray(image.convert("RGB")), image.info["duration"] / 1000)
                for image in ImageSequence.Iterator(movie)
            ]
        frames, seconds = zip(*held, strict=True)
        return np.stack(frames), list(seconds)

    def read_video(path: Path) -> tuple[np.ndarray, list[float]]:
        av = pytest.importorskip("av")
        with av.open(str(path)) as movie:
            (stream,) = movie.streams
            context = stream.codec_context
            assert context.pix_fmt == "yuv420p"
            assert context.colorspace == context.color_primaries == 1  # BT.709
            held = list(movie.decode(stream))
            end = float(stream.duration * stream.time_base if stream.duration else 0)
        times = [float(frame.pts * frame.time_base) for frame in held]
        last = end - times[-1] if end else np.mean(np.diff(times))
        frames = [frame.to_ndarray(format="rgb24", src_colorspace="ITU709") for frame in held]
        return np.stack(frames), [*np.diff(times), last]

    return lambda path: (read_gif if path.suffix == ".gif" else read_video)(path)


@pytest.fixture
def panels_of() -> Callable[..., list[np.ndarray]]:
    """The images in a picture, magnified as they are: what is no paper, from left to right."""

    def cut(rgb: np.ndarray, shape: tuple[int, int], n: int) -> list[np.ndarray]:
        paper = np.abs(rgb.astype(int) - 17).max(axis=2) <= 30
        height, width = shape
        solid = ~paper
        counts = np.cumsum(np.cumsum(np.pad(solid, ((1, 0), (1, 0))), 0), 1)
        whole = (
            counts[height:, width:] - counts[:-height, width:]
            - counts[height:, :-width] + counts[:-height, :-width]
        ) >= height * width  # fmt: skip
        corners = sorted(zip(*np.nonzero(whole), strict=True))
        assert len(corners) == n
        return [rgb[y : y + height, x : x + width] for y, x in corners]

    return cut


@pytest.fixture
def known(tmp_path) -> dict[str, Path]:
    """Two TIFFs of 40 frames, 24 x 32 pixels of 0.5 um at 10 Hz: flat frames, whose values count
    up and down; all their pixels are drawn as something that is no paper."""
    shape = (40, 24, 32)
    metadata = Metadata(frame_rate_hz=10.0, pixel_size_um=(0.5, 0.5))
    paths = {}
    for title, values in (("up", range(60, 100)), ("down", range(99, 59, -1))):
        paths[title] = tmp_path / f"{title}.tif"
        frames = np.broadcast_to(np.uint16(values)[:, None, None], shape)
        with create(paths[title], shape, np.uint16, metadata=metadata) as writer:
            writer.append(np.ascontiguousarray(frames))
    return paths


@pytest.fixture
def longest_run() -> Callable[[np.ndarray], int]:
    """Of pixels in a row of a mask: the length of a scale bar."""

    def measure(mask: np.ndarray) -> int:
        text = "\n".join("".join("#" if pixel else " " for pixel in line) for line in mask)
        return max(map(len, text.split()), default=0)

    return measure


class Fused(NamedTuple):
    """A simulated recording with a hostile name, fused, and what was found on the way."""

    raw: Path
    denoised: Path
    fused: Path
    truth: Path
    labels: Path
    result: FuseResult


HOSTILE = "\"><script>alert(1)</script>&'<b>.tif"
"""Part of it is a folder, for there is a slash in it."""


@pytest.fixture(scope="session")
def fused_files(tmp_path_factory) -> Fused:
    folder = tmp_path_factory.mktemp("fused")
    simulate((90, 72, 80), seed=5, out=folder, pixel_size_um=0.5)
    raw = folder / HOSTILE
    raw.parent.mkdir(parents=True)
    (folder / "raw.tif").rename(raw)
    denoised, fused = folder / "denoised.tif", folder / "fused.tif"
    denoise(raw, model="gaussian", out=denoised)
    result = fuse(raw, denoised, out=fused)
    return Fused(raw, denoised, fused, folder / "truth.tif", folder / "labels.tif", result)


@pytest.fixture(scope="session")
def gain() -> Gain:
    """As a probe finds it, with a tile that it could not measure."""
    return Gain(
        db=4.24, interval_db=(3.91, 4.52), mse_denoised=10.0, mse_fused=3.77, mse_change=-6.23,
        mse_change_error=0.1, noise_left=1.0, ring_frequencies=(0.0, 0.02, 0.06, 0.1),
        ring_correlation_denoised=(1.0, 0.9, 0.4, None),
        ring_correlation_fused=(1.0, 0.95, 0.7, None), detail_px_denoised=50.0,
        detail_px_fused=16.7, map_db=((4.0, 3.0), (None, 5.0)), tile_shape=(36, 40), frames=64,
    )  # fmt: skip


@pytest.fixture(scope="session")
def whole_report(fused_files, gain, tmp_path_factory) -> Path:
    """A report with everything in it."""
    out = tmp_path_factory.mktemp("report") / "report.html"
    rois = {"truth": read_rois(fused_files.labels), "fused": read_rois(fused_files.labels)}
    known = Known(fusion=fused_files.result, gain=gain, rois=rois)
    write_report(*fused_files[:3], out=out, truth=fused_files.truth, known=known)
    return out
