"""Errors that a user can mend. Each message says the value, what is allowed, and the mend."""

from __future__ import annotations

__all__ = ["Freq2CleanError", "InputError", "MissingExtraError", "OutputError", "reason_of"]


class Freq2CleanError(Exception):
    """Base of every error that freq2clean raises on purpose."""


class InputError(Freq2CleanError, ValueError):
    """An input or an option that cannot be used as it is."""


class OutputError(Freq2CleanError, OSError):
    """A target that cannot be written. What stood there before is untouched."""


class MissingExtraError(Freq2CleanError, ImportError):
    """An optional library is needed; the message names the extra that brings it."""


def reason_of(error: Exception) -> str:
    """What an error of a library says, in one line; its kind where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
