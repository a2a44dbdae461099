"""A pair of recordings streamed through a fusion on this machine, into an array or a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import cycle
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from freq2clean.fusion.method import Fusion, Method
from freq2clean.fusion.scale import Scale
from freq2clean.fusion.spaces import HOST
from freq2clean.pipeline.denoising import Progress, halves
from freq2clean.pipeline.devices import FramesOn, Places, fetching
from freq2clean.pipeline.memory import block_frames
from freq2clean.pipeline.opening import Pair
from freq2clean.pipeline.registering import RegisteredPair, describe_motion, find_scale
from freq2clean.pipeline.resuming import job_of
from freq2clean.pipeline.saving import Saved, Target, resuming, saving
from freq2clean.pipeline.swapped import FrameChanges
from freq2clean.registration import Motion, find_motion
from freq2clean.streaming import IN_FLIGHT, two_passes

__all__ = ["How", "StreamedFusion"]


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
class How:
    """How recordings are streamed through a fusion.

    Parameters
    ----------
    places : Places
    rescale, register : bool
        As in `freq2clean.fuse`.
    memory_bytes : int
    progress : callable, optional
    """

    places: Places
    rescale: bool
    register: bool
    memory_bytes: int
    progress: Progress | None


Room = Callable[[int, int], NDArray[np.float32]]
Write = Callable[[NDArray[np.float32]], None]


class StreamedFusion:
    """One fusion, ready to be streamed once; finds the motion first, where that is asked for."""

    def __init__(self, pair: Pair, method: Method, how: How) -> None:
        self._pair = pair
        self._how = how
        self._progress = how.progress
        self._block_frames = how.places.block_frames(
            pair[0].shape, how.memory_bytes
        ) or block_frames(*pair, memory_bytes=how.memory_bytes)
        self._motion: Motion | None = None
        if how.register:
            finding, self._progress = halves(how.progress)
            self._motion = find_motion(*pair, block_frames=self._block_frames, progress=finding)
        self._source: _Source = _AsTheyAre(*(FramesOn(x, how.places.compute) for x in pair))
        if self._motion and not self._motion.is_still:
            scale = find_scale(pair) if how.rescale else Scale()
            self._source = RegisteredPair(pair, self._motion, scale)
            self._block_frames = self._source.block_frames(self._block_frames)
        self._fusion = Fusion(
            method,
            self._source.shape,
            rescale=how.rescale and self._source.scale is None,
            memory_bytes=how.memory_bytes // 2,
        )

    def to_array(self) -> Any:
        """The fused recording."""
        result = self._how.places.result
        fetch = self._fetches(result.is_host)
        where = HOST if fetch else self._how.places.compute
        fused = where.empty(self._pair[0].shape)
        self._stream(room=lambda start, stop: fused[start:stop, ...], fetch=fetch)
        return fused if where is result else result.array(fused)

    def to_file(self, target: Target) -> Saved:
        """Write it."""
        raw, made = self._pair[0], self._made
        with saving(target, raw.shape, raw=raw, how=made, inputs=self._pair) as (append, saved):
            self._stream(room=self._rooms(), fetch=self._fetches(True), write=append)
        return saved

    def resumed_to_file(self, target: Target, **options: Any) -> Saved:
        """Write it, but for what another run of the same with the same options has written.

        The first pass is done again. In the second, the last frame that was written comes once
        more, and is compared.
        """
        rooms, begun = self._rooms(), 0

        def room(start: int, stop: int) -> NDArray[np.float32]:
            nonlocal begun
            begun = start
            return rooms(start, stop)

        raw, job = self._pair[0], self._job(options)
        with resuming(target, raw.shape, raw=raw, how=self._made, inputs=self._pair, job=job) as (
            append,
            saved,
            n_written,
        ):
            self._stream(
                room=room,
                fetch=self._fetches(True),
                write=lambda block: append(begun, block),
                wanted=max(0, n_written - 1),
            )
        return saved

    @property
    def findings(self) -> dict[str, Any]:
        """What the method measured, and what was found of motion."""
        findings = self._fusion.findings
        if self._motion:
            shifts_px = self._motion.raw_px.round(3).tolist()
            findings["registration"] = {**self._motion.summary(), "shifts_px": shifts_px}
        if self._source.scale:
            findings["scale"] = asdict(self._source.scale)
        return findings

    @property
    def notes(self) -> list[str]:
        """Motion in plain words, where it was looked for."""
        return [describe_motion(self._motion)] if self._motion else []

    def _fetches(self, to_host: bool) -> bool:
        """Whether fused frames are brought to the host from where they are computed."""
        return to_host and not self._how.places.compute.is_host

    def _job(self, options: dict[str, Any]) -> dict[str, Any]:
        """What the result follows from."""
        how = self._how
        also = {
            "block_frames": self._block_frames,
            "rescale": how.rescale,
            "memory": how.memory_bytes,
            "register": how.register,
            "computed on": str(how.places.compute),
        }
        return job_of(self._pair, {**self._fusion.method.parameters(), **options, **also})

    @property
    def _made(self) -> dict[str, Any]:
        """How the fused recording is made, for its provenance."""
        made = self._fusion.method.parameters()
        return {**made, "registration": self._motion.summary()} if self._motion else made

    def _rooms(self) -> Room:
        """Buffers, in turn, as many as can be in use."""
        raw = self._pair[0]
        shape = (min(self._block_frames, len(raw)), *raw.shape[1:])
        buffers = cycle([np.empty(shape, np.float32) for _ in range(IN_FLIGHT)])
        return lambda start, stop: next(buffers)[: stop - start]

    def _stream(
        self, *, room: Room, fetch: bool, write: Write | None = None, wanted: int = 0
    ) -> None:
        """Fuse into what ``room`` gives for a range of frames, then hand it to ``write``.

        Frames before ``wanted`` may be left out.
        """
        fusion, source, n_block = self._fusion, self._source, self._block_frames
        begin = 0
        if isinstance(source, RegisteredPair):
            room, write = source.restoring(room, write, block_frames=n_block)
        elif fetch:
            room, write = fetching(self._how.places.compute, room, write)

        def accumulate(start: int, both: tuple[NDArray[Any], NDArray[Any]]) -> int:
            nonlocal begin
            fusion.add(start, *both)
            if start == 0 and wanted:
                begin = fusion.begin_at(wanted)
            for run in fusion.review_runs:
                fusion.review(run[0], *source.read_both(*run))
            if start == 0 and self._how.rescale:
                changes.check(fusion.scale.gain)
            if begin:
                fusion.forget(min(fusion.settled, begin - n_block))
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
            n_block,
            read_first=source.read_both,
            first=accumulate,
            read_second=read_denoised,
            second=apply,
            progress=self._progress,
        )
