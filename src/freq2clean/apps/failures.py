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


class _Stopped(SystemExit):
    """A signal asked the command to stop."""


@contextmanager
def failures_explained() -> Iterator[None]:
    """Turn errors and signals into one message on standard error and an exit code."""
    for number in _STOPS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    try:
        yield
    except Freq2CleanError as error:
        _fail(str(error), EXIT_BAD_INPUT)
    except MemoryError:
        _fail("not enough memory; give a smaller --memory, or close other programs", EXIT_BAD_INPUT)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}", EXIT_BAD_INPUT)
    except _Stopped as stopped:
        _fail("stopped before the end; no unfinished file was left", stopped.code)
    finally:
        _ignore_stops()


def _stop(number: int, frame: object) -> NoReturn:
    """Unwind once; further signals must not disturb the tidying up."""
    _ignore_stops()
    raise _Stopped(128 + number)


def _ignore_stops() -> None:
    for number in _STOPS:
        signal.signal(number, signal.SIG_IGN)


def _fail(message: str, code: int | str | None) -> NoReturn:
    coloured = sys.stderr.isatty()
    label = "\033[1;31merror:\033[0m" if coloured else "error:"
    print(label, message, file=sys.stderr)
    raise SystemExit(code)
