"""The options of a method that a form can ask for, as the method itself declares them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from freq2clean.fusion import METHODS, Method

__all__ = ["Choice", "choices_of"]

_KINDS = (bool, int, float)


@dataclass(frozen=True)
class Choice:
    """One option.

    Attributes
    ----------
    name : str
    kind : type
        bool, int, float, or str for one of ``values``.
    default : object
        None where the method finds the value itself.
    values : tuple of str
    help : str
        From the docstring.
    """

    name: str
    kind: type
    default: Any
    values: tuple[str, ...] = ()
    help: str = ""

    @property
    def label(self) -> str:
        """The name in words."""
        return self.name.replace("n_bins", "bins").replace("_", " ")


def choices_of(method: str) -> list[Choice]:
    """The options of a method that have one plain value; units come with the recording.

    Examples
    --------
    >>> [choice.name for choice in choices_of("fft")]
    ['alpha', 'matching', 'window', 'raw_mean', 'overlap']
    >>> choices_of("wiener")[0].help
    'Frames per window; by default the recording is split evenly into windows of about 3000.'
    """
    return list(_choices(METHODS[method]))


def _choices(method: type[Method]) -> Iterator[Choice]:
    hints = get_type_hints(method)
    for field in fields(method):
        kinds = get_args(hints[field.name]) or (hints[field.name],)
        help_ = _help(method, field.name)
        if get_origin(hints[field.name]) is Literal:
            yield Choice(field.name, str, field.default, kinds, help_)
            continue
        kind = next((kind for kind in _KINDS if kind in kinds), None)
        measured = field.default is None
        if kind and not (measured and kind is float):
            yield Choice(field.name, kind, field.default, (), help_)


def _help(method: type[Method], name: str) -> str:
    """What the docstring of the method, or of one that it builds on, says of an option."""
    for cls in method.__mro__:
        lines = inspect.cleandoc(cls.__doc__ or "").splitlines()
        for number, line in enumerate(lines):
            if re.match(rf"(\w+, )*{name}(, \w+)*( :|$)", line):
                said = " ".join(_indented(lines[number + 1 :]))
                if not said.startswith("As in"):
                    return said
    return ""


def _indented(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith("    "):
            return
        yield line.strip()
