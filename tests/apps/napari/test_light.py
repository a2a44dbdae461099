"""What napari pays at its start: a manifest, and no import of ours."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import yaml

import freq2clean.apps.napari as room

MANIFEST = yaml.safe_load(Path(room.__file__).with_name("napari.yaml").read_text())
HEAVY = {"numpy", "scipy", "tifffile", "h5py", "zarr", "torch", "matplotlib", "qtpy", "napari"}


def loaded(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.split(".")[0] for name in done.stdout.split()}


def test_the_manifest_is_declared():
    pyproject = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    manifests = pyproject["project"]["entry-points"]["napari.manifest"]
    assert manifests == {"freq2clean": "freq2clean.apps.napari:napari.yaml"}


def test_its_discovery_imports_nothing_heavy():
    assert not loaded("import freq2clean.apps.napari") & HEAVY


def test_to_be_asked_for_a_reader_it_needs_neither_qt_nor_libraries_of_formats():
    asked = "from freq2clean.apps.napari.reader import get_reader; get_reader('a.png')"
    assert not loaded(asked) & (HEAVY - {"numpy", "scipy"})


def test_every_command_is_there(napari):
    for command in MANIFEST["contributions"]["commands"]:
        module, name = command["python_name"].split(":")
        assert callable(getattr(import_module(module), name))
