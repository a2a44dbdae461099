"""A form for a method and its options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLineEdit,
    QSpinBox,
    QWidget,
)

from freq2clean.apps.choices import Choice, choices_of
from freq2clean.fusion import DEFAULT_METHOD, METHODS
from freq2clean.pipeline.memory import DEFAULT_MEMORY
from freq2clean.pipeline.opening import ALIGNMENTS

__all__ = ["MethodForm"]

_MOST = 10**7
_EQUAL = "equally long"
_RESCALE = "Bring a denoised recording that is clearly on another scale to the raw one's."
_REGISTER = (
    "For recordings that drift or shake: fuse them where they are still, and give the result back "
    "in its original place."
)
_ALIGN = "Where the frames of a denoised recording lie in the raw one, if they are fewer."
_DEVICES = ("cpu", "auto", "cuda", "mps")
_DEVICE = "Where to compute; all but cpu by PyTorch, auto for the first GPU that it sees."
_MEMORY = "Bound on the working memory, such as 500MB or 4GB."


class MethodForm(QWidget):
    """The options of a method, and those that all have; only what was changed is handed on."""

    def __init__(self) -> None:
        super().__init__()
        self.method = QComboBox()
        self.method.addItems(METHODS)
        self.method.setCurrentText(DEFAULT_METHOD)
        self.method.setToolTip("\n".join(f"{k}: {entry.about}" for k, entry in METHODS.items()))
        self.editors: dict[str, QWidget] = {}
        self._readers: dict[str, tuple[Callable[[], Any], Any]] = {}
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self.method.currentTextChanged.connect(self._rebuild)
        self._rebuild(DEFAULT_METHOD)

    def options(self) -> dict[str, Any]:
        """The method, and the options that differ from their defaults."""
        read = {name: (reader(), default) for name, (reader, default) in self._readers.items()}
        changed = {name: value for name, (value, default) in read.items() if value != default}
        return {"method": self.method.currentText(), **changed}

    def _rebuild(self, method: str) -> None:
        while self._form.rowCount():
            self._form.removeRow(0)
        self.editors.clear()
        self._readers.clear()
        for choice in choices_of(method):
            if choice.is_known:
                self._add(choice.name, choice.label, *_editor(choice), choice.help, choice.default)
        self._add("register", "register", *_check(False), _REGISTER, False)
        self._add("rescale", "rescale", *_check(True), _RESCALE, True)
        self._add("align", "align", *_one_of((_EQUAL, *ALIGNMENTS), _EQUAL), _ALIGN, _EQUAL)
        device, chosen_device = _one_of(_DEVICES, _DEVICES[0])
        device.setEditable(True)
        self._add("device", "device", device, chosen_device, _DEVICE, _DEVICES[0])
        memory = QLineEdit(DEFAULT_MEMORY)
        self._add("memory", "memory", memory, memory.text, _MEMORY, DEFAULT_MEMORY)

    def _add(
        self,
        name: str,
        label: str,
        editor: QWidget,
        reader: Callable[[], Any],
        help_: str,
        default: Any,
    ) -> None:
        editor.setToolTip(help_)
        self._form.addRow(label, editor)
        self.editors[name] = editor
        self._readers[name] = reader, default


def _editor(choice: Choice) -> tuple[QWidget, Callable[[], Any]]:
    if choice.kind is bool:
        return _check(choice.default)
    if choice.kind is str:
        return _one_of(choice.values, choice.default)
    if choice.kind is int:
        return _whole_number(choice.default)
    number = QDoubleSpinBox()
    number.setRange(-_MOST, _MOST)
    number.setSingleStep(0.05 if abs(choice.default) <= 1 else 1)
    number.setValue(choice.default)
    return number, number.value


def _check(default: bool) -> tuple[QWidget, Callable[[], bool]]:
    box = QCheckBox()
    box.setChecked(default)
    return box, box.isChecked


def _one_of(values: tuple[str, ...], default: str) -> tuple[QWidget, Callable[[], str]]:
    box = QComboBox()
    box.addItems(values)
    box.setCurrentText(default)
    return box, box.currentText


def _whole_number(default: int | None) -> tuple[QWidget, Callable[[], int | None]]:
    """Where the method finds the value itself, 0 says so."""
    box = QSpinBox()
    box.setRange(0, _MOST)
    box.setSpecialValueText("measured" if default is None else "0")
    box.setValue(default or 0)
    return box, lambda: box.value() or default
