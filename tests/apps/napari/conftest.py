"""A display, napari with this plugin, and small recordings in every format."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from freq2clean.recordings import Metadata, Recording, create


@pytest.fixture
def folder(tmp_path: Path, make_pair) -> Path:
    """With raw.tif, of 20 frames per second and pixels of 1.5 um, and denoised.tif."""
    raw, denoised = make_pair()
    for name, movie, metadata in (
        ("raw", raw, Metadata(20.0, (1.5, 1.5))),
        ("denoised", denoised, Metadata()),
    ):
        with create(
            tmp_path / f"{name}.tif", movie.shape, movie.dtype, metadata=metadata
        ) as writer:
            writer.append(movie)
    return tmp_path


class _Counted(Recording):
    """A recording that notes which frames are read."""

    def __init__(self, array: np.ndarray) -> None:
        self.name, self.shape, self.dtype = "counted", array.shape, array.dtype
        self.metadata = Metadata()
        self.seen: list[tuple[int, int]] = []
        self._array = array

    def _read(self, start: int, stop: int) -> np.ndarray:
        self.seen.append((start, stop))
        return self._array[start:stop]


@pytest.fixture
def counted(make_pair) -> _Counted:
    return _Counted(make_pair((60, 32, 40))[0])


@pytest.fixture(scope="session")
def write_format() -> Callable[[str, Path], str]:
    """A file or a folder in a format, written by the library that is used for it."""
    conftest = Path(__file__).parents[2] / "recordings/conftest.py"
    spec = spec_from_file_location("conftest_of_recordings", conftest)
    assert spec
    assert spec.loader
    room = module_from_spec(spec)
    spec.loader.exec_module(room)

    def write(name: str, folder: Path) -> str:
        written, dtypes = room._EVERY[name]
        return written(folder, room.make_movie(dtypes[0]))

    return write


@pytest.fixture(scope="session")
def _display() -> Iterator[None]:
    """A virtual one where there is none."""
    if not sys.platform.startswith("linux") or os.environ.get("DISPLAY"):
        yield
        return
    server = shutil.which("Xvfb")
    if server is None:
        pytest.skip("there is no display, and no Xvfb to make one")
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [server, "-displayfd", str(writing), "-screen", "0", "1600x1200x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading) as answer:
        os.environ["DISPLAY"] = f":{answer.readline().strip()}"
    yield
    del os.environ["DISPLAY"]
    process.terminate()
    process.wait()


@pytest.fixture(scope="session")
def _plain_imports(request) -> Iterator[None]:
    """No rewriting of the assertions in napari, as pytest does for its plugins: it takes longer
    than these tests. All of ours are rewritten by now."""
    hook = request.config.pluginmanager.rewrite_hook
    sys.meta_path.remove(hook)
    yield
    sys.meta_path.insert(0, hook)


@pytest.fixture(scope="session")
def napari(_display, _plain_imports, tmp_path_factory) -> ModuleType:
    """napari, with settings of its own, that knows the plugin of this tree."""
    if find_spec("napari") is None:
        pytest.skip("napari is not installed")
    window = "from qtpy.QtWidgets import QApplication; QApplication([])"
    tried = subprocess.run(
        [sys.executable, "-c", window], capture_output=True, text=True, check=False
    )
    if tried.returncode:  # where a library of the system is missing, Qt ends the process
        pytest.skip(f"Qt cannot open a window: {tried.stderr.strip().splitlines()[-1:]}")
    os.environ["NAPARI_CONFIG"] = str(tmp_path_factory.mktemp("napari") / "settings.yaml")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import napari
        from npe2 import PluginManager, PluginManifest

        import freq2clean.apps.napari as room

        manager = PluginManager.instance()
        manager.discover()
        if "freq2clean" not in manager:
            manifest = Path(room.__file__).with_name("napari.yaml")
            manager.register(PluginManifest.from_file(manifest))
    return napari


@pytest.fixture(scope="module")
def _window(napari) -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        viewer = napari.Viewer(show=False)
    yield viewer
    viewer.close()
    _events()


@pytest.fixture
def viewer(_window, monkeypatch) -> Iterator[Any]:
    """An empty viewer; an exception in a slot fails the test."""
    failed: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: failed.append(error))
    yield _window
    _window.window.remove_dock_widget("all")
    _window.layers.clear()
    _events()
    assert not failed, failed


def _events() -> None:
    from qtpy.QtCore import QEvent
    from qtpy.QtWidgets import QApplication

    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    QApplication.processEvents()


@pytest.fixture
def until() -> Callable[..., None]:
    """Let Qt work until something is true."""

    def wait(condition: Callable[[], Any], *, seconds: float = 60) -> None:
        ends = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < ends, "waited in vain"
            _events()
            time.sleep(0.005)

    return wait
