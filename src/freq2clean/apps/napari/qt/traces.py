"""The dock widget that plots what is clicked, of all recordings in the viewer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from numpy.typing import NDArray
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QSpinBox, QVBoxLayout

from freq2clean.apps.napari.layers import is_recording, recording_of
from freq2clean.apps.napari.qt.docked import Docked
from freq2clean.apps.napari.qt.findings import message_label
from freq2clean.apps.napari.qt.worker import Progress, Worker
from freq2clean.apps.napari.regions import Region, disc, label_at, trace_of
from freq2clean.recordings import Recording
from freq2clean.report.figures import new_figure
from freq2clean.rois.reading import part_of

if TYPE_CHECKING:
    from napari.layers import Image, Layer, Shapes
    from napari.viewer import Viewer

__all__ = ["TracesWidget"]

_MARK = "traced"
_ROOM = 0.35
_COLOURS = {"raw": "#7d848c", "denoised": "#56b4e9", "fused": "#e69f00", "truth": "#f0f0f0"}
_MORE_COLOURS = ("#009e73", "#cc79a7", "#d55e00", "#0072b2")
_HINT = (
    "Click a place, a label or a shape in the image to see its course; click in the plot to go to "
    "that frame."
)


class TracesWidget(Docked):
    """Traces of the label, the shape or the neighbourhood that was clicked last."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self._frame_rate_hz: float | None = None
        self.traces: dict[str, NDArray[np.float32]] = {}
        self.radius = QSpinBox()
        self.radius.setRange(0, 100)
        self.radius.setValue(3)
        self.radius.setSuffix(" px")
        self.message = message_label()
        self.message.setText(_HINT)
        self.figure = new_figure(7, 2.2)
        self.canvas = FigureCanvasQTAgg(self.figure)
        self.canvas.setMinimumHeight(150)
        self.canvas.mpl_connect("button_press_event", self._on_plot_clicked)
        self._cursor: Any = None
        self._lay_out()
        self._watch()
        self._draw()

    def trace_at(self, place: tuple[int, int]) -> None:
        """Read the traces of what lies at a row and column, on another thread."""
        layers = self._recordings()
        if not layers:
            return
        shape = layers[0].data.shape[-2:]
        if not all(0 <= at < size for at, size in zip(place, shape, strict=True)):
            return
        self._stop()
        region = self._region(layers[0], place)
        recordings = {
            layer.name: recording_of(layer) for layer in layers if layer.data.shape[-2:] == shape
        }
        rates = [layer.metadata.get("frame_rate_hz") for layer in layers]
        self._frame_rate_hz = next((rate for rate in rates if rate), None)
        self._mark(region, layers[0])
        worker = Worker(partial(_read, recordings, region))
        worker.returned.connect(self._on_read)
        worker.failed.connect(self.message.setText)
        self._running[:] = [worker]
        self.message.setText(f"reading {region.name} …")
        worker.start()

    # Where

    def _recordings(self) -> list[Image]:
        """Recordings in the order in which they lie, but not our own marks."""
        return [layer for layer in self._viewer.layers if is_recording(layer)]

    def _region(self, beside: Image, place: tuple[int, int]) -> Region:
        for layer in reversed(self._viewer.layers):
            if layer.visible and layer.name != _MARK:
                found = _region_of(layer, beside, place)
                if found:
                    return found
        return disc(beside.data.shape[-2:], place, self.radius.value())

    def _mark(self, region: Region, beside: Image) -> None:
        """A ring around the region, without taking the selection away."""
        active = self._viewer.layers.selection.active
        if _MARK in self._viewer.layers:
            self._viewer.layers.remove(_MARK)
        self._viewer.add_points(
            [region.centre],
            name=_MARK,
            size=region.diameter_px + 2,
            scale=beside.scale[-2:],
            units=beside.units[-2:],
            symbol="disc",
            face_color="transparent",
            border_color=_COLOURS["fused"],
            border_width=0.08,
        )
        if active in self._viewer.layers:
            self._viewer.layers.selection.active = active

    def _on_mouse(self, viewer: Viewer, event: Any) -> Iterator[None]:
        """A click, and no drag, while nothing is being drawn."""
        active = viewer.layers.selection.active
        if active is not None and str(active.mode) != "pan_zoom":
            return
        yield
        dragged = False
        while event.type == "mouse_move":
            dragged = True
            yield
        layers = self._recordings()
        if not dragged and layers and viewer.dims.ndisplay == 2:
            y, x = layers[0].world_to_data(event.position)[-2:]
            self.trace_at((round(y), round(x)))

    # What comes back

    def _on_read(self, result: tuple[Region, dict[str, NDArray[np.float32]]]) -> None:
        region, self.traces = result
        self.message.setText(region.name)
        self._draw()

    def _on_plot_clicked(self, event: Any) -> None:
        if event.xdata is not None:
            frame = round(event.xdata * (self._frame_rate_hz or 1))
            self._viewer.dims.set_current_step(0, frame)

    # Looks

    def _draw(self, event: Any = None) -> None:
        from napari.utils.theme import get_theme

        theme = get_theme(self._viewer.theme)
        ground, ink = (colour.as_hex() for colour in (theme.background, theme.text))
        self.figure.clear()
        self.figure.set_facecolor(ground)
        axes = self.figure.subplots()
        axes.set_facecolor(ground)
        more = iter(_MORE_COLOURS * len(self.traces))
        pace = self._frame_rate_hz or 1.0
        for order, (name, trace) in enumerate(_raw_first(self.traces)):
            axes.plot(
                np.arange(len(trace)) / pace,
                trace,
                label=name,
                color=_COLOURS.get(name) or next(more),
                linewidth=0.8 if name == "raw" else 1.4,
                zorder=2 + order,
            )
        axes.set_xlabel("time, s" if self._frame_rate_hz else "frame", color=ink)
        axes.set_ylabel("value", color=ink)
        axes.tick_params(colors=ink)
        axes.margins(x=0)
        for side, spine in axes.spines.items():
            spine.set_color(ink)
            spine.set_visible(side in ("left", "bottom"))
        if self.traces:
            axes.set_ylim(_limits(self.traces))
            axes.legend(
                loc="lower left", bbox_to_anchor=(0, 1), ncols=6, frameon=False, labelcolor=ink
            )
            self._cursor = axes.axvline(0, color=ink, linewidth=1, alpha=0.6)
            self._move_cursor()
        self.canvas.draw_idle()

    def _move_cursor(self, event: Any = None) -> None:
        if self._cursor and self._viewer.dims.ndim > 2:
            at = self._viewer.dims.current_step[0] / (self._frame_rate_hz or 1.0)
            self._cursor.set_xdata([at, at])
            self.canvas.draw_idle()

    def _lay_out(self) -> None:
        radius = QFormLayout()
        radius.addRow("radius", self.radius)
        head = QHBoxLayout()
        head.addWidget(self.message, 1)
        head.addLayout(radius)
        layout = QVBoxLayout(self)
        layout.addLayout(head)
        layout.addWidget(self.canvas, 1)

    def _watch(self) -> None:
        self._viewer.mouse_drag_callbacks.append(self._on_mouse)
        self._listen(self._viewer.dims.events.current_step, self._move_cursor)
        self._listen(self._viewer.events.theme, self._draw)

    def let_go(self) -> None:
        """Answer no more clicks."""
        super().let_go()
        if self._on_mouse in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._on_mouse)

    def _stop(self) -> None:
        for worker in self._running:
            worker.returned.disconnect(self._on_read)
            worker.stop()
        self._running.clear()


def _read(
    recordings: dict[str, Recording], region: Region, progress: Progress
) -> tuple[Region, dict[str, NDArray[np.float32]]]:
    traces = {}
    for part, (name, recording) in enumerate(recordings.items()):
        of_part = part_of(progress, part, len(recordings))
        traces[name] = trace_of(region, recording, progress=of_part)
    return region, traces


def _region_of(layer: Layer, beside: Image, place: tuple[int, int]) -> Region | None:
    """The label or the shape of a layer at a place."""
    from napari.layers import Labels, Shapes

    if isinstance(layer, Labels) and layer.data.shape[-2:] == beside.data.shape[-2:]:
        labels = np.asarray(layer.data if layer.ndim == 2 else layer.data[(0,) * (layer.ndim - 2)])
        return label_at(labels, place, name=layer.name)
    if isinstance(layer, Shapes) and layer.nshapes:
        return label_at(_filled(layer, beside), place, name=layer.name)
    return None


def _filled(shapes: Shapes, beside: Image) -> NDArray[Any]:
    """Shapes, on whatever frame they were drawn, as a label image for the frames of a recording."""
    from napari.layers import Shapes as Flat

    scale, shift = shapes.scale[-2:], shapes.translate[-2:] - beside.translate[-2:]
    corners = [(shape[:, -2:] * scale + shift) / beside.scale[-2:] for shape in shapes.data]
    flat = Flat(corners, shape_type=shapes.shape_type)
    labels: NDArray[Any] = flat.to_labels(labels_shape=beside.data.shape[-2:])
    return labels


def _limits(traces: dict[str, NDArray[np.float32]]) -> tuple[float, float] | None:
    """Of all but the raw trace, with room; its noise may go beyond."""
    quiet = np.concatenate([np.empty(0), *(t for name, t in traces.items() if name != "raw")])
    known = quiet[np.isfinite(quiet)]
    if not known.size or not np.ptp(known):
        return None
    room = _ROOM * float(np.ptp(known))
    return float(known.min()) - room, float(known.max()) + room


def _raw_first(traces: dict[str, Any]) -> list[tuple[str, Any]]:
    """The noisy one behind all others, the fused one before them."""
    ranks = {"raw": 0, "fused": 2}
    return sorted(traces.items(), key=lambda item: ranks.get(item[0], 1))
