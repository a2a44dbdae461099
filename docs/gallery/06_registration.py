"""A recording that shakes

The average over many frames, from which detail is given back, is blurred where the tissue moves.
With `register=True` the rigid motion of every frame is found, the fusion is done where the tissue
is still, and the result is given back in its original place. Here a shake of one pixel.
"""

import freq2clean
from freq2clean.report.picture import picture

simulated = freq2clean.simulate((200, 64, 64), seed=5, jitter_px=1.0)
raw, truth = simulated.raw[:], simulated.truth[:]
denoised = freq2clean.denoise(raw)
shown = {
    "denoised": denoised,
    "fused": freq2clean.fuse(raw, denoised),
    "registered": freq2clean.fuse(raw, denoised, register=True),
}
for name, recording in shown.items():
    scores = freq2clean.evaluate(truth, recording, data_range="q99.9")
    print(f"{name:10s} PSNR {scores.psnr_db:.1f} dB, active pixels {scores.psnr_active_db:.1f} dB")

picture({**shown, "truth": truth}, "picture.png", frame=100)
