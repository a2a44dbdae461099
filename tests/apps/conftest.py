"""The command as a real process, and small recordings for it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

from freq2clean.__main__ import main

COMMAND = [sys.executable, "-W", "error", "-m", "freq2clean"]
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(scope="session")
def command() -> list[str]:
    return COMMAND


@pytest.fixture(scope="session")
def freq2clean() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command with arguments; warnings are errors, and output is text."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
            **options,
        )

    return run


@pytest.fixture
def freq2clean_here(capsys, monkeypatch) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The same in this process, which is much faster; what needs no real process uses it."""
    handlers = {number: signal.getsignal(number) for number in STOPS}

    def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        words = ["freq2clean", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", words)
        if cwd:
            monkeypatch.chdir(cwd)
        with pytest.raises(SystemExit) as stopped:
            main()
        written = capsys.readouterr()
        return subprocess.CompletedProcess(words, stopped.value.code, written.out, written.err)

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def make_pair() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """A raw recording (uint16) of a textured scene, and a blurred, quiet one (float32)."""

    def make(shape: tuple[int, int, int] = (40, 24, 28)) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(5)
        scene = 200 + 80 * gaussian_filter(rng.standard_normal(shape[1:]), 1.0)
        raw = rng.poisson(np.broadcast_to(scene, shape)).astype(np.uint16)
        quiet = gaussian_filter(scene, 2.0) + rng.normal(0, 1, shape)
        return raw, quiet.astype(np.float32)

    return make


@pytest.fixture
def pair(tmp_path: Path, make_pair) -> Path:
    """A folder with raw.tif and denoised.tif."""
    raw, denoised = make_pair()
    imagej = {
        "imagej": True,
        "resolution": (2.0, 2.0),
        "metadata": {"axes": "TYX", "finterval": 0.05, "unit": "um"},
    }
    tifffile.imwrite(tmp_path / "raw.tif", raw, **imagej)
    tifffile.imwrite(tmp_path / "denoised.tif", denoised, photometric="minisblack")
    return tmp_path
