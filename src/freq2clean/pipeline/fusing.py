"""A raw and a denoised recording in, the fused recording out."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from freq2clean.denoisers.contract import check_numbers
from freq2clean.fusion import DEFAULT_METHOD, get_method
from freq2clean.fusion.method import Method
from freq2clean.pipeline.denoising import Progress
from freq2clean.pipeline.describing import describe
from freq2clean.pipeline.devices import FramesOn, check_no_device, choose_places, wrapped
from freq2clean.pipeline.lazily import check_as_they_are, fuse_lazily
from freq2clean.pipeline.memory import DEFAULT_MEMORY, parse_bytes
from freq2clean.pipeline.on_cluster import StoredPair, check_shared, fuse_on_cluster
from freq2clean.pipeline.opening import open_pair
from freq2clean.pipeline.saving import Target, check_file_options
from freq2clean.pipeline.streamed import How, StreamedFusion
from freq2clean.pipeline.workers import working
from freq2clean.recordings import Metadata, check_target
from freq2clean.recordings.resuming import check_resumable
from freq2clean.streaming.dask import is_lazy

__all__ = ["FuseResult", "fuse"]


@dataclass(frozen=True)
class FuseResult:
    """What `fuse` wrote, and what it found on the way.

    Attributes
    ----------
    path : str
    shape : (int, int, int)
    dtype : str
    n_clipped : int
        Values that the dtype could not hold.
    parameters : dict
        The method's name and parameters.
    findings : dict
        What the method measured; see the class of the method.
    notes : tuple of str
        What a user should know, in plain words.
    seconds : float
    """

    path: str
    shape: tuple[int, int, int]
    dtype: str
    n_clipped: int
    parameters: dict[str, Any]
    findings: dict[str, Any]
    notes: tuple[str, ...]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """The same, JSON-serialisable."""
        return asdict(self)


@overload
def fuse(raw: Any, denoised: Any, /, *, out: str | Path, **options: Any) -> FuseResult: ...
@overload
def fuse(
    raw: Any, denoised: Any, /, *, out: None = None, **options: Any
) -> NDArray[np.float32]: ...
def fuse(
    raw: Any,
    denoised: Any,
    /,
    *,
    method: str = DEFAULT_METHOD,
    out: str | Path | None = None,
    dtype: str = "float32",
    compression: str | None = None,
    align: str | None = None,
    channel: int | None = None,
    plane: int | None = None,
    rescale: bool = True,
    register: bool = False,
    memory: str | int = DEFAULT_MEMORY,
    workers: int | None = None,
    scheduler: str | None = None,
    device: str | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Any:
    """Give the raw recording's detail back to its denoised version.

    Parameters
    ----------
    raw, denoised : array-like (T, Y, X), path or Recording
        Read in blocks of frames; see `freq2clean.recordings.open_recording` for the formats. Where
        one is a Dask array and no ``out`` is given, the result is one too, not yet computed.
        Arrays of PyTorch, CuPy and other libraries that know the Python array API are fused where
        they are, both on one device; ``register`` brings blocks of them to the host and back, and
        warns of it.
    method : "auto", "subspace", "wiener", "fft" or "dct"
        `Auto` chooses the windows of `Subspace`, which brings back the detail of what is active
        too; `Wiener` is several times faster; `Fft` and `Dct` are the study's.
    out : path, optional
        Where to write the fused recording; without it, the array is returned.
    dtype : str
        Of the file: "float32", "same" as the raw recording, or any other real dtype. Integers are
        rounded and clipped, never wrapped, and clipped values are counted.
    compression : {None, "deflate", "zstd"}
        Of the file.
    align : {None, "start", "end", "center"}
        Where a denoised recording of fewer frames lies in the raw one; the result has its length.
    channel, plane : int, optional
        Of recordings with more than three axes.
    rescale : bool
        Bring a denoised recording that is clearly on another scale to the raw one's.
    register : bool
        Find the rigid motion of the recordings, fuse them where they are still, and give the result
        back in its original place. Nothing is moved where no motion is measured. Takes one more
        pass over both recordings.
    memory : str or int
        Bound on the working memory, such as "1GB"; on a cluster, that of each task.
    workers : int, optional
        Threads to compute with, and to decode with; every core that the process may use if left
        out. The result does not depend on it.
    scheduler : str, optional
        Of a Dask cluster that is to do it: an address such as ``tcp://host:8786``, or ``local:4``
        for four processes on this machine. Recordings are paths or URLs that all workers can read,
        and ``out`` is a Zarr store that all can write to.
    device : str, optional
        Where to compute for files and NumPy arrays, by PyTorch: "auto" for the first GPU that it
        sees, or the CPU with a note that says so; "cpu" (the default), "cuda", "cuda:1", "mps".
    resume : bool
        Keep what is done where it is stopped, even by the system, and go on with what another run
        of the same kept; for Zarr targets. Refused, saying what differs, where anything is not as
        it was.
    progress : callable, optional
        Called with frames (on a cluster, tasks) done and to do, all passes together.
    **options
        Of the method: see `Auto`, `Subspace`, `Wiener`, `Fft`, `Dct`.

    Returns
    -------
    array (T, Y, X), float32, or FuseResult
        Of the library and on the device of the inputs, NumPy for files; on the raw recording's
        scale; NaN where either input is.

    Raises
    ------
    InputError, OutputError
        Where the recordings do not fit together, one of them has no number, an option is not
        allowed, or the target cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> raw = np.random.default_rng(0).poisson(5, (60, 32, 32)).astype(np.uint16)
    >>> denoised = np.full(raw.shape, 5, np.float32)
    >>> fuse(raw, denoised, method="fft", alpha=0.85, matching="histogram", window=3000).shape
    (60, 32, 32)
    """
    chosen = get_method(method, **options)
    check_file_options(out, dtype=dtype, compression=compression)
    memory_bytes = parse_bytes(memory)
    target = None if out is None else Target(out, dtype, compression)
    if resume:
        check_resumable(out)
    opening: dict[str, Any] = {"align": align, "channel": channel, "plane": plane}
    if target is None and not scheduler and (is_lazy(raw) or is_lazy(denoised)):
        check_no_device(device)
        check_as_they_are(**opening, workers=workers, register=register)
        return fuse_lazily(raw, denoised, method=chosen, rescale=rescale, memory_bytes=memory_bytes)
    if scheduler:
        check_no_device(device)
        check_shared(raw, denoised, target, register=register, resume=resume, workers=workers)
    began = time.perf_counter()
    raw, denoised = wrapped(raw), wrapped(denoised)
    places = choose_places(raw, denoised, device, register=register)
    with working(workers), ExitStack() as stack:
        pair, notes = open_pair(stack, raw, denoised, **opening)
        for recording in pair:
            check_numbers(FramesOn(recording, places.compute))
        chosen = _in_units_of(chosen, pair[0].metadata)
        if target:
            check_target(target.path, inputs=[*pair, raw, denoised], compression=compression)
        if target and scheduler:
            stored = StoredPair.of(raw, denoised, **opening, memory_bytes=memory_bytes)
            saved, findings = fuse_on_cluster(
                pair,
                stored,
                method=chosen,
                target=target,
                scheduler=scheduler,
                rescale=rescale,
                progress=progress,
            )
        else:
            how = How(places, rescale, register, memory_bytes, progress)
            streamed = StreamedFusion(pair, chosen, how)
            if target is None:
                return streamed.to_array()
            if resume:
                saved = streamed.resumed_to_file(target, **opening)
            else:
                saved = streamed.to_file(target)
            findings, notes = streamed.findings, [*notes, *streamed.notes]
    return FuseResult(
        **asdict(saved),
        parameters={**chosen.parameters(), **({"register": True} if register else {})},
        findings=findings,
        notes=(*places.notes, *notes, *describe(findings, saved)),
        seconds=time.perf_counter() - began,
    )


def _in_units_of(method: Method, metadata: Metadata) -> Method:
    """The method with frame rate and pixel size from the recording, where it lacks them."""
    missing = getattr(method, "missing_units", ())
    return replace(method, **{name: getattr(metadata, name) for name in missing})
