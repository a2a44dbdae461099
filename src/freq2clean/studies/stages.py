"""Steps of a study, each done once: its files and its result stay in a folder named by a hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from freq2clean.errors import Freq2CleanError, InputError, OutputError
from freq2clean.pipeline.saving import whole_file
from freq2clean.recordings import fingerprint, open_recording

__all__ = ["File", "Given", "GivenFile", "Input", "Progress", "Stage", "Work", "run_all"]

Progress = Callable[[int, int], None]

Work = Callable[..., Mapping[str, Any]]
"""Called with the stage's folder and the paths of its inputs, and with ``progress`` by name;
gives a result that JSON can hold."""

_RECORD = "stage.json"
_UNITS = 1000


class Given:
    """A recording that the user brought.

    Parameters
    ----------
    source : str or Path
        As `freq2clean.open_recording` takes it.

    Raises
    ------
    InputError
        If it cannot be read.
    """

    def __init__(self, source: str | Path) -> None:
        self._source = str(source)
        with open_recording(self._source) as recording:
            self.shape = recording.shape
            stats = [path.stat() for path in recording.paths]
            files = [(stat.st_size, stat.st_mtime_ns) for stat in stats]
            self.digest = _digest([self._source, files, fingerprint(recording)])

    def path(self) -> str:
        """Where it is."""
        return self._source


class GivenFile:
    """A small file that the user brought, such as a label image; known by what is in it.

    Raises
    ------
    InputError
        If it cannot be read.
    """

    def __init__(self, source: str | Path) -> None:
        self._source = str(source)
        try:
            self.digest = hashlib.sha256(Path(source).read_bytes()).hexdigest()
        except OSError as error:
            raise InputError(f"{source} cannot be read ({error.strerror}); give a file") from error

    def path(self) -> str:
        """Where it is."""
        return self._source


class Stage:
    """One step: what it is made from says where it lies, so what is there is not made again.

    Parameters
    ----------
    root : Path
        The folder of the study.
    name : str
    parameters : mapping
        All that decides the outcome beside the inputs; JSON-serialisable.
    inputs : sequence of Given, GivenFile or File
        What it needs is made when it is needed.
    work : callable
        See `Work`. A stage that was interrupted finds what it left in its folder.

    Examples
    --------
    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> double = Stage(root, "double", {"of": 4}, [], lambda folder, progress: {"is": 8})
    >>> double.result(), (double.folder / "stage.json").is_file()
    ({'is': 8}, True)
    """

    def __init__(
        self,
        root: Path,
        name: str,
        parameters: Mapping[str, Any],
        inputs: Sequence[Input],
        work: Work,
    ) -> None:
        self._name, self._parameters = name, dict(parameters)
        self._root, self._inputs, self._work = root, inputs, work

    @cached_property
    def digest(self) -> str:
        """The same for the same work on the same inputs."""
        return _digest([self._name, self._parameters, [one.digest for one in self._inputs]])

    @property
    def folder(self) -> Path:
        """Where its files and its record are."""
        return self._root / f"{self._name}-{self.digest[:16]}"

    @property
    def is_done(self) -> bool:
        """Whether there is a result."""
        return self._record() is not None

    def result(self, *, progress: Progress | None = None) -> dict[str, Any]:
        """What the work gave, now or before."""
        record = self._record()
        return self._do(progress) if record is None else record

    def file(self, name: str) -> File:
        """A file that the work leaves in the folder, as an input of other stages."""
        return File(self, name)

    def _do(self, progress: Progress | None = None) -> dict[str, Any]:
        paths = [one.path() for one in self._inputs]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{self.folder} cannot be made ({error.strerror}); give another folder"
            ) from error
        result = dict(self._work(self.folder, *paths, progress=progress))
        record = {"stage": self._name, "parameters": self._parameters, "result": result}
        with whole_file(self.folder / _RECORD) as file:
            file.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        return result

    def _record(self) -> dict[str, Any] | None:
        try:
            found = json.loads((self.folder / _RECORD).read_text(encoding="utf-8"))
            result: dict[str, Any] = found["result"]
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{self.folder / _RECORD} is damaged; remove {self.folder} to do that step again"
            ) from error
        return result


class File:
    """A file in the folder of a stage; made again if it was removed and is needed.

    Attributes
    ----------
    stage : Stage
    """

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage, self._name = stage, name

    @cached_property
    def digest(self) -> str:
        """The same for the same file of the same work."""
        return _digest([self.stage.digest, self._name])

    def path(self) -> str:
        """Where it is, once its stage is done."""
        path = self.stage.folder / self._name
        if not (self.stage.is_done and path.exists()):
            self.stage._do()
        return str(path)

    def remove(self) -> None:
        """Free its room; it is made again if it is needed again."""
        (self.stage.folder / self._name).unlink(missing_ok=True)


Input = Given | GivenFile | File


def run_all(
    stages: Mapping[Stage, float],
    progress: Progress | None = None,
    *,
    may_fail: bool = False,
) -> dict[Stage, Freq2CleanError]:
    """Do stages one after the other.

    Parameters
    ----------
    stages : mapping of Stage to float
        How much work each is, in any unit, for the progress.
    progress : callable, optional
        Called with the work done and the work in all.
    may_fail : bool
        Whether to go on where one fails.

    Returns
    -------
    dict
        The stages that failed, and why. They are tried again by the next run.
    """
    failed: dict[Stage, Freq2CleanError] = {}
    total = sum(stages.values())
    before = 0.0
    for stage, cost in stages.items():

        def report(done: int, of: int, before: float = before, cost: float = cost) -> None:
            if progress:
                share = (before + cost * done / max(of, 1)) / total
                progress(round(_UNITS * share), _UNITS)

        try:
            stage.result(progress=report)
        except Freq2CleanError as error:
            if not may_fail:
                raise
            failed[stage] = error
        before += cost
        report(0, 1, before)
    return failed


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=list)
    return hashlib.sha256(text.encode()).hexdigest()
