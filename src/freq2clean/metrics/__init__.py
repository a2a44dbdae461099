"""How close a recording is to its truth: arrays in, numbers out."""

from freq2clean.metrics.evaluator import Evaluator, Scores
from freq2clean.metrics.events import EventScores, match_events, score_events
from freq2clean.metrics.psnr import psnr
from freq2clean.metrics.quantiles import QuantileSketch
from freq2clean.metrics.rois import (
    ROIMatches,
    ROIScores,
    average_scores,
    match_rois,
    matched_correlation,
    score_rois,
    union_iou,
)
from freq2clean.metrics.snr import SNRScore, stsnr
from freq2clean.metrics.ssim import ssim_frames
from freq2clean.metrics.ssim3d import SSIM3DOptions, SSIM3DScore, ssim3d
from freq2clean.metrics.traces import TraceCorrelation, trace_correlation

__all__ = [
    "Evaluator",
    "EventScores",
    "QuantileSketch",
    "ROIMatches",
    "ROIScores",
    "SNRScore",
    "SSIM3DOptions",
    "SSIM3DScore",
    "Scores",
    "TraceCorrelation",
    "average_scores",
    "match_events",
    "match_rois",
    "matched_correlation",
    "psnr",
    "score_events",
    "score_rois",
    "ssim3d",
    "ssim_frames",
    "stsnr",
    "trace_correlation",
    "union_iou",
]
