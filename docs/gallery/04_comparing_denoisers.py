"""Comparing denoisers

Which denoiser is best depends on the recording. Fusion brings them closer together: what one of
them blurs is given back, and what another leaves of the noise is taken off.

A Gaussian blurs; a PCA keeps the raw mean image and all noise of its components; any function of
an array is a denoiser too, here a mean over five frames and three by three pixels.
"""

from scipy.ndimage import uniform_filter

import freq2clean
from freq2clean.report.picture import picture

simulated = freq2clean.simulate((300, 64, 64), seed=77)
raw, truth = simulated.raw[:], simulated.truth[:]

denoisers = {
    "gaussian": freq2clean.denoise,
    "pca": lambda raw: freq2clean.denoise(raw, model="pca"),
    "mean": lambda raw: uniform_filter(raw.astype("float32"), size=(5, 3, 3)),
}
shown = {}
for name, denoise in denoisers.items():
    shown[name] = denoise(raw)
    shown[f"{name}, fused"] = freq2clean.fuse(raw, shown[name])
for name, recording in shown.items():
    scores = freq2clean.evaluate(truth, recording, data_range="q99.9")
    print(f"{name:16s} PSNR {scores.psnr_db:.1f} dB, active pixels {scores.psnr_active_db:.1f} dB")

drawn = ("gaussian", "gaussian, fused", "pca", "pca, fused")
picture({name: shown[name] for name in drawn}, "picture.png")
