"""Seeded recordings with ground truth, and an imitated denoiser to judge fusion by."""

from freq2clean.simulation.imitation import imitate_denoiser
from freq2clean.simulation.simulator import SimulatedRecording, simulate

__all__ = ["SimulatedRecording", "imitate_denoiser", "simulate"]
