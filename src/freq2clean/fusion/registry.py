"""Methods by name, the one to begin with first. One is imported when it is first asked for."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from freq2clean.entries import Entry
from freq2clean.errors import InputError

if TYPE_CHECKING:
    from freq2clean.fusion.method import Method

__all__ = ["DEFAULT_METHOD", "METHODS", "get_method", "method_kind"]

METHODS = {
    "auto": Entry("fusion.auto:Auto", "subspace, with the windows that are expected to gain most"),
    "subspace": Entry(
        "fusion.subspace:Subspace",
        "detail of the mean image and of what is active, then a limit on noise",
    ),
    "wiener": Entry(
        "fusion.wiener:Wiener",
        "detail weighted by its own signal-to-noise, band by band",
    ),
    "fft": Entry("fusion.fft:Fft", "the study's blend of the mean image's magnitude"),
    "dct": Entry("fusion.dct:Dct", "the study's slow and fine detail of a moving average"),
}
DEFAULT_METHOD = "auto"


def method_kind(name: str, /) -> type[Method]:
    """The class of the method of that name.

    Raises
    ------
    InputError
        Where there is no such method.

    Examples
    --------
    >>> method_kind("fft").__name__
    'Fft'
    """
    if name not in METHODS:
        raise InputError(f"method = {name!r}; give one of {', '.join(METHODS)}")
    kind: type[Method] = METHODS[name].load()
    return kind


def get_method(name: str, /, **options: object) -> Method:
    """A method by its name, with its options.

    Raises
    ------
    InputError
        Where there is no such method, or it has no such option.

    Examples
    --------
    >>> get_method("fft", alpha=0.5).alpha
    0.5
    """
    kind = method_kind(name)
    known = [option.name for option in fields(kind)]
    for option in options:
        if option not in known:
            raise InputError(f"method {name} has no option {option}; it has {', '.join(known)}")
    return kind(**options)
