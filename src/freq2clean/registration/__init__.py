"""Rigid motion of a recording: found frame by frame, and taken out of what is fused."""

from freq2clean.registration.common_frame import CommonFrame
from freq2clean.registration.finding import find_motion
from freq2clean.registration.motion import Motion

__all__ = ["CommonFrame", "Motion", "find_motion"]
