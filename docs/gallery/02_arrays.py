"""Arrays in, array out

In Python, arrays do as well as files, and `fuse` gives back an array. `Auto().fit` and `apply` are
the same in two steps, for a look at what was found before anything is changed.
"""

import freq2clean
from freq2clean.report.picture import picture

simulated = freq2clean.simulate((300, 96, 96), seed=5)
raw, truth = simulated.raw[:], simulated.truth[:]
denoised = freq2clean.denoise(raw)
fused = freq2clean.fuse(raw, denoised)

for name, recording in {"denoised": denoised, "fused": fused}.items():
    scores = freq2clean.evaluate(truth, recording, data_range="q99.9")
    print(
        f"{name:9s} PSNR {scores.psnr_db:.1f} dB, on active pixels {scores.psnr_active_db:.1f} dB"
    )

fusion = freq2clean.Auto().fit(raw, denoised)
expected = fusion.findings["expected_mse_reduction"]
print(
    f"noise {fusion.findings['noise_sd']:.1f} counts (SD); expected fall of the MSE {expected:.2f}"
)

picture({"raw": raw, "denoised": denoised, "fused": fused, "truth": truth}, "picture.png")
