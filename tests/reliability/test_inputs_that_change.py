"""A result is made of one state of its inputs, or not made."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from freq2clean import InputError, fuse
from freq2clean.recordings import create, open_recording

PIXELS = np.arange(6 * 8 * 9, dtype=np.uint16).reshape(6, 8, 9)


def write(path: Path, pixels=PIXELS) -> Path:
    if path.suffix == ".zarr":
        zarr.save_array(path, pixels, mode="w")
    elif path.suffix == ".npy":
        np.save(path, pixels)
    else:
        tifffile.imwrite(path, pixels, photometric="minisblack")
    return path


def overwrite(path: Path) -> None:
    write(path, PIXELS + 1)


def truncate(path: Path) -> None:
    file = path / "c" / "0" / "0" / "0" if path.is_dir() else path
    os.truncate(file, file.stat().st_size // 2)


def replace(path: Path) -> None:
    other = write(path.with_name("other" + path.suffix), PIXELS + 1)
    if path.is_dir():
        path.rename(path.with_name("old"))
    other.rename(path)


def copy(raw: Path, target: Path, in_between: Callable[[], None]) -> None:
    with (
        open_recording(raw) as recording,
        create(target, PIXELS.shape, "uint16", inputs=[recording]) as writer,
    ):
        writer.append(recording.read(0, 3).copy())
        in_between()
        writer.append(PIXELS[3:])


@pytest.mark.parametrize("change", [overwrite, truncate, replace])
@pytest.mark.parametrize("name", ["raw.npy", "raw.tif", "raw.zarr"])
def test_an_input_that_changes_is_refused(tmp_path, name, change):
    raw = write(tmp_path / name)
    target = tmp_path / "results" / "out.npy"
    target.parent.mkdir()
    write(target, PIXELS[:2])
    with pytest.raises(InputError, match=rf"{name}.* was changed while it was read"):
        copy(raw, target, lambda: change(raw))
    assert [path.name for path in target.parent.iterdir()] == ["out.npy"]
    np.testing.assert_array_equal(np.load(target), PIXELS[:2])


def test_a_fusion_of_an_input_that_is_still_written_is_refused(tmp_path):
    rng = np.random.default_rng(5)
    raw, denoised = (
        write(tmp_path / f"{name}.npy", rng.normal(100, 10, (40, 16, 18)).astype(np.float32))
        for name in ("raw", "denoised")
    )

    def touch(done: int, total: int) -> None:
        os.utime(raw)

    with pytest.raises(InputError, match=r"raw.npy was changed while it was read"):
        fuse(raw, denoised, out=tmp_path / "fused.npy", method="fft", progress=touch)
    assert {path.name for path in tmp_path.iterdir()} == {"raw.npy", "denoised.npy"}
    fuse(raw, denoised, out=tmp_path / "fused.npy", method="fft")
    assert open_recording(tmp_path / "fused.npy").shape == (40, 16, 18)
