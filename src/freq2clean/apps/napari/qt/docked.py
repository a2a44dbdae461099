"""A dock widget that lets go of the viewer when it is closed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QWidget

from freq2clean.apps.napari.qt.worker import Worker

if TYPE_CHECKING:
    from napari.viewer import Viewer

__all__ = ["Docked"]


class Docked(QWidget):
    """Base of what is docked: its listeners and its work end with it.

    napari takes a widget that is closed out of its dock and forgets it; what the viewer still calls
    would live on unseen.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._running: list[Worker] = []
        self._heard: list[tuple[Any, Callable[..., Any]]] = []
        self.destroyed.connect(partial(_stop, self._running))

    def let_go(self) -> None:
        """Stop what runs, and listen no more."""
        _stop(self._running)
        while self._heard:
            emitter, listener = self._heard.pop()
            emitter.disconnect(listener)

    def event(self, event: Any) -> bool:
        """As of any widget; taken out of its dock, it lets go."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.let_go()
        return bool(super().event(event))

    def _listen(self, emitter: Any, listener: Callable[..., Any]) -> None:
        emitter.connect(listener)
        self._heard.append((emitter, listener))


def _stop(running: list[Worker], *_: Any) -> None:
    for worker in running:
        worker.stop()
    running.clear()
