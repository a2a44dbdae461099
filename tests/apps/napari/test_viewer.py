"""The plugin in a real viewer: open, scroll, fuse, cancel, compare, trace, save."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

import freq2clean
from freq2clean.apps.napari import sample
from freq2clean.apps.napari.lazy import LazyFrames
from freq2clean.recordings import open_recording

# napari and what it builds on: not ours to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]


FORMATS = [
    "tiff",
    "tiff-folder",
    "zarr-3",
    "zarr-in-group",
    "hdf5-lone",
    "matlab-lone",
    "npy",
    "nwb",
    "suite2p-folder",
    "caiman-c",
    "avi-ffv1",
]
"""One of each, as the tests of the readers write them."""


@pytest.fixture
def pair(viewer, folder):
    """The viewer with both recordings of the folder."""
    for name in ("raw", "denoised"):
        viewer.open(str(folder / f"{name}.tif"), plugin="freq2clean")
    return viewer


@pytest.fixture
def fusing(pair, until):
    """The dock widget beside both recordings; at its end, no work goes on."""
    _, widget = pair.window.add_plugin_dock_widget("freq2clean", "Fuse")
    yield widget
    if widget.worker:
        widget.cancel.click()
        until(lambda: widget.worker is None)


def press(viewer, key: str) -> None:
    from app_model.types import KeyBinding

    viewer.keymap[KeyBinding.from_str(key)](viewer)


def click(viewer, place: tuple[float, float], *, drag: bool = False) -> None:
    """Press and release the mouse where a row and a column of the world are on the canvas."""
    canvas = viewer.window._qt_viewer.canvas
    to_canvas = canvas.view.transform * canvas.view.scene.transform
    where = {"pos": to_canvas.map(place[::-1])[:2], "modifiers": (), "button": 1}
    scene = canvas._scene_canvas.events
    scene.mouse_press(**where)
    if drag:
        scene.mouse_move(**{**where, "pos": where["pos"] + 5})
    scene.mouse_release(**where)


@pytest.mark.parametrize("name", FORMATS)
def test_recordings_are_opened_and_scrolled_one_frame_at_a_time(
    viewer, tmp_path, write_format, name, monkeypatch
):
    path = write_format(name, tmp_path)
    with open_recording(path) as recording:
        frames = recording[:]
    (layer,) = viewer.open(path, plugin="freq2clean")
    seen = []
    read = layer.data.recording.read
    monkeypatch.setattr(
        layer.data.recording, "read", lambda *range_: seen.append(range_) or read(*range_)
    )
    for frame in (7, 3, 2):
        viewer.dims.set_current_step(0, frame)
        np.testing.assert_array_equal(layer._slice.image.raw, frames[frame])
    assert {stop - start for start, stop in seen} == {1}
    assert {start for start, _ in seen} == {7, 3, 2}


def test_the_reader_stands_beside_others(napari, folder):
    from npe2 import PluginManager

    readers = PluginManager.instance().iter_compatible_readers(str(folder / "raw.tif"))
    assert {reader.plugin_name for reader in readers} >= {"napari", "freq2clean"}


def test_a_pair_is_found_inspected_and_fused(pair, fusing, folder, until):
    assert (fusing.raw.currentText(), fusing.denoised.currentText()) == ("raw", "denoised")
    fusing.inspect.click()
    assert not fusing.fuse.isEnabled()
    until(lambda: fusing.worker is None)
    advice = freq2clean.inspect(folder / "raw.tif", folder / "denoised.tif").advice
    assert advice[0].sentence in fusing.findings.headline.text()
    assert fusing.findings.more.text() == f"{len(advice) - 1} more findings"
    fusing.findings.more.click()
    assert all(found.sentence[:20] in fusing.findings.details.text() for found in advice[1:])

    fusing.form.method.setCurrentText("wiener")
    fusing.fuse.click()
    until(lambda: fusing.worker is None)
    fused = pair.layers["fused"]
    assert isinstance(fused.data, LazyFrames)
    expected = freq2clean.fuse(folder / "raw.tif", folder / "denoised.tif", method="wiener")
    np.testing.assert_allclose(fused.data[:], expected, rtol=1e-5)
    assert "expected gain" in fusing.message.text()
    for layer in pair.layers:
        np.testing.assert_array_equal(layer.scale, [1, 1.5, 1.5])

    fused.contrast_limits = (150, 260)
    assert pair.layers["denoised"].contrast_limits == [150, 260]
    assert pair.layers["raw"].contrast_limits == [150, 260]


def test_the_button_and_the_key_show_denoised_and_fused_in_turn(pair, fusing, until):
    assert not fusing.toggle.isEnabled()
    fusing.form.method.setCurrentText("fft")
    fusing.fuse.click()
    until(lambda: fusing.worker is None)

    def shown() -> list[str]:
        return [layer.name for layer in pair.layers if layer.visible]

    assert shown() == ["fused"]
    press(pair, "W")
    assert shown() == ["denoised"]
    fusing.toggle.click()
    assert shown() == ["fused"]
    pair.layers.remove("fused")
    press(pair, "W")
    assert shown() == []
    assert not fusing.toggle.isEnabled()


def test_a_recording_of_another_scale_keeps_its_contrast(viewer, make_pair, until):
    raw, denoised = make_pair((80, 48, 48))
    viewer.add_image(raw, name="raw")
    viewer.add_image(denoised * 20 + 300, name="denoised")
    _, widget = viewer.window.add_plugin_dock_widget("freq2clean", "Fuse")
    widget.form.method.setCurrentText("wiener")
    widget.fuse.click()
    until(lambda: widget.worker is None)
    assert "another scale" in widget.message.text()
    before = viewer.layers["denoised"].contrast_limits
    viewer.layers["fused"].contrast_limits = (150, 260)
    assert viewer.layers["raw"].contrast_limits == [150, 260]
    assert viewer.layers["denoised"].contrast_limits == before


def test_into_a_file_and_saved_as_another(pair, fusing, folder, until):
    fusing.form.method.setCurrentText("fft")
    fusing.output.setText(str(folder / "fused.h5"))
    fusing.fuse.click()
    until(lambda: fusing.worker is None)
    fusing.save_to(folder / "copy.tif")
    until(lambda: fusing.worker is None)
    with open_recording(folder / "fused.h5") as fused, open_recording(folder / "copy.tif") as copy:
        np.testing.assert_array_equal(copy[:], fused[:])
        assert copy.metadata.provenance["method"] == "fft"
        assert copy.metadata.frame_rate_hz == 20
        assert copy.metadata.pixel_size_um == (1.5, 1.5)


def test_an_error_is_a_message(pair, fusing, folder, until):
    fusing.output.setText(str(folder / "raw.tif"))
    fusing.fuse.click()
    until(lambda: fusing.worker is None)
    assert "is one of the inputs" in fusing.message.text()
    assert "Traceback" not in fusing.message.text()
    assert fusing.fuse.isEnabled()
    assert len(pair.layers) == 2


def test_only_options_that_were_changed_are_handed_on(fusing):
    assert fusing.form.options() == {"method": "auto"}
    fusing.form.editors["window"].setValue(500)
    fusing.form.editors["limit"].setChecked(False)
    fusing.form.editors["align"].setCurrentText("end")
    changed = {"window": 500, "limit": False, "align": "end"}
    assert fusing.form.options() == {"method": "auto", **changed}
    fusing.form.method.setCurrentText("fft")
    fusing.form.editors["matching"].setCurrentText("histogram")
    fusing.form.editors["alpha"].setValue(0.5)
    assert fusing.form.options() == {"method": "fft", "matching": "histogram", "alpha": 0.5}


def test_cancelled_it_leaves_nothing(viewer, tmp_path, make_pair, until):
    for name, movie in zip(("raw", "denoised"), make_pair((300, 96, 96)), strict=True):
        viewer.add_image(movie, name=name)
    _, widget = viewer.window.add_plugin_dock_widget("freq2clean", "Fuse")
    widget.output.setText(str(tmp_path / "fused.tif"))
    widget.fuse.click()
    until(lambda: widget.progress.maximum() > 0)
    assert widget.cancel.isEnabled()
    widget.cancel.click()
    until(lambda: widget.worker is None, seconds=10)
    assert "cancelled" in widget.message.text()
    assert len(viewer.layers) == 2
    assert not list(tmp_path.iterdir())


def test_closed_while_it_works_the_work_stops(pair, fusing, until):
    fusing.fuse.click()
    worker = fusing.worker
    pair.window.remove_dock_widget("all")
    assert fusing.worker is None
    until(lambda: not worker.is_running, seconds=20)
    assert len(pair.layers) == 2
    pair.add_image(np.zeros((3, 4, 5)), name="later")
    assert fusing.raw.findText("later") == -1


def test_what_is_chosen_by_hand_stays(pair, fusing):
    fusing.raw.setCurrentText("denoised")
    fusing.raw.activated.emit(0)
    pair.add_image(np.zeros((3, 4, 5)), name="raw too")
    assert fusing.raw.currentText() == "denoised"
    pair.layers.remove("denoised")
    assert fusing.raw.currentText() == "raw"
    pair.add_image(np.zeros((4, 5)), name="flat")
    assert fusing.raw.findText("flat") == -1


@pytest.fixture
def tracing(pair):
    _, widget = pair.window.add_plugin_dock_widget("freq2clean", "Traces")
    return widget


def test_a_click_plots_the_neighbourhood_of_all_recordings(pair, tracing, folder, until):
    tracing.radius.setValue(2)
    click(pair, (10 * 1.5, 12 * 1.5))
    until(lambda: tracing.traces)
    rows, columns = np.mgrid[:24, :28]
    inside = np.hypot(rows - 10, columns - 12) <= 2
    assert list(tracing.traces) == ["raw", "denoised"]
    for name, trace in tracing.traces.items():
        with open_recording(folder / f"{name}.tif") as recording:
            np.testing.assert_allclose(trace, recording[:][:, inside].mean(axis=1), rtol=1e-5)
    assert "pixel 10,12" in tracing.message.text()
    axes = tracing.figure.axes[0]
    assert axes.get_xlabel() == "time, s"
    assert pair.layers["traced"].data[0].tolist() == [10, 12]


def test_a_drag_or_a_place_outside_plots_nothing(pair, tracing):
    click(pair, (15, 18), drag=True)
    click(pair, (-20, 18))
    assert "traced" not in pair.layers


def test_labels_and_shapes_are_traced_whole(pair, tracing, until):
    labels = np.zeros((24, 28), np.uint8)
    labels[5:9, 6:12] = 3
    pair.add_labels(labels, name="cells", scale=(1.5, 1.5))
    click(pair, (7 * 1.5, 8 * 1.5))
    until(lambda: tracing.traces)
    assert tracing.message.text() == "cells 3, mean of 24 pixels"
    raw = pair.layers["raw"].data[:]
    np.testing.assert_allclose(
        tracing.traces["raw"], raw[:, 5:9, 6:12].mean(axis=(1, 2)), rtol=1e-5
    )

    box = [[5, 14, 15], [5, 14, 20], [5, 20, 20], [5, 20, 15]]
    pair.add_shapes([box], name="drawn", scale=(1, 1.5, 1.5), shape_type="rectangle")
    pair.layers.selection.active = pair.layers["raw"]
    click(pair, (17 * 1.5, 17 * 1.5))
    until(lambda: tracing.message.text().startswith("drawn 1"))
    np.testing.assert_allclose(
        tracing.traces["raw"], raw[:, 14:21, 15:21].mean(axis=(1, 2)), rtol=1e-5
    )


def test_a_click_in_the_plot_goes_to_that_frame(pair, tracing, until):
    from matplotlib.backend_bases import MouseEvent

    tracing.trace_at((10, 12))
    until(lambda: tracing.traces)
    tracing.canvas.draw()
    axes = tracing.figure.axes[0]
    x, y = axes.transData.transform((1.5, np.mean(axes.get_ylim())))
    event = MouseEvent("button_press_event", tracing.canvas, x, y, button=1)
    tracing.canvas.callbacks.process("button_press_event", event)
    assert pair.dims.current_step[0] == 30


def test_the_sample_is_a_recording_with_its_truth(viewer, monkeypatch):
    monkeypatch.setattr(sample, "SHAPE", (60, 64, 64))
    viewer.open_sample("freq2clean", "two-photon")
    assert [layer.name for layer in viewer.layers] == ["truth", "raw", "denoised", "cells"]
    truth, raw, denoised, cells = viewer.layers
    assert raw.data.shape == truth.data.shape == denoised.data.shape == (60, 64, 64)
    assert (
        np.square(denoised.data - truth.data).mean() < 0.2 * np.square(raw.data - truth.data).mean()
    )
    assert cells.data.max() > 0


def test_closed_it_answers_no_clicks(pair, tracing):
    pair.window.remove_dock_widget("all")
    click(pair, (15, 18))
    assert "traced" not in pair.layers


@pytest.mark.slow
def test_the_picture_of_the_documentation(viewer, until):
    """Written to docs/images/napari.png, and looked at by whoever writes it."""
    viewer.window.show()
    viewer.window.resize(1600, 1180)
    viewer.open_sample("freq2clean", "two-photon")
    _, widget = viewer.window.add_plugin_dock_widget("freq2clean", "Fuse")
    for button in (widget.inspect, widget.fuse):
        button.click()
        until(lambda: widget.worker is None, seconds=300)
    widget.traces.click()
    from freq2clean.apps.napari.qt.traces import TracesWidget

    tracing = viewer.window._qt_window.findChild(TracesWidget)
    tracing.radius.setValue(5)
    tracing.trace_at(_most_active_cell(viewer))
    until(lambda: tracing.traces)
    viewer.dims.set_current_step(0, int(tracing.traces["fused"].argmax()))
    viewer.scale_bar.visible = True
    ends = time.monotonic() + 3
    until(lambda: time.monotonic() > ends)
    viewer.reset_view()
    picture = Path(__file__).parents[3] / "docs/images/napari.png"
    viewer.screenshot(str(picture), canvas_only=False, flash=False)
    assert picture.stat().st_size > 50_000


def _most_active_cell(viewer) -> tuple[int, int]:
    """The middle of the one that varies most in the truth."""
    labels, truth = viewer.layers["cells"].data, viewer.layers["truth"].data
    spread = {
        label: truth[:, labels == label].mean(axis=1).std()
        for label in np.unique(labels[labels > 0])
        if (labels == label).sum() > 60
    }
    middle = np.argwhere(labels == max(spread, key=spread.get)).mean(axis=0)
    return tuple(round(at) for at in middle)
