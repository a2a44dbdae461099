"""What can go wrong, as one message and an exit code; signals unwind, so that no debris stays."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from freq2clean.errors import Freq2CleanError

__all__ = ["EXIT_BAD_INPUT", "failures_explained"]

EXIT_BAD_INPUT = 2
_STOPS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


@contextmanager
def failures_explained() -> Iterator[None]:
    """Turn errors and signals into one message on standard error and an exit code.

    A signal raises wherever the program happens to be, also within a lock of the standard library,
    which may then fail in a way of its own: after a signal every failure is the stop.
    """
    stopped_by: list[int] = []

    def stop(number: int, frame: object) -> NoReturn:
        """Unwind once; further signals must not disturb the tidying up."""
        _ignore_stops()
        stopped_by.append(number)
        raise SystemExit(128 + number)

    for number in _STOPS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield
    except BaseException as error:
        if stopped_by:
            left = "; ".join(_notes(error)) or "no unfinished file was left"
            _fail(f"stopped before the end; {left}", 128 + stopped_by[0])
        explanation = _explanation(error)
        if explanation is None:
            raise
        _fail("; ".join([explanation, *_notes(error)]), EXIT_BAD_INPUT)
    finally:
        _ignore_stops()


def _notes(error: BaseException) -> list[str]:
    """What else a user should know of a failure."""
    return getattr(error, "__notes__", [])


def _explanation(error: BaseException) -> str | None:
    match error:
        case Freq2CleanError():
            return str(error)
        case MemoryError():
            return "not enough memory; give a smaller --memory, or close other programs"
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return f"{where}{error.strerror or error}"
        case _:
            return None


def _ignore_stops() -> None:
    for number in _STOPS:
        signal.signal(number, signal.SIG_IGN)


def _fail(message: str, code: int) -> NoReturn:
    coloured = sys.stderr.isatty()
    label = "\033[1;31merror:\033[0m" if coloured else "error:"
    print(label, message, file=sys.stderr)
    raise SystemExit(code)
