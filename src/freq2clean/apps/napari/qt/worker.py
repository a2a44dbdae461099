"""Work on a thread of its own, whose news arrive as Qt signals."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from qtpy.QtCore import QObject, Signal

from freq2clean.apps.napari.job import StoppedError
from freq2clean.errors import Freq2CleanError

__all__ = ["Worker"]

Progress = Callable[[int, int], None]


class Worker(QObject):
    """A function of a progress callback, called once.

    Parameters
    ----------
    work : callable
        ``(progress) -> result``; raises `StoppedError` where ``stop`` was called meanwhile.
    stop : callable, optional
        Asks the work to end; without it, the next progress ends it.
    """

    progressed = Signal(int, int)
    returned = Signal(object)
    failed = Signal(str)
    stopped = Signal()

    def __init__(
        self, work: Callable[[Progress], Any], stop: Callable[[], None] | None = None
    ) -> None:
        super().__init__()
        self._work = work
        self._stop_work = stop
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="freq2clean", daemon=True)

    @property
    def is_running(self) -> bool:
        """Whether the thread is at work."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the work early."""
        self._stopped.set()
        if self._stop_work:
            self._stop_work()

    def wait(self, seconds: float) -> None:
        """Until the thread has ended."""
        self._thread.join(seconds)

    def _progress(self, done: int, total: int) -> None:
        if self._stopped.is_set():
            raise StoppedError
        self._send(self.progressed, done, total)

    def _run(self) -> None:
        try:
            result = self._work(self._progress)
        except StoppedError:
            self._send(self.stopped)
        except (Freq2CleanError, OSError) as error:
            self._send(self.failed, str(error))
        except Exception as error:
            logging.getLogger(__name__).exception("unexpected")
            self._send(self.failed, f"{type(error).__name__}: {error}")
        else:
            self._send(self.returned, result)

    def _send(self, signal: Any, *news: Any) -> None:
        with suppress(RuntimeError):  # the receiver's window is gone
            signal.emit(*news)
