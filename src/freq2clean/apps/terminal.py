"""What the command line prints: progress to a terminal, results as text or JSON, errors plainly."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from rich.console import Console

from freq2clean.errors import Freq2CleanError

__all__ = ["EXIT_BAD_INPUT", "failures_explained", "out", "print_json", "progress_bar"]

EXIT_BAD_INPUT = 2
_EXIT_INTERRUPTED = 130
_EXIT_TERMINATED = 143

out = Console(soft_wrap=True, highlight=False)
_err = Console(stderr=True, soft_wrap=True, highlight=False)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with the time left on standard error; nothing where that is not a terminal."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=_err, transient=True, disable=not _err.is_terminal) as bar:
        task = bar.add_task(what, total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield report


@contextmanager
def failures_explained() -> Iterator[None]:
    """Turn what can go wrong into one message and an exit code; leave no debris on the way."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except Freq2CleanError as error:
        _fail(str(error), EXIT_BAD_INPUT)
    except MemoryError:
        _fail("not enough memory; give a smaller --memory, or close other programs", EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        _fail("interrupted; nothing was written", _EXIT_INTERRUPTED)


def _terminate(number: int, frame: object) -> NoReturn:
    raise SystemExit(_EXIT_TERMINATED)


def _fail(message: str, code: int) -> NoReturn:
    _err.print("[bold red]error:[/]", end=" ")
    _err.print(message, markup=False)
    raise SystemExit(code)
