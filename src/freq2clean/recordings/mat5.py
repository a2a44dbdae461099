"""Whether a ``.mat`` file of MATLAB 5 to 7 is whole, before SciPy reads it.

SciPy's reader trusts types, lengths and depths: a damaged file makes it ask for gigabytes, or ends
the process.

References
----------
MathWorks, "MAT-File Format", the section on level 5.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path

from freq2clean.errors import InputError

__all__ = ["check_mat5"]

_MOST_BYTES = 2**26
"""More is no description of a recording."""
_MOST_DEPTH = 32
_MOST_DIMENSIONS = 32
_HEADER_BYTES = 128
_BYTE_ORDERS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
_MATRIX, _COMPRESSED = 14, 15
_INT8, _INT32, _UINT32, _UTF8 = 1, 5, 6, 16
_VALUES = {1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 16, 17, 18}
_CELL, _STRUCT, _OBJECT, _SPARSE, _FUNCTION, _OPAQUE = 1, 2, 3, 5, 16, 17
_PLAIN = {4, *range(6, 16)}
"""Characters and numbers."""
_IS_COMPLEX = 1 << 11


def check_mat5(path: Path) -> None:
    """Refuse a file whose parts are not what their tags say.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        Where it is missing, damaged, larger than 64 MB, or of another version of MATLAB's format.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        _check_file(content)
    except (ValueError, zlib.error, struct.error) as error:
        raise InputError(f"{path} is damaged, or no file of MATLAB 5 to 7: {error}") from None


def _check_file(content: bytes) -> None:
    order = _BYTE_ORDERS.get(content[124:_HEADER_BYTES])
    if order is None or 0 in content[:4]:
        raise ValueError("its header is another one")
    left = _MOST_BYTES - len(content)
    at = _HEADER_BYTES
    while at < len(content):
        kind, size = struct.unpack_from(f"{order}II", content, at)
        at += 8
        if at + size > len(content):
            raise ValueError(f"it ends before the {size} bytes of a variable")
        if kind == _COMPRESSED:
            variable = zlib.decompressobj().decompress(content[at : at + size], max(1, left))
            left -= len(variable)
            kind, _ = struct.unpack_from(f"{order}II", variable)
            parts = _Parts(variable, 8, order)
        else:
            parts = _Parts(content, at, order)
        if left <= 0:
            raise ValueError(f"it holds more than {_MOST_BYTES} bytes")
        if kind != _MATRIX:
            raise ValueError(f"a variable of type {kind}")
        if size:
            parts.matrix(0)
        at += size


class _Parts:
    """The parts of one variable, one after the other, as SciPy goes through them."""

    def __init__(self, content: bytes, at: int, order: str) -> None:
        self._content, self._at, self._order = content, at, order
        self._last = b""

    def matrix(self, depth: int) -> None:
        """Go through what follows the tag of an array."""
        if depth > _MOST_DEPTH:
            raise ValueError(f"arrays nested more than {_MOST_DEPTH} deep")
        self._at += 8
        flags, _ = self._numbers(2)
        kind = flags & 0xFF
        if kind == _OPAQUE:
            for _ in range(3):
                self._values(_INT8, _UTF8)
            self._inner(1, depth)
            return
        sizes = struct.unpack(f"{self._order}{self._n_sizes()}i", self._last)
        n_values = math.prod(sizes)
        self._values(_INT8, _UTF8)
        if min(sizes) < 0 or (kind != _SPARSE and n_values > len(self._content)):
            raise ValueError(f"an array of {' x '.join(map(str, sizes))} values")
        n_elements = (2 if flags & _IS_COMPLEX else 1) + (2 if kind == _SPARSE else 0)
        self._held(kind, n_values, n_elements, depth)

    def _held(self, kind: int, n_values: int, n_elements: int, depth: int) -> None:
        """Go through what an array of some class holds: elements of numbers, or arrays."""
        if kind in _PLAIN or kind == _SPARSE:
            for _ in range(n_elements):
                self._values(*_VALUES)
        elif kind == _CELL:
            self._inner(n_values, depth)
        elif kind in (_STRUCT, _OBJECT):
            if kind == _OBJECT:
                self._values(_INT8, _UTF8)
            self._inner(n_values * self._n_names(), depth)
        elif kind == _FUNCTION:
            self._inner(1, depth)
        else:
            raise ValueError(f"an array of class {kind}")

    def _inner(self, count: int, depth: int) -> None:
        """Arrays within an array."""
        for _ in range(count):
            kind, size = self._numbers(2)
            if kind != _MATRIX:
                raise ValueError(f"a part of type {kind} in the place of an array")
            if size:
                self.matrix(depth + 1)

    def _n_sizes(self) -> int:
        """Read the sizes of an array, and say how many they are."""
        n_bytes = self._values(_INT32, _UINT32)
        if n_bytes % 4 or not 0 < n_bytes <= 4 * _MOST_DIMENSIONS:
            raise ValueError(f"an array with {n_bytes} bytes of sizes")
        return n_bytes // 4

    def _n_names(self) -> int:
        """How many fields a structure has."""
        if self._values(_INT32, _UINT32) != 4:
            raise ValueError("a structure whose names have no length")
        length = int.from_bytes(self._last, "little" if self._order == "<" else "big", signed=True)
        n_bytes = self._values(_INT8, _UTF8)
        if length <= 0 or n_bytes % length:
            raise ValueError(f"names of {length} bytes in {n_bytes}")
        return n_bytes // length

    def _values(self, *kinds: int) -> int:
        """Go over an element with values of some type; how many bytes it has."""
        (first,) = self._numbers(1)
        size, small = first >> 16, bool(first >> 16)
        kind = first & 0xFFFF if small else first
        if not small:
            (size,) = self._numbers(1)
        if kind not in kinds or (small and size > 4):
            raise ValueError(f"a part of type {kind} with {size} bytes")
        self._last = self._content[self._at : self._at + size]
        if len(self._last) < size:
            raise ValueError(f"it ends before the {size} bytes of a part")
        self._at += 4 if small else size + -size % 8
        return size

    def _numbers(self, count: int) -> tuple[int, ...]:
        found = struct.unpack_from(f"{self._order}{count}I", self._content, self._at)
        self._at += 4 * count
        return found
