"""What an inspection found, the first sentence in sight and the others below on demand."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

__all__ = ["Findings", "message_label"]

COLOURS = {"problem": "#ff7b72", "warning": "#e3b341", "info": "#79c0ff"}


class Findings(QWidget):
    """Sentences of advice, each in the colour of its severity."""

    def __init__(self) -> None:
        super().__init__()
        self.headline, self.details = message_label(), message_label()
        self.more = QPushButton()
        self.more.setFlat(True)
        self.more.setCheckable(True)
        self.more.toggled.connect(self._unfold)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.headline, self.more, self.details):
            layout.addWidget(part)
        self.show_advice([])

    def show_advice(self, advice: Sequence[dict[str, Any]]) -> None:
        """Findings as `Inspection.as_dict` gives them, the most important one first."""
        self._n_more = max(0, len(advice) - 1)
        self.headline.setText(_in_colour(advice[:1]))
        self.headline.setVisible(bool(advice))
        self.details.setText(_in_colour(advice[1:]))
        self.more.setVisible(self._n_more > 0)
        self.more.setChecked(False)
        self._unfold(False)

    def _unfold(self, wanted: bool) -> None:
        self.details.setVisible(wanted and self._n_more > 0)
        self.more.setText("fewer findings" if wanted else f"{self._n_more} more findings")


def message_label() -> QLabel:
    """A label for sentences: wrapped, and to be copied."""
    label = QLabel()
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _in_colour(advice: Sequence[dict[str, Any]]) -> str:
    return "".join(
        f'<p style="margin: 0 0 6px 0"><b style="color: {COLOURS[found["severity"]]}">'
        f"{escape(found['severity'])}</b> {escape(found['sentence'])}</p>"
        for found in advice
    )
