"""The options of a method that can be asked for, as the method itself declares them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from freq2clean.fusion import method_kind
from freq2clean.fusion.method import Method

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
    many : bool
        Whether several values can be given.
    pair : bool
        Whether two have to be given, of rows and columns.
    """

    name: str
    kind: type
    default: Any
    values: tuple[str, ...] = ()
    help: str = ""
    many: bool = False
    pair: bool = False

    @property
    def label(self) -> str:
        """The name in words."""
        return self.name.removeprefix("n_").replace("_", " ")

    @property
    def is_known(self) -> bool:
        """Whether there is a value to begin with; units come with the recording."""
        return not (self.kind is float and self.default is None)


def choices_of(method: str) -> list[Choice]:
    """The options of a method.

    Examples
    --------
    >>> [choice.name for choice in choices_of("fft")]
    ['alpha', 'matching', 'window', 'raw_mean', 'overlap']
    >>> choices_of("wiener")[0].help
    'Frames per window; by default the recording is split evenly into windows of about 3000.'
    """
    return list(_choices(method_kind(method)))


def _choices(method: type[Method]) -> Iterator[Choice]:
    hints = get_type_hints(method)
    for field in fields(method):
        hint = hints[field.name]
        parts = get_args(hint) or (hint,)
        is_named = get_origin(hint) is Literal
        yield Choice(
            field.name,
            str if is_named else _kind(parts),
            field.default,
            values=parts if is_named else (),
            help=_help(method, field.name),
            many=any(get_origin(part) is Sequence for part in parts),
            pair=any(get_origin(part) is tuple for part in parts),
        )


def _kind(parts: tuple[Any, ...]) -> type:
    """Of one value, as in ``float | Sequence[float]`` or ``tuple[float, float] | None``."""
    known = {*parts, *(inner for part in parts for inner in get_args(part))}
    return next(kind for kind in _KINDS if kind in known)


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
