"""Passes over recordings in blocks of frames; they take callables and name no method."""

from freq2clean.streaming.passes import IN_FLIGHT, blocks, read_ahead, two_passes, write_behind

__all__ = ["IN_FLIGHT", "blocks", "read_ahead", "two_passes", "write_behind"]
