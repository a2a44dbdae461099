"""Denoise a recording slab by slab with a network that sees its images too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from freq2clean.denoisers.contract import Frames, Read, valid_frames
from freq2clean.denoisers.deepcad.tiles import Slabs, Tile, Tiler, tiles_of
from freq2clean.denoisers.pretrained.runtimes import Forward
from freq2clean.denoisers.pretrained.views import Views, as_channels

__all__ = ["SIDE_MULTIPLE", "reader"]

SIDE_MULTIPLE = 8
"""The network halves and doubles sides three times."""


def reader(
    recording: Frames,
    views: Views,
    forward: Forward,
    *,
    tile_t: int,
    tile_yx: int,
    halo: int,
    notes: list[str],
) -> Read:
    """What gives denoised frames of a recording; see `DeepCAD` for tiles and halo."""
    tiler = Tiler(
        lambda tiles: forward(as_channels(tiles)),
        side=tile_yx,
        halo=halo,
        multiple=SIDE_MULTIPLE,
        notes=notes,
    )

    def denoise(slab: Tile) -> NDArray[np.float32]:
        block = np.asarray(recording[slab.start : min(slab.stop, recording.shape[0])])
        valid = slice(slab.first - slab.start, slab.last - slab.start)
        out = tiler.run(views.inputs(valid_frames(block), slab.stop - slab.start), valid)
        out = views.values(out)
        if block.dtype.kind == "f":
            out[~np.isfinite(block[valid])] = np.nan
        return out

    slabs = tiles_of(recording.shape[0], tile_t, halo=halo, multiple=SIDE_MULTIPLE)
    return Slabs(slabs, recording.shape[1:], denoise)
