"""Which recordings ``freq2clean fuse`` fuses: two that are named, or those of a DeepCAD-RT run."""

from __future__ import annotations

from pathlib import Path

from freq2clean.errors import InputError

__all__ = ["to_fuse"]


def to_fuse(
    raw: str | None, denoised: str | None, deepcad_run: Path | None
) -> tuple[str, str, tuple[str, ...]]:
    """The raw and the denoised recording, and what a user should know of the choice."""
    if deepcad_run is None:
        if raw is None or denoised is None:
            raise InputError("two recordings are fused: give RAW and DENOISED, or --deepcad-run")
        return raw, denoised, ()
    from freq2clean.pipeline.deepcad_run import find_deepcad_run

    if raw is not None:
        raise InputError(f"--deepcad-run finds both recordings itself: leave {raw} out")
    found = find_deepcad_run(deepcad_run)
    return str(found.raw), str(found.denoised), found.notes
