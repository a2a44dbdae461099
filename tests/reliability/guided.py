"""Inputs that are guided by the code that they reach, by atheris, many in one process.

    python -m tests.reliability.guided npy --seconds 300     # or --runs 100000
    python -m tests.reliability.guided npy --keep            # for the tests

Where `tests.reliability.fuzz` damages files of every format blindly, this knows which branches of
freq2clean, and of the libraries in Python beneath it, an input took: one of `parsers.PARSERS` at a
time. What reaches new code stays in ``build/guided/NAME``; ``--keep`` puts the smallest into
``tests/reliability/corpus``, which `test_corpus.py` replays. What must not happen is written to
``build/guided/findings``. Needs ``pip install atheris``.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import resource
import shutil
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import Any

import atheris

MEMORY_BYTES = 2**30
SECONDS = 10
_KEPT_BYTES = 30_000
"""Of each parser."""
_WATCHED = ["freq2clean", "tifffile", "numpy.lib", "zarr", "typer", "click"]
_LIBRARIES = {"tiff": "tifffile", "command-line": "freq2clean.apps.cli", "zarr-2-json": "zarr",
              "zarr-3-json": "zarr", "ome-zarr-json": "zarr"}  # fmt: skip


def watched_parsers(name: str) -> Any:
    """`tests.reliability.parsers`, imported so that branches are watched on the way to a parser."""
    with atheris.instrument_imports(include=_WATCHED):
        parsers = importlib.import_module("tests.reliability.parsers")
        if name in _LIBRARIES:
            importlib.import_module(_LIBRARIES[name])
    return parsers


def explore(name: str, folder: Path, runs: int, seconds: int) -> None:
    """Try inputs until the process ends, which is how libFuzzer does it."""
    found, findings = folder / name, folder / "findings"
    for made in (found, findings):
        made.mkdir(parents=True, exist_ok=True)
    parsers = watched_parsers(name)
    with tempfile.TemporaryDirectory() as sound:
        for content in parsers.sound(name, Path(sound)):
            (found / hashlib.sha1(content).hexdigest()).write_bytes(content)
    parse = parsers.PARSERS[name](Path(tempfile.mkdtemp(dir="/dev/shm")))
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY_BYTES, held + MEMORY_BYTES))
    warnings.simplefilter("ignore")

    def try_one(content: bytes) -> None:
        try:
            parse(content)
        except Exception:
            kept = findings / f"{name}-{hashlib.sha1(content).hexdigest()}"
            kept.write_bytes(content)
            kept.with_suffix(".txt").write_text(ascii(traceback.format_exc()))

    inputs = [folder for folder in (found, parsers.CORPUS / name) if folder.is_dir()]
    words = [*map(str, inputs), f"-timeout={SECONDS}", "-rss_limit_mb=0",
             f"-artifact_prefix={findings}/{name}-", "-max_len=16384", f"-runs={runs}",
             f"-max_total_time={seconds}", "-print_final_stats=1", "-close_fd_mask=1"]  # fmt: skip
    atheris.Setup([sys.argv[0], *words], try_one)
    atheris.Fuzz()


def keep(name: str, folder: Path) -> None:
    """Put the smallest of what reached new code into the corpus, beside what is there."""
    from tests.reliability.parsers import CORPUS

    corpus = CORPUS / name
    corpus.mkdir(parents=True, exist_ok=True)
    left = _KEPT_BYTES
    for file in sorted((folder / name).iterdir(), key=lambda file: file.stat().st_size):
        left -= file.stat().st_size
        if left < 0:
            break
        shutil.copy(file, corpus)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("name", help="of a parser")
    parser.add_argument("--runs", type=int, default=-1)
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("build/guided"))
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    if given.keep:
        keep(given.name, given.folder)
    else:
        explore(given.name, given.folder.absolute(), given.runs, given.seconds)


if __name__ == "__main__":
    main()
