"""A simulated recording, into a folder if wanted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from freq2clean.errors import OutputError
from freq2clean.pipeline.memory import DEFAULT_MEMORY, block_frames, parse_bytes
from freq2clean.pipeline.saving import Target, save, whole_file
from freq2clean.recordings import create

if TYPE_CHECKING:
    from freq2clean.simulation import SimulatedRecording

__all__ = ["simulate"]


def simulate(
    shape: tuple[int, int, int] = (1500, 192, 192),
    *,
    seed: int,
    out: str | Path | None = None,
    memory: str | int = DEFAULT_MEMORY,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> SimulatedRecording:
    """Simulate a recording with ground truth; see `freq2clean.simulation.simulate`.

    Parameters
    ----------
    shape : (int, int, int)
        Frames, rows, columns.
    seed : int
    out : path, optional
        A folder, made if need be, that gets ``raw.tif``, ``truth.tif``, ``labels.tif`` (ROIs), and
        ``traces.npy``, ``spikes.npy`` (ROIs, frames).
    memory : str or int
        Bound on the working memory.
    progress : callable, optional
        Called with frames written and frames to write.
    **options
        Of the simulator: ``snr_db``, ``drift_px``, ``jitter_px``, ...

    Returns
    -------
    SimulatedRecording

    Examples
    --------
    >>> simulate((50, 64, 64), seed=1).raw.shape
    (50, 64, 64)
    """
    from freq2clean.simulation import simulate as make_recording

    memory_bytes = parse_bytes(memory)
    simulated = make_recording(shape, seed=seed, **options)
    if out is not None:
        _write(simulated, Path(out), memory_bytes, progress)
    return simulated


def _write(
    simulated: SimulatedRecording,
    folder: Path,
    memory_bytes: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made ({error.strerror}); give a folder") from error
    raw = simulated.raw
    n_frames = len(raw)
    how = dict(raw.metadata.provenance)
    for index, (name, recording) in enumerate((("raw", raw), ("truth", simulated.truth))):

        def report(done: int, total: int, index: int = index) -> None:
            if progress:
                progress(index * n_frames + done, 2 * n_frames)

        save(
            recording,
            Target(folder / f"{name}.tif", recording.dtype.name),
            raw=raw,
            how=how,
            inputs=[],
            n_block=block_frames(raw, memory_bytes=memory_bytes),
            progress=report,
        )
    labels = simulated.labels[None].astype(np.uint16)
    with create(folder / "labels.tif", labels.shape, labels.dtype) as writer:
        writer.append(labels)
    for name, values in (("traces", simulated.traces), ("spikes", simulated.spikes)):
        with whole_file(folder / f"{name}.npy") as file:
            np.save(file, values, allow_pickle=False)
