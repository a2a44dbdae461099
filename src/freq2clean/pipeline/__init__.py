"""Where the rooms meet: one function for each thing a user wants done."""

from freq2clean.pipeline.denoising import DenoiseResult, denoise
from freq2clean.pipeline.evaluating import evaluate
from freq2clean.pipeline.fusing import FuseResult, fuse
from freq2clean.pipeline.inspecting import inspect
from freq2clean.pipeline.running import RunResult, run
from freq2clean.pipeline.simulating import simulate
from freq2clean.pipeline.training import TrainResult, train

__all__ = [
    "DenoiseResult",
    "FuseResult",
    "RunResult",
    "TrainResult",
    "denoise",
    "evaluate",
    "fuse",
    "inspect",
    "run",
    "simulate",
    "train",
]
