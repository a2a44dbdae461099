"""Damage to bytes, and what may happen then."""

from __future__ import annotations

import random
import re

from freq2clean.errors import Freq2CleanError
from freq2clean.recordings import open_recording

__all__ = ["attempt", "damaged"]

_LARGEST_FRAME_BYTES = 2**26
_NUMBERS = [0, 1, 2, 3, 7, 8, 127, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1,
            2**62, 2**63, 2**64 - 1]  # fmt: skip
_TEXTS = [b"0", b"-1", b"1", b"99999999999", b"1e400", b"null", b"[]", b"{}", b'"a"', b"nan",
          b"4294967296", b"18446744073709551616"]  # fmt: skip
_WORD = re.compile(rb"-?\d+(\.\d+)?|\"[^\"]{0,40}\"|\w{3,}")


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Up to four changes: bytes, numbers and words replaced, parts cut out, doubled or moved."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        rng.choice(_CHANGES)(data, rng)
    return bytes(data)


def _place(data: bytearray, rng: random.Random) -> int:
    """Mostly where headers and directories are: at both ends."""
    near = min(len(data), rng.choice((16, 128, 1024, len(data))))
    offset = rng.randrange(max(1, near))
    return offset if rng.random() < 0.7 else max(0, len(data) - 1 - offset)


def _flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 8))):
        if data:
            data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _number(data: bytearray, rng: random.Random) -> None:
    size, at = rng.choice((1, 2, 4, 8)), _place(data, rng)
    value = rng.choice(_NUMBERS) % 256**size
    data[at : at + size] = value.to_bytes(size, rng.choice(("little", "big")))


def _words(data: bytearray, rng: random.Random) -> None:
    found = _WORD.search(data, _place(data, rng))
    if found:
        data[slice(*found.span())] = rng.choice(_TEXTS)


def _cut_short(data: bytearray, rng: random.Random) -> None:
    del data[_place(data, rng) :]


def _cut_out(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    del data[at : at + rng.choice((1, 2, 8, 100))]


def _copy(data: bytearray, rng: random.Random) -> None:
    size, start, at = rng.choice((2, 12, 20, 200)), _place(data, rng), _place(data, rng)
    over = rng.choice((0, size))
    data[at : at + over] = data[start : start + size]


def _fill(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    part = data[at : at + rng.choice((4, 16, 256))]
    data[at : at + len(part)] = rng.choice((b"\0", b"\xff", b" ")) * len(part)


_CHANGES = (_flip, _flip, _number, _number, _number, _words, _words, _cut_short, _cut_out, _copy,
            _fill)  # fmt: skip


def attempt(source: str, **choice: int) -> bool:
    """Whether a recording was opened and its ends read; refused if not. Any other error is raised.

    Raises
    ------
    MemoryError
        Also where it was told as an error of the input.
    """
    try:
        with open_recording(source, **choice) as recording:
            _, height, width = recording.shape
            if height * width * recording.dtype.itemsize <= _LARGEST_FRAME_BYTES:
                for frame in (0, len(recording) - 1):
                    assert recording.read(frame, frame + 1).shape == (1, height, width)
    except Freq2CleanError as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, MemoryError):
                raise MemoryError(str(cause)) from error
            cause = cause.__cause__ or cause.__context__
        return False
    return True
