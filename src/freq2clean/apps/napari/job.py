"""A call of the pipeline in a process of its own: napari stays responsive, and it can be stopped.

See docs/decisions/027-napari.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from freq2clean.errors import Freq2CleanError
from freq2clean.recordings import Recording, create
from freq2clean.streaming import blocks

__all__ = ["Job", "JobError", "StoppedError", "copy_recording", "reason_of"]

Progress = Callable[[int, int], None]

_CHILD = [sys.executable, "-m", "freq2clean.apps.napari.child"]
_SECONDS_TO_TIDY_UP = 5.0
_FRAMES_AT_ONCE = 64


class JobError(Freq2CleanError):
    """What went wrong in the other process, in its words."""


class StoppedError(Exception):
    """The work was stopped before its end, and nothing is left of it."""


class Job:
    """One call of `freq2clean.fuse` or `freq2clean.inspect`.

    Parameters
    ----------
    call : {"fuse", "inspect"}
    *inputs : (str, Recording or str)
        What messages are to call each recording, and the path of its file, or the recording itself,
        which is written to a temporary file for the other process.
    **options
        Of the function; JSON-serialisable.
    """

    def __init__(self, call: str, *inputs: tuple[str, Recording | str], **options: Any) -> None:
        self._call = call
        self._inputs = inputs
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, progress: Progress) -> dict[str, Any]:
        """Do it, and return ``as_dict()`` of the result.

        Raises
        ------
        JobError
            With the message of the error that the function raised.
        StoppedError
            After `stop`.
        """
        with tempfile.TemporaryDirectory(prefix="freq2clean-") as folder:
            paths = [self._path(source, Path(folder)) for _, source in self._inputs]
            request = {"call": self._call, "recordings": paths, "options": self._options}
            titles = dict(zip(paths, (title for title, _ in self._inputs), strict=True))
            return self._ask(request, titles, progress)

    def stop(self) -> None:
        """End the work; `run` then raises `StoppedError`. From any thread, any number of times."""
        with self._lock:
            self._stopped = True
            if self._process:
                self._leave(self._process)

    def _path(self, source: Recording | str, folder: Path) -> str:
        """Of the recording's file; a temporary one, where it has none."""
        if isinstance(source, str):
            return source
        path = folder / f"{len(list(folder.iterdir()))}.npy"
        copy_recording(source, path, progress=lambda *_: self._check_stopped())
        return str(path)

    def _check_stopped(self) -> None:
        if self._stopped:
            raise StoppedError

    def _ask(
        self, request: dict[str, Any], titles: dict[str, str], progress: Progress
    ) -> dict[str, Any]:
        with tempfile.TemporaryFile("w+", encoding="utf-8") as complaints:
            with self._lock:
                self._check_stopped()
                self._process = process = _start(complaints)
            assert process.stdin is not None
            assert process.stdout is not None
            result = None
            try:
                with suppress(OSError):
                    process.stdin.write(json.dumps(request) + "\n")
                    process.stdin.flush()
                for line in process.stdout:
                    answer = json.loads(line)
                    if "progress" in answer:
                        progress(*answer["progress"])
                    result = answer.get("result")
            finally:
                with self._lock:
                    self._process = None
                    self._leave(process)
                process.stdout.close()
                code = process.wait()
            self._check_stopped()
            if code or result is None:
                complaints.seek(0)
                raise JobError(reason_of(complaints.read(), code, titles))
            answered: dict[str, Any] = result
            return answered

    @staticmethod
    def _leave(process: subprocess.Popen[str]) -> None:
        """Let the process know that nobody waits; it has some seconds to tidy up."""
        assert process.stdin is not None
        with suppress(OSError):
            process.stdin.close()
        patience = threading.Timer(_SECONDS_TO_TIDY_UP, process.kill)
        patience.daemon = True
        patience.start()


def copy_recording(recording: Recording, path: Path, *, progress: Progress | None = None) -> None:
    """Write a recording as it is, with what is known of it, to a file whose suffix says how.

    Raises
    ------
    OutputError
        Where it cannot be written; what stood there before is untouched.
    """
    n_frames = len(recording)
    with create(
        path, recording.shape, recording.dtype, metadata=recording.metadata, inputs=[recording]
    ) as writer:
        for start, stop in blocks(0, n_frames, _FRAMES_AT_ONCE):
            if progress:
                progress(start, n_frames)
            writer.append(recording.read(start, stop))


def _start(complaints: IO[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        _CHILD,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        text=True,
        encoding="utf-8",
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def reason_of(complaints: str, code: int, titles: dict[str, str]) -> str:
    """What the process said last, with the names of layers in the place of paths."""
    for path, title in titles.items():
        complaints = complaints.replace(path, title)
    _, marked, message = complaints.rpartition("error: ")
    lines = (message if marked and code == 2 else complaints).strip().splitlines()
    if code < 0 and not lines:
        return f"the system ended the work (signal {-code}), as it does where memory runs out"
    return " ".join(lines) if code == 2 else (lines[-1] if lines else f"exit code {code}")
