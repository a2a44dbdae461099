"""How close a recording is to its ground truth."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from numpy.typing import NDArray

from freq2clean.metrics import Evaluator, Scores, SSIM3DOptions
from freq2clean.pipeline.labels import read_labels
from freq2clean.pipeline.memory import DEFAULT_MEMORY, block_frames, parse_bytes
from freq2clean.pipeline.opening import open_pair
from freq2clean.pipeline.workers import working
from freq2clean.streaming import blocks, read_ahead

__all__ = ["evaluate"]


def evaluate(
    truth: Any,
    recording: Any,
    /,
    *,
    data_range: float | str,
    ssim3d: SSIM3DOptions | None = None,
    masks: Any = None,
    align: str | None = None,
    channel: int | None = None,
    plane: int | None = None,
    memory: str | int = DEFAULT_MEMORY,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Score a recording against its ground truth: PSNR, SSIM3D, SSIM, stSNR, trace correlation.

    Parameters
    ----------
    truth, recording : array-like (T, Y, X), path or Recording
    data_range : float or str
        In the units of the pixels, or a percentile of the truth such as ``"q99.9"``.
    ssim3d : SSIM3DOptions, optional
        Convention of SSIM3D; the study's if left out.
    masks : label image (Y, X), masks (K, Y, X), or the path of a label image, optional
        ROIs whose traces are compared.
    align : {None, "start", "end", "center"}
        Where a recording of fewer frames lies in the truth.
    channel, plane : int, optional
        Of recordings with more than three axes.
    memory : str or int
        Bound on the working memory.
    workers : int, optional
        As in `fuse`.
    progress : callable, optional
        Called with frames done and frames to do.

    Returns
    -------
    Scores

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.random.default_rng(0).poisson(50, (20, 16, 16)).astype(np.uint16)
    >>> evaluate(truth, truth, data_range="q99.9").psnr_db
    inf
    """
    with working(workers), ExitStack() as stack:
        pair, _ = open_pair(stack, truth, recording, align=align, channel=channel, plane=plane)
        rois = None if masks is None else read_labels(masks)
        evaluator = Evaluator(pair[0].shape, data_range=data_range, ssim3d=ssim3d, masks=rois)
        passes = [evaluator.survey, evaluator.add] if evaluator.needs_survey else [evaluator.add]
        n_frames = len(pair[0])
        ranges = blocks(0, n_frames, block_frames(*pair, memory_bytes=parse_bytes(memory)))

        def read_both(start: int, stop: int) -> tuple[NDArray[Any], NDArray[Any]]:
            return pair[0].read(start, stop), pair[1].read(start, stop)

        for index, take in enumerate(passes):
            for (start, stop), (true_block, block) in read_ahead(read_both, ranges):
                take(start, true_block, block)
                if progress:
                    progress(index * n_frames + stop, len(passes) * n_frames)
        return evaluator.result()
