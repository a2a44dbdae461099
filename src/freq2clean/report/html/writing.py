"""Write a report: one HTML file that needs nothing else."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from freq2clean.errors import OutputError
from freq2clean.pipeline.memory import DEFAULT_MEMORY, parse_bytes
from freq2clean.recordings import Recording
from freq2clean.recordings.formats import locate
from freq2clean.recordings.small_files import whole_file
from freq2clean.report.html.contents import Contents
from freq2clean.report.html.gathering import Known, gather, open_recordings
from freq2clean.report.html.markup import joined
from freq2clean.report.html.sections import sections, title_of
from freq2clean.version import __version__

__all__ = ["Report", "check_report", "page", "write_report"]

_SUFFIXES = (".html", ".htm")
_NOTHING_KNOWN = Known()


@dataclass(frozen=True)
class Report:
    """What was written.

    Attributes
    ----------
    path : str
    n_bytes : int
    seconds : float
    """

    path: str
    n_bytes: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """The same, JSON-serialisable."""
        return asdict(self)


def write_report(
    raw: Any,
    denoised: Any,
    fused: Any,
    /,
    *,
    out: str | Path,
    truth: Any = None,
    known: Known = _NOTHING_KNOWN,
    align: str | None = None,
    channel: int | None = None,
    plane: int | None = None,
    memory: str | int = DEFAULT_MEMORY,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Say in one HTML file what a fusion did, with pictures, and what it gained.

    Parameters
    ----------
    raw, denoised, fused : array-like (T, Y, X), path or Recording
        Read in blocks of frames: each about twice.
    out : path
        The file, .html; it takes nothing from the network or from other files.
    truth : array-like (T, Y, X), path or Recording, optional
        To score all three against.
    known : Known
        What `fuse` and `run` found. Without it the fusion is fitted once more by what the fused
        file tells of it.
    align, channel, plane, memory
        As in `freq2clean.fuse`.
    progress : callable, optional
        Called with the work done and the work in all.

    Raises
    ------
    InputError, OutputError
        Where the recordings do not fit together, or the file cannot be written.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> raw = np.random.default_rng(0).poisson(5, (60, 32, 32)).astype(np.float32)
    >>> denoised = np.full(raw.shape, 5, np.float32)
    >>> out = Path(tempfile.mkdtemp()) / "report.html"
    >>> write_report(raw, denoised, denoised, out=out).n_bytes < 1e6
    True
    """
    began = time.perf_counter()
    memory_bytes = parse_bytes(memory)
    with ExitStack() as stack:
        recordings = open_recordings(
            stack, raw, denoised, fused, truth, align=align, channel=channel, plane=plane
        )
        path = check_report(out, inputs=recordings.values())
        contents = gather(recordings, known, memory_bytes=memory_bytes, progress=progress)
    text = page(contents).encode()
    with whole_file(path) as unfinished:
        unfinished.write_bytes(text)
    return Report(str(path), len(text), time.perf_counter() - began)


def check_report(out: str | Path, *, inputs: Iterable[Any] = ()) -> Path:
    """Refuse before any work what could not be written after it."""
    path = Path(out)
    if path.suffix.lower() not in _SUFFIXES:
        raise OutputError(f"{out}: a report is an HTML file; give a name that ends in .html")
    if not path.parent.is_dir():
        raise OutputError(f"{out}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise OutputError(f"{out} is a folder; give the name of a file")
    taken = [place for source in inputs for place in _paths(source)]
    if any(path.resolve() == place.resolve() for place in taken):
        raise OutputError(f"{out} is one of the inputs: choose another target")
    return path


def _paths(source: Any) -> Sequence[Path]:
    if isinstance(source, Recording):
        return source.paths
    return [locate(source)[0]] if isinstance(source, str | Path) else []


def page(contents: Contents) -> str:
    """The page, scripts and styles in it, and a policy that lets nothing else run or load."""
    style, script, template = (_template(name) for name in ("style.css", "script.js", "page.html"))
    policy = "; ".join(
        [
            "default-src 'none'",
            "img-src data:",
            "media-src data:",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    return Template(template).substitute(
        policy=policy,
        version=escape(__version__),
        title=escape(title_of(contents)),
        style=style,
        script=script,
        body=joined(sections(contents)),
    )


def _template(name: str) -> str:
    return (files("freq2clean.report.html") / "templates" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
