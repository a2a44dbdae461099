"""The public face: its names, its docstrings, and what importing it costs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import statistics
import subprocess
import sys

import pytest

import freq2clean

PUBLIC = [
    "Auto",
    "Dct",
    "DeepCAD",
    "DenoiseResult",
    "Fft",
    "Freq2CleanError",
    "FuseResult",
    "Fusion",
    "Gaussian",
    "InputError",
    "MissingExtraError",
    "OutputError",
    "PCA",
    "SSIM3DOptions",
    "Scores",
    "StreamingFuser",
    "Subspace",
    "Wiener",
    "__version__",
    "create",
    "denoise",
    "evaluate",
    "fuse",
    "inspect",
    "open_recording",
    "run",
    "simulate",
    "train",
]
FUNCTIONS = [name for name in PUBLIC if name[0].islower()]
CLASSES = [
    "Auto",
    "Dct",
    "DeepCAD",
    "Fft",
    "Gaussian",
    "PCA",
    "SSIM3DOptions",
    "StreamingFuser",
    "Subspace",
    "Wiener",
]

MAY_IMPORT = {"freq2clean", "freq2clean.version"}
FORBIDDEN = {
    "PIL", "av", "dask", "h5py", "imagecodecs", "matplotlib", "numpy", "rich", "scipy", "skimage",
    "tifffile", "torch", "typer", "zarr",
}  # fmt: skip


NEEDS_A_DISPLAY = "freq2clean.apps.napari.qt."
"""Tested with napari, where there is one."""


def modules() -> list[str]:
    found = pkgutil.walk_packages(freq2clean.__path__, "freq2clean.")
    return [
        "freq2clean",
        *(
            module.name
            for module in found
            if module.name != "freq2clean.__main__" and not module.name.startswith(NEEDS_A_DISPLAY)
        ),
    ]


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


def test_the_public_names_are_frozen():
    assert sorted(freq2clean.__all__) == PUBLIC
    assert len(set(PUBLIC) - {"__version__"}) <= 27
    assert set(PUBLIC) <= set(dir(freq2clean))


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_documented(name):
    value = getattr(freq2clean, name)
    assert name == "__version__" or value.__doc__


@pytest.mark.parametrize("name", FUNCTIONS + CLASSES)
def test_what_is_called_has_an_example(name):
    assert ">>>" in getattr(freq2clean, name).__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'magic'"):
        freq2clean.magic  # noqa: B018


@pytest.mark.parametrize("name", modules())
def test_examples_run(name):
    result = doctest.testmod(
        importlib.import_module(name), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    assert result.failed == 0


@pytest.mark.parametrize("name", modules())
def test_every_module_says_what_it_is_for(name):
    assert importlib.import_module(name).__doc__ or name.endswith(("apps", "report"))


def test_what_the_import_brings_along():
    """Of the package itself only what is listed; of other packages only the standard library."""
    code = "import sys, freq2clean; print(*sys.modules)"
    loaded = python(code).split()
    assert {name for name in loaded if name.split(".")[0] == "freq2clean"} == MAY_IMPORT
    tops = {name.split(".")[0] for name in loaded}
    assert not tops & FORBIDDEN


def test_what_the_import_costs():
    """Less than 0.3 s more than NumPy and SciPy; in fact next to nothing."""
    code = (
        "import time, numpy, scipy; began = time.perf_counter(); import freq2clean; "
        "print(time.perf_counter() - began)"
    )
    assert statistics.median(float(python(code)) for _ in range(5)) < 0.3
