"""Zarr in a pipeline before Suite2p

Fusion stands between the denoiser and whatever finds the cells. Here all that is written is Zarr:
chunked, compressed, and read by any tool in parts. `dtype="int16"` is what Suite2p works with.

The next step would be `freq2clean rois suite2p fused.zarr -o cells --tau-s 0.7`, which needs
`pip install "freq2clean[suite2p]"`.
"""

import zarr

import freq2clean

freq2clean.simulate((300, 64, 64), seed=3, out=".")
freq2clean.denoise("raw.tif", out="denoised.zarr")
result = freq2clean.fuse(
    "raw.tif", "denoised.zarr", out="fused.zarr", dtype="int16", compression="zstd"
)
print(f"{result.path}: {result.shape} {result.dtype}, {result.n_clipped} values clipped")

fused = zarr.open_array("fused.zarr", mode="r")
print(f"read by zarr itself: {fused.shape} {fused.dtype}, chunks of {fused.chunks}")

recording = freq2clean.open_recording("fused.zarr")  # lazily: only what is asked for is read
print("frames 100 to 110:", recording.read(100, 110).shape)
made = recording.metadata.provenance
print("made by", made["method"], "of freq2clean", made["versions"]["freq2clean"])
