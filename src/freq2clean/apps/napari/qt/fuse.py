"""The dock widget: inspect a pair of layers, fuse them, compare, and save the result."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from freq2clean.apps.napari.job import Job, copy_recording
from freq2clean.apps.napari.layers import (
    Comparison,
    guess_pair,
    is_recording,
    layer_named,
    recording_of,
    source_of,
)
from freq2clean.apps.napari.qt.docked import Docked
from freq2clean.apps.napari.qt.findings import COLOURS, Findings, message_label
from freq2clean.apps.napari.qt.form import MethodForm
from freq2clean.apps.napari.qt.traces import TracesWidget
from freq2clean.apps.napari.qt.worker import Worker
from freq2clean.apps.napari.reader import layer_of
from freq2clean.fusion.scale import Scale

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

__all__ = ["TOGGLE_KEY", "FuseWidget"]

TOGGLE_KEY = "W"
_SCROLL_BAR_PX = 20
_FILES = "Recordings (*.tif *.zarr *.h5 *.npy)"


class FuseWidget(Docked):
    """Fuse a raw layer with its denoised version, off the thread of the window."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.comparison: Comparison | None = None
        self.raw, self.denoised = QComboBox(), QComboBox()
        self.inspect = _button("Inspect", self._inspect, "Will fusion help? Takes one pass.")
        self.findings = Findings()
        self.form = MethodForm()
        self.output = QLineEdit()
        self.output.setPlaceholderText("temporary, until saved")
        self.fuse = _button("Fuse", self._fuse)
        self.cancel = _button("Cancel", self._cancel)
        self.progress = QProgressBar()
        self.message = message_label()
        self.toggle = _button(
            f"Denoised / fused  ({TOGGLE_KEY})", self._toggle, "Show one, then the other."
        )
        self.save = _button("Save fused…", self._save_as)
        self.traces = _button("Traces", self._show_traces, "Plot the traces of what is clicked.")
        self._lay_out()
        self._watch_layers()
        self._set_busy(False)

    @property
    def worker(self) -> Worker | None:
        """What works at present."""
        return self._running[0] if self._running else None

    # What is asked for

    def _inspect(self) -> None:
        raw, denoised = self._chosen()
        self._start(Job("inspect", source_of(raw), source_of(denoised)), self._on_inspected)

    def _fuse(self) -> None:
        raw, denoised = self._chosen()
        options = self.form.options()
        target = self.output.text().strip()
        out = target or f"{tempfile.gettempdir()}/freq2clean-{uuid4().hex}.npy"
        job = Job("fuse", source_of(raw), source_of(denoised), out=out, **options)
        self._start(job, partial(self._on_fused, raw, denoised, is_temporary=not target))

    def _cancel(self) -> None:
        if self.worker:
            self._say("stopping …")
            self.worker.stop()

    def _toggle(self) -> None:
        assert self.comparison is not None
        self.comparison.toggle()

    def save_to(self, path: str | Path) -> None:
        """Write the fused recording to a file, on another thread."""
        assert self.comparison is not None
        recording = recording_of(self.comparison.fused)
        self._start_worker(
            Worker(lambda progress: copy_recording(recording, Path(path), progress=progress)),
            lambda _: self._say(f"saved as {path}"),
        )

    def _save_as(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save fused", "fused.tif", _FILES)
        if path:
            self.save_to(path)

    def _choose_output(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Fuse into", "fused.tif", _FILES)
        if path:
            self.output.setText(path)

    def _show_traces(self) -> None:
        self._viewer.window.add_dock_widget(
            TracesWidget(self._viewer), name="Traces", area="bottom"
        )

    # What comes back

    def _on_inspected(self, found: dict[str, Any]) -> None:
        self.findings.show_advice(found["advice"])
        self._say("")

    def _on_fused(
        self, raw: Image, denoised: Image, result: dict[str, Any], *, is_temporary: bool
    ) -> None:
        data, shown, _ = layer_of({"path": result["path"]}, name="fused")
        if is_temporary:
            weakref.finalize(data, Path(result["path"]).unlink, missing_ok=True)
        where = {"scale": raw.scale, "units": raw.units}
        added = self._viewer.add_image(data, **{**shown, **where})
        fused = layer_named(self._viewer, added.name)
        denoised.scale, denoised.units = raw.scale, raw.units
        self.comparison = Comparison(self._viewer, denoised, fused)
        same_scale = Scale(**result["findings"]["scale"]).is_identity
        self.comparison.link_contrast(*([raw, denoised] if same_scale else [raw]))
        self._viewer.bind_key(TOGGLE_KEY, partial(_toggle, self.comparison), overwrite=True)
        self._say(f"fused in {result['seconds']:.1f} s", *result["notes"])

    def _on_failed(self, error: str) -> None:
        self.message.setText(
            f'<b style="color: {COLOURS["problem"]}">error</b> {escape(error, quote=False)}'
        )

    def _on_stopped(self) -> None:
        self._say("cancelled; nothing was kept")

    def _on_progress(self, done: int, total: int) -> None:
        self.progress.setRange(0, total)
        self.progress.setValue(done)

    def _say(self, *sentences: str) -> None:
        self.message.setText("".join(f"<p>{escape(sentence)}</p>" for sentence in sentences))

    # Work

    def _start(self, job: Job, use: Callable[[dict[str, Any]], None]) -> None:
        self._start_worker(Worker(job.run, job.stop), use)

    def _start_worker(self, worker: Worker, use: Callable[[Any], None]) -> None:
        self._running.append(worker)
        self._use = use
        worker.progressed.connect(self._on_progress)
        worker.returned.connect(self._on_returned)
        worker.failed.connect(self._on_failed)
        worker.stopped.connect(self._on_stopped)
        for end in (worker.returned, worker.failed, worker.stopped):
            end.connect(self._on_end)
        self.progress.setRange(0, 0)
        self._say("")
        self._set_busy(True)
        worker.start()

    def _on_returned(self, result: Any) -> None:
        self._use(result)

    def _on_end(self, *_: Any) -> None:
        self._running.clear()
        self._set_busy(False)

    def _set_busy(self, busy: bool) -> None:
        self.progress.setVisible(busy)
        self.cancel.setEnabled(busy)
        there = self.raw.count() > 1
        for button in (self.inspect, self.fuse):
            button.setEnabled(there and not busy)
        whole = self.comparison is not None and self.comparison.is_whole
        self.toggle.setEnabled(whole)
        self.save.setEnabled(whole and not busy)

    # Layers

    def _chosen(self) -> tuple[Image, Image]:
        raw, denoised = self.raw.currentText(), self.denoised.currentText()
        return layer_named(self._viewer, raw), layer_named(self._viewer, denoised)

    def _watch_layers(self) -> None:
        events = self._viewer.layers.events
        for event in (events.inserted, events.removed, events.renamed):
            self._listen(event, self._list_layers)
        for box in (self.raw, self.denoised):
            box.activated.connect(partial(box.setProperty, "chosen", True))
        self._list_layers()

    def _list_layers(self, event: Any = None) -> None:
        """Keep what somebody chose; guess where nobody did."""
        names = [layer.name for layer in self._viewer.layers if is_recording(layer)]
        for box, guess in zip((self.raw, self.denoised), guess_pair(names), strict=True):
            before = box.currentText()
            box.clear()
            box.addItems(names)
            if box.property("chosen") and before in names:
                box.setCurrentText(before)
            elif names:
                box.setProperty("chosen", False)
                box.setCurrentIndex(guess)
        self._set_busy(self.worker is not None)

    # Looks

    def _lay_out(self) -> None:
        options = QCollapsible("Options")
        options.addWidget(self.form)
        output = QHBoxLayout()
        output.addWidget(self.output)
        output.addWidget(_button("…", self._choose_output, "Choose a file."))
        recordings = QFormLayout()
        recordings.addRow("raw", self.raw)
        recordings.addRow("denoised", self.denoised)
        fusion = QFormLayout()
        fusion.addRow("method", self.form.method)
        fusion.addRow("output", output)
        groups = (
            ("Recordings", (recordings, self.inspect, self.findings)),
            (
                "Fusion",
                (fusion, options, _row(self.fuse, self.cancel), self.progress, self.message),
            ),
            ("Result", (self.toggle, _row(self.save, self.traces))),
        )
        inner = QWidget()
        column = QVBoxLayout(inner)
        for title, parts in groups:
            box = QGroupBox(title)
            layout = QVBoxLayout(box)
            for part in parts:
                layout.addWidget(part) if isinstance(part, QWidget) else layout.addLayout(part)
            column.addWidget(box)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setMinimumWidth(inner.minimumSizeHint().width() + _SCROLL_BAR_PX)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)


def _toggle(comparison: Comparison, viewer: Viewer) -> None:
    if comparison.is_whole:
        viewer.status = comparison.toggle().name


def _button(text: str, clicked: Callable[[], None], help_: str = "") -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(help_)
    button.clicked.connect(clicked)
    return button


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    return row
