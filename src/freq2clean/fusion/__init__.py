"""The mathematics of fusion: arrays in, arrays out. One module per method."""

from dataclasses import fields

from freq2clean.errors import InputError
from freq2clean.fusion.auto import Auto
from freq2clean.fusion.dct import Dct
from freq2clean.fusion.fft import Fft
from freq2clean.fusion.live import StreamingFuser
from freq2clean.fusion.method import Fusion, Method
from freq2clean.fusion.subspace import Subspace
from freq2clean.fusion.wiener import Wiener

__all__ = [
    "DEFAULT_METHOD",
    "METHODS",
    "Auto",
    "Dct",
    "Fft",
    "Fusion",
    "Method",
    "StreamingFuser",
    "Subspace",
    "Wiener",
    "get_method",
]

DEFAULT_METHOD = "auto"

METHODS: dict[str, type[Method]] = {
    method.name: method for method in (Fft, Dct, Wiener, Subspace, Auto)
}


def get_method(name: str, /, **options: object) -> Method:
    """A method by its name, with its options.

    Raises
    ------
    InputError
        Where there is no such method, or it has no such option.
    """
    if name not in METHODS:
        raise InputError(f"method = {name!r}; give one of {', '.join(METHODS)}")
    method = METHODS[name]
    known = [option.name for option in fields(method)]
    for option in options:
        if option not in known:
            raise InputError(f"method {name} has no option {option}; it has {', '.join(known)}")
    return method(**options)
