"""Damaged recordings by the thousand: each is read, or refused in words. Nothing else may happen.

    python -m tests.reliability.fuzz --minutes 20       # every format for as long as the others
    python -m tests.reliability.fuzz tiff hdf5 --count 5000  # some, so many inputs each

Besides the formats of `seeds.SEEDS` there are the parsers of `parsers.PARSERS`.

Input number N of a format is always the same, so that a campaign goes on where the last one ended:
``--first N``. What was found is kept, with the input, in ``--findings FOLDER``.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import re
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.reliability.damage import attempt, damaged
from tests.reliability.parsers import PARSERS, known
from tests.reliability.seeds import SEEDS

__all__ = ["Findings", "campaign"]

MEMORY_BYTES = 2**30
SECONDS = 10.0
_KEPT_FINDINGS = 5


class _Bytes:
    """What a parser takes, and what the corpus has for it, damaged."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._known = known(name, folder / "known")
        (folder / "parsed").mkdir()
        self._parse = PARSERS[name](folder / "parsed")
        assert any(map(self._parse, self._known)), f"{name} takes nothing"

    def attempt(self, number: int) -> bool:
        rng = random.Random(f"{self._name} {number}")
        return self._parse(damaged(rng.choice(self._known), rng))


class _Seed:
    """A recording in a folder of its own, damaged in one file at a time."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._source = SEEDS[name](folder)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        self._files = {path: path.read_bytes() for path in files}
        self._choice = {} if attempt(self._source) else {"channel": 0, "plane": 0}
        assert attempt(self._source, **self._choice), f"{name} is not read undamaged"

    def attempt(self, number: int) -> bool:
        rng = random.Random(f"{self._name} {number}")
        file = rng.choice(list(self._files))
        source = self._source
        file.write_bytes(damaged(self._files[file], rng))
        if "_d1_" in source and rng.random() < 0.5:  # the name is a header, too
            name = damaged(Path(source).name.encode(), rng).decode("ascii", "replace")
            renamed = file.with_name(re.sub(r"[/\0\n]", "0", name)[:200] + ".mmap")
            file.rename(renamed)
            result = attempt(str(renamed))
            renamed.unlink()
        else:
            result = attempt(source, **self._choice)
        file.write_bytes(self._files[file])
        return result


def _start(name: str, folder: Path) -> _Bytes | _Seed:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return (_Seed if name in SEEDS else _Bytes)(name, folder)


def _work(name: str, first: int, stop: int, folder: str, progress: Any, findings: Path) -> None:
    """Try inputs in a process that may take a gigabyte more than it takes with a sound one."""
    _be_silent()
    seed = _start(name, Path(folder))
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY_BYTES, held + MEMORY_BYTES))
    for number in range(first, stop):
        progress[0] = number
        progress[1] += 1
        try:
            progress[2] += seed.attempt(number)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(frame.filename).name}:{frame.lineno}"
            _keep(findings, name, number, f"{type(error).__name__} {where}: {error}", folder)
            seed = _start(name, Path(folder))
    progress[3] = 1


def _be_silent() -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nothing, stream)
    warnings.simplefilter("ignore")


def _keep(findings: Path, name: str, number: int, what: str, folder: str) -> None:
    findings.mkdir(parents=True, exist_ok=True)
    with (findings / "findings.jsonl").open("a") as file:
        file.write(json.dumps({"format": name, "number": number, "what": what[:300]}) + "\n")
    if len(list(findings.glob(f"{name}-*"))) < _KEPT_FINDINGS:
        shutil.copytree(folder, findings / f"{name}-{number}", dirs_exist_ok=True)


@dataclass
class Findings:
    """What a campaign did.

    Attributes
    ----------
    done, opened : dict of int
        Inputs per format, and how many of them were read.
    kept : list of dict
        What must not happen: format, number of the input and what happened.
    """

    done: dict[str, int] = field(default_factory=dict)
    opened: dict[str, int] = field(default_factory=dict)
    kept: list[dict[str, Any]] = field(default_factory=list)


def campaign(
    names: list[str],
    findings: Path,
    *,
    first: int = 0,
    count: int | None = None,
    seconds: float | None = None,
) -> Findings:
    """Damage recordings of some formats: so many of each, or for so many seconds each."""
    result = Findings()
    for name in names:
        with tempfile.TemporaryDirectory(dir=_fast_folder()) as folder:
            done, opened = _one_format(name, first, count, seconds, folder, findings)
        result.done[name], result.opened[name] = done, opened
        print(f"{name:28}{done:9}{opened:9} read", flush=True)
    log = findings / "findings.jsonl"
    if log.exists():
        result.kept = [json.loads(line) for line in log.read_text().splitlines()]
    return result


def _one_format(
    name: str, first: int, count: int | None, seconds: float | None, folder: str, findings: Path
) -> tuple[int, int]:
    """Let processes try inputs, a new one after each that crashes or hangs."""
    context = multiprocessing.get_context("spawn")
    left = seconds or float("inf")
    last = first + count if count else sys.maxsize
    done = opened = 0
    while first < last and left > 0:
        progress = context.Array("q", [first - 1, 0, 0, 0], lock=False)
        work = str(Path(folder) / "movie")
        process = context.Process(target=_work, args=(name, first, last, work, progress, findings))
        process.start()
        hung, taken = _watch(process, progress, left)
        left -= taken
        stopped = process.exitcode is None
        process.kill()
        process.join()
        done, opened = done + progress[1], opened + progress[2]
        if progress[3]:
            break
        if not progress[1]:
            raise RuntimeError(f"{name}: nothing could be tried")
        first = progress[0] + 1
        if hung:
            _keep(findings, name, progress[0], f"hangs for more than {SECONDS:g} s", work)
        elif not stopped:
            _keep(findings, name, progress[0], f"crashes: exit code {process.exitcode}", work)
    return done, opened


def _watch(process: Any, progress: Any, seconds: float) -> tuple[bool, float]:
    """Wait until a process ends or had its time; whether one input takes too long, and the time."""
    number, since, began = -1, time.monotonic(), 0.0
    while not began or time.monotonic() - began < seconds:
        process.join(0.2)
        began = began or (time.monotonic() if progress[1] else 0.0)
        if process.exitcode is not None:
            break
        if number != progress[0]:
            number, since = progress[0], time.monotonic()
        if progress[1] and time.monotonic() - since > SECONDS:
            return True, time.monotonic() - began
    return False, time.monotonic() - began


def _fast_folder() -> str | None:
    memory = Path("/dev/shm")
    return str(memory) if os.access(memory, os.W_OK) else None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("formats", nargs="*", choices=[*SEEDS, *PARSERS, []], metavar="FORMAT")
    parser.add_argument("--minutes", type=float, help="in all")
    parser.add_argument("--count", type=int, help="inputs of each format")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--findings", type=Path, default=Path("build/fuzz"))
    given = parser.parse_args()
    names = given.formats or [*SEEDS, *PARSERS]
    seconds = 60 * given.minutes / len(names) if given.minutes else None
    count = given.count if seconds or given.count else 1000
    result = campaign(names, given.findings, first=given.first, count=count, seconds=seconds)
    kinds = Counter((one["format"], one["what"][:100]) for one in result.kept)
    for (name, what), times in sorted(kinds.items()):
        print(f"{name}, {times} times: {what}")
    print(f"{sum(result.done.values())} inputs, {len(result.kept)} findings in {given.findings}")


if __name__ == "__main__":
    main()
