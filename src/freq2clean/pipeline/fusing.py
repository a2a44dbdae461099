"""A raw and a denoised recording in, the fused recording out."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any, Protocol, cast, overload

import numpy as np
from numpy.typing import NDArray

from freq2clean.denoisers.contract import check_numbers
from freq2clean.fusion import DEFAULT_METHOD, Fusion, Method, get_method
from freq2clean.fusion.scale import Scale
from freq2clean.fusion.spaces import HOST
from freq2clean.pipeline.denoising import Progress, halves
from freq2clean.pipeline.devices import (
    FramesOn,
    Places,
    check_no_device,
    choose_places,
    fetching,
    wrapped,
)
from freq2clean.pipeline.lazily import check_as_they_are, fuse_lazily
from freq2clean.pipeline.memory import DEFAULT_MEMORY, block_frames, parse_bytes
from freq2clean.pipeline.on_cluster import StoredPair, check_shared, fuse_on_cluster
from freq2clean.pipeline.opening import Pair, open_pair
from freq2clean.pipeline.registering import RegisteredPair, describe_motion, find_scale
from freq2clean.pipeline.resuming import job_of
from freq2clean.pipeline.saving import Saved, Target, check_file_options, resuming, saving
from freq2clean.pipeline.swapped import FrameChanges
from freq2clean.pipeline.workers import working
from freq2clean.recordings import Metadata, check_target
from freq2clean.recordings.resuming import check_resumable
from freq2clean.recordings.writing import note_on
from freq2clean.registration import Motion, find_motion
from freq2clean.streaming import IN_FLIGHT, two_passes
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
        they are, both on one device, by `Fft`, `Dct` and `Wiener`; the other methods bring blocks
        of them to the host and back, and warn of it, and so does ``register``.
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
    if scheduler or (target is None and (is_lazy(raw) or is_lazy(denoised))):
        check_no_device(device)
    if resume:
        check_resumable(out)
    if scheduler:
        check_shared(raw, denoised, target, register=register, resume=resume, workers=workers)
    elif target is None and (is_lazy(raw) or is_lazy(denoised)):
        check_as_they_are(
            align=align, channel=channel, plane=plane, workers=workers, register=register
        )
        lazy: Any = fuse_lazily(
            raw, denoised, method=chosen, rescale=rescale, memory_bytes=memory_bytes
        )
        return cast(NDArray[np.float32], lazy)
    began = time.perf_counter()
    raw, denoised = wrapped(raw), wrapped(denoised)
    places = choose_places(raw, denoised, device, method=method, register=register)
    with working(workers), ExitStack() as stack:
        pair, notes = open_pair(stack, raw, denoised, align=align, channel=channel, plane=plane)
        notes = [*places.notes, *notes]
        frames = [FramesOn(recording, places.compute) for recording in pair]
        for recording in frames:
            check_numbers(recording)
        chosen = _in_units_of(chosen, pair[0].metadata)
        if target:
            check_target(target.path, inputs=[*pair, raw, denoised], compression=compression)
        if target and scheduler:
            saved, findings = fuse_on_cluster(
                pair,
                StoredPair.of(
                    raw,
                    denoised,
                    align=align,
                    channel=channel,
                    plane=plane,
                    memory_bytes=memory_bytes,
                ),
                method=chosen,
                target=target,
                scheduler=scheduler,
                rescale=rescale,
                progress=progress,
            )
            return FuseResult(
                **asdict(saved),
                parameters=chosen.parameters(),
                findings=findings,
                notes=(*notes, *describe(findings, saved)),
                seconds=time.perf_counter() - began,
            )
        n_block = places.block_frames(pair[0].shape, memory_bytes) or block_frames(
            *pair, memory_bytes=memory_bytes
        )
        motion = None
        if register:
            finding, progress = halves(progress)
            motion = find_motion(*pair, block_frames=n_block, progress=finding)
        source: _Source = _AsTheyAre(*frames)
        if motion and not motion.is_still:
            source = RegisteredPair(pair, motion, find_scale(pair) if rescale else Scale())
            n_block = source.block_frames(n_block)
        fusion = Fusion(
            chosen,
            source.shape,
            rescale=rescale and source.scale is None,
            memory_bytes=memory_bytes // 2,
        )
        how = _How(n_block, rescale, progress, places, to_file=target is not None)
        if target is None:
            return _fuse_to_array(fusion, pair, source, how)
        if resume:
            options = {"align": align, "channel": channel, "plane": plane, "block_frames": n_block}
            options |= {"rescale": rescale, "memory": memory_bytes, "register": register}
            options |= {"computed on": str(places.compute)}
            job = job_of(pair, {**chosen.parameters(), **options})
            saved = _resume_to_file(fusion, pair, source, target, how, motion, job)
        else:
            saved = _fuse_to_file(fusion, pair, source, target, how, motion)
    findings = fusion.findings
    if motion:
        findings["registration"] = {
            **motion.summary(),
            "shifts_px": motion.raw_px.round(3).tolist(),
        }
        notes = [*notes, describe_motion(motion)]
    if source.scale:
        findings["scale"] = asdict(source.scale)
    return FuseResult(
        **asdict(saved),
        parameters={**chosen.parameters(), **({"register": True} if register else {})},
        findings=findings,
        notes=(*notes, *describe(findings, saved)),
        seconds=time.perf_counter() - began,
    )


class _Source(Protocol):
    """Where frames to fuse come from. Has a scale where they are brought to the raw one's."""

    @property
    def shape(self) -> tuple[int, int, int]: ...

    @property
    def scale(self) -> Scale | None: ...

    def read_both(self, start: int, stop: int) -> tuple[Any, Any]: ...

    def read_denoised(self, start: int, stop: int) -> Any: ...


class _AsTheyAre:
    """Frames of both recordings as they are stored."""

    scale = None

    def __init__(self, raw: FramesOn, denoised: FramesOn) -> None:
        self._raw, self._denoised = raw, denoised
        self.shape = raw.shape

    def read_both(self, start: int, stop: int) -> tuple[Any, Any]:
        return self._raw.read(start, stop), self._denoised.read(start, stop)

    def read_denoised(self, start: int, stop: int) -> Any:
        return self._denoised.read(start, stop)


@dataclass(frozen=True)
class _How:
    """How the recordings are streamed through a fusion."""

    block_frames: int
    rescale: bool
    progress: Progress | None
    places: Places
    to_file: bool

    @property
    def fetches(self) -> bool:
        """Whether fused frames are brought to the host from where they are computed."""
        return not self.places.compute.is_host and (self.to_file or self.places.result.is_host)


def _in_units_of(method: Method, metadata: Metadata) -> Method:
    """The method with frame rate and pixel size from the recording, where it lacks them."""
    missing = getattr(method, "missing_units", ())
    return replace(method, **{name: getattr(metadata, name) for name in missing})


Room = Callable[[int, int], NDArray[np.float32]]
Write = Callable[[NDArray[np.float32]], None]


def _stream(
    fusion: Fusion,
    source: _Source,
    how: _How,
    *,
    room: Room,
    write: Write | None = None,
    wanted: int = 0,
) -> None:
    """Fuse into what ``room`` gives for a range of frames, then hand it to ``write``.

    Frames before ``wanted`` may be left out.
    """
    begin = 0
    if isinstance(source, RegisteredPair):
        room, write = source.restoring(room, write, block_frames=how.block_frames)
    elif how.fetches:
        room, write = fetching(how.places.compute, room, write)

    def accumulate(start: int, both: tuple[NDArray[Any], NDArray[Any]]) -> int:
        nonlocal begin
        fusion.add(start, *both)
        if start == 0 and wanted:
            begin = fusion.begin_at(wanted)
        for run in fusion.review_runs:
            fusion.review(run[0], *source.read_both(*run))
        if start == 0 and how.rescale:
            changes.check(fusion.scale.gain)
        if begin:
            fusion.forget(min(fusion.settled, begin - how.block_frames))
        return fusion.settled

    def read_denoised(start: int, stop: int) -> NDArray[Any] | None:
        return source.read_denoised(start, stop) if stop > begin else None

    def apply(start: int, frames: NDArray[Any] | None) -> None:
        if frames is None:
            return
        for fused in fusion.stream(frames, first_frame=start, room=room):
            if write:
                write(fused)

    changes = FrameChanges()
    for start, stop in fusion.survey_runs:
        both = source.read_both(start, stop)
        fusion.look(*both)
        changes.look(*both)
    two_passes(
        fusion.n_frames,
        how.block_frames,
        read_first=source.read_both,
        first=accumulate,
        read_second=read_denoised,
        second=apply,
        progress=how.progress,
    )


def _fuse_to_array(fusion: Fusion, pair: Pair, source: _Source, how: _How) -> Any:
    places = how.places
    where = HOST if how.fetches else places.compute
    fused = where.empty(pair[0].shape)
    _stream(fusion, source, how, room=lambda start, stop: fused[start:stop, ...])
    return fused if where is places.result else places.result.array(fused)


def _fuse_to_file(
    fusion: Fusion,
    pair: Pair,
    source: _Source,
    target: Target,
    how: _How,
    motion: Motion | None,
) -> Saved:
    raw, made = pair[0], _made(fusion, motion)
    with saving(target, raw.shape, raw=raw, how=made, inputs=pair) as (append, saved):
        _stream(fusion, source, how, room=_rooms(pair, how), write=append)
    return saved


def _resume_to_file(
    fusion: Fusion,
    pair: Pair,
    source: _Source,
    target: Target,
    how: _How,
    motion: Motion | None,
    job: dict[str, Any],
) -> Saved:
    """The same, but for what another run of the job has written.

    The first pass is done again. In the second, the last frame that was written comes once more,
    and is compared.
    """
    raw, made = pair[0], _made(fusion, motion)
    rooms, begun = _rooms(pair, how), 0

    def room(start: int, stop: int) -> NDArray[np.float32]:
        nonlocal begun
        begun = start
        return rooms(start, stop)

    with resuming(target, raw.shape, raw=raw, how=made, inputs=pair, job=job) as (
        append,
        saved,
        n_written,
    ):
        _stream(
            fusion,
            source,
            how,
            room=room,
            write=lambda block: append(begun, block),
            wanted=max(0, n_written - 1),
        )
    return saved


def _made(fusion: Fusion, motion: Motion | None) -> dict[str, Any]:
    """How the fused recording is made, for its provenance."""
    made = fusion.method.parameters()
    return {**made, "registration": motion.summary()} if motion else made


def _rooms(pair: Pair, how: _How) -> Room:
    """Buffers, in turn, as many as can be in use."""
    raw = pair[0]
    shape = (min(how.block_frames, len(raw)), *raw.shape[1:])
    buffers = cycle([np.empty(shape, np.float32) for _ in range(IN_FLIGHT)])
    return lambda start, stop: next(buffers)[: stop - start]


def describe(findings: dict[str, Any], saved: Saved) -> list[str]:
    """What a user should know of a fusion, in plain words."""
    notes = []
    scale = Scale(**findings["scale"])
    if not scale.is_identity:
        notes.append(
            "the denoised recording is on another scale: it was brought to the raw one's as "
            f"{scale.gain:.6g} x denoised {scale.offset:+.6g}"
        )
    if findings.get("n_bins_limited_by_memory"):
        notes.append(
            f"memory allows {findings['n_bins']} temporal bins, fewer than would be of use; "
            "give more memory for a better result"
        )
    if "expected_mse_reduction" in findings:
        notes.append(_describe_gain(findings))
    if note := note_on(saved.path):
        notes.append(note)
    if saved.n_clipped:
        notes.append(f"{saved.n_clipped} values were clipped to what {saved.dtype} can hold")
    return notes


def _describe_gain(findings: dict[str, Any]) -> str:
    before, after = findings["expected_mse_in_bands"]
    if before == 0:
        return (
            "no detail was found that the denoised recording lacks: it was left as it is "
            "(expected gain 0)"
        )
    share = findings["expected_mse_reduction"] / findings["noise_sd"] ** 2
    return (
        f"expected gain, without ground truth: the mean squared error falls by "
        f"{findings['expected_mse_reduction']:.4g} ({share:.2%} of the raw noise variance); in "
        f"the corrected bands from {before:.4g} to {after:.4g}, "
        f"{findings['expected_gain_in_bands_db']:.1f} dB"
    )
