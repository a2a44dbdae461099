"""Fusion while a recording is acquired: frames in, fused frames out, in bounded time and memory."""

from freq2clean.fusion.live.fuser import StreamingFuser

__all__ = ["StreamingFuser"]
