"""Any program that reads a recording from one file and writes the denoised one to another."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from freq2clean.denoisers.contract import Frames, Read, blocks_of, valid_frames
from freq2clean.denoisers.deepcad.units import filled, measure
from freq2clean.denoisers.external import External, ExternalModel, not_numbers
from freq2clean.denoisers.files import load_arrays, save_arrays
from freq2clean.errors import InputError
from freq2clean.recordings import Metadata, Recording, cast, create, open_recording
from freq2clean.recordings.formats import GENERAL

__all__ = ["Command", "CommandModel"]

_PLACE = re.compile(r"\{(input|output)(\.\w+)?\}")
_LINES_SHOWN = 4
_LOG_BYTES = 4096
_SECONDS_TO_END = 5.0
_STRANGE = "the program wrote values that are no finite numbers where the recording has numbers"


@dataclass(frozen=True)
class Command(External):
    """Run a program of the user's on the recording.

    The recording is written to a temporary folder, and what the program writes there is read
    lazily. The folder is removed when it is no longer read, also after a failure or an interrupt,
    which ends the program too.

    Parameters
    ----------
    command : str
        The program and its arguments, quoted as in a shell, though no shell is started.
        ``{input}`` and ``{output}`` stand for the two files, which are TIFF; ``{input.npy}`` or
        ``{output.h5}`` for other formats that freq2clean knows.

    Notes
    -----
    The program gets the recording as it is, in its own dtype; only lines that the detector dropped
    and values that are no numbers are replaced by what the frames before and after say. It has to
    write as many frames of the same size, on the recording's scale. The folder is made where the
    environment variable TMPDIR says.

    Examples
    --------
    >>> import numpy as np, sys
    >>> program = "import numpy, sys; x = numpy.load(sys.argv[1]); numpy.save(sys.argv[2], x // 2)"
    >>> denoiser = Command(f"{sys.executable} -c '{program}' {{input.npy}} {{output.npy}}")
    >>> raw = np.full((5, 8, 8), 6, np.uint16)
    >>> denoiser.fit(raw).predict(raw)[:].mean()
    np.float32(3.0)
    """

    name: ClassVar[str] = "command"

    command: str = ""

    def __post_init__(self) -> None:
        try:
            words = shlex.split(self.command)
        except ValueError as error:
            raise InputError(f"command = {self.command!r}: {error}; mend the quotes") from error
        found = {kind: suffix for word in words for kind, suffix in _PLACE.findall(word)}
        if not words or set(found) != {"input", "output"}:
            raise InputError(
                f"command = {self.command!r}; give a program, {{input}} and {{output}}, as in "
                '"prog {input} {output}"'
            )
        strange = [suffix for suffix in found.values() if suffix and suffix not in GENERAL]
        if strange:
            raise InputError(
                f"command = {self.command!r}: unknown format {strange[0]}; known are "
                f"{', '.join(GENERAL)}"
            )

    def _model(self) -> CommandModel:
        _program(shlex.split(self.command))
        return CommandModel(self)

    @classmethod
    def _load(cls, path: Path) -> CommandModel:
        about, _ = load_arrays(path, cls.name)
        return CommandModel(cls(**about["options"]))


@dataclass(frozen=True)
class CommandModel(ExternalModel):
    """A program.

    Parameters
    ----------
    denoiser : Command
    """

    denoiser: Command

    @property
    def findings(self) -> Mapping[str, Any]:
        return {"program": shlex.split(self.denoiser.command)[0]}

    def save(self, path: str | Path, /) -> None:
        save_arrays(path, self.denoiser.name, {"options": asdict(self.denoiser)}, {})

    def _reader(self, recording: Frames, notes: list[str]) -> Read:
        return _Reader(self.denoiser.command, recording, notes)


class _Reader:
    """Runs the program when frames are first asked for, and gives what it wrote."""

    def __init__(self, command: str, recording: Frames, notes: list[str]) -> None:
        self._command = command
        self._recording = recording
        self._notes = notes
        self._output: Recording | None = None
        self._lock = Lock()

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        with self._lock:
            if self._output is None:
                self._output = self._run()
        out = np.array(self._output.read(start, stop), np.float32)
        missing = not_numbers(self._recording, start, stop)
        strange = ~np.isfinite(out) & ~missing
        out[missing] = np.nan
        if strange.any() and _STRANGE not in self._notes:
            self._notes.append(_STRANGE)
        return out

    def _run(self) -> Recording:
        folder = Path(tempfile.mkdtemp(prefix="freq2clean-"))
        remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        try:
            return self._run_in(folder)
        except BaseException:
            remove()
            raise

    def _run_in(self, folder: Path) -> Recording:
        files: dict[str, Path] = {}

        def file(place: re.Match[str]) -> str:
            kind, suffix = place.groups()
            return str(files.setdefault(kind, folder / f"{kind}{suffix or '.tif'}"))

        words = [_PLACE.sub(file, word) for word in shlex.split(self._command)]
        _write(self._recording, files["input"])
        said = _run(words, folder / "log")
        if not files["output"].exists():
            raise InputError(f"{words[0]} ended, but wrote no {files['output'].name}{said}")
        try:
            output = open_recording(files["output"])
        except InputError as error:
            raise InputError(f"what {words[0]} wrote cannot be read: {error}") from error
        if output.shape != tuple(self._recording.shape):
            raise InputError(
                f"{words[0]} wrote {_size(output.shape)}, and the recording has "
                f"{_size(self._recording.shape)}; it has to write as many"
            )
        return output


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} frames of {shape[1]} x {shape[2]} pixels"


def _write(recording: Frames, path: Path) -> None:
    """Write a recording for the program, without what is missing."""
    known = getattr(recording, "metadata", None) or Metadata()
    n_frames, height, width = recording.shape
    dtype = recording.dtype.newbyteorder("=")
    with create(path, (n_frames, height, width), dtype, metadata=known) as writer:
        for block in _without_holes(recording):
            writer.append(np.ascontiguousarray(block, dtype))


def _without_holes(recording: Frames) -> Iterator[NDArray[Any]]:
    """Blocks of frames in which what is missing is replaced by what is before and after."""
    n_frames = recording.shape[0]
    mean = np.float32(measure(recording).mean)
    for start, stop in blocks_of(0, n_frames):
        first, last = max(0, start - 1), min(n_frames, stop + 1)
        around = np.array(recording[first:last])
        frames = valid_frames(around)
        missing = np.isnan(frames)
        if missing.any():
            frames = filled(frames - mean) + mean
            around[missing] = cast(frames[missing], around.dtype)[0]
        yield around[start - first : stop - first]


def _program(words: list[str]) -> str:
    """The file of the program."""
    found = shutil.which(words[0])
    if found is None:
        raise InputError(f"there is no program {words[0]!r}; give its path, or mend its name")
    return found


def _run(words: list[str], log: Path) -> str:
    """Run a program to its end, and give what it said last, for a message.

    It is a process group of its own, so that an interrupt of ours ends whatever it started.
    """
    program = _program(words)
    with log.open("wb") as file:
        try:
            process = subprocess.Popen(
                words,
                executable=program,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise InputError(f"{words[0]} cannot be run: {error.strerror or error}") from error
        try:
            code = process.wait()
        except BaseException:
            _end(process)
            raise
    said = _last_words(log)
    if code < 0:
        by = signal.Signals(-code).name
        why = " (out of memory, perhaps)" if by == "SIGKILL" else ""
        raise InputError(f"{words[0]} was ended by {by}{why}{said}")
    if code > 0:
        raise InputError(f"{words[0]} failed with exit code {code}{said}")
    return said


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and what it started: politely first."""
    _signal(process, signal.SIGTERM)
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
    except (ProcessLookupError, PermissionError):
        """Nothing is left of it."""


def _last_words(log: Path) -> str:
    text = log.read_bytes()[-_LOG_BYTES:].decode(errors="replace")
    lines = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    return f"; it said last: {' | '.join(lines[-_LINES_SHOWN:])}" if lines else ""
