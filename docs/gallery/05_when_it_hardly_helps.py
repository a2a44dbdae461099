"""When fusion hardly helps

Two cases. A bright recording, +20 dB, whose denoiser kept the raw mean image: whatever is gained in
dB is gained of an error that nobody sees, half a percent of the noise's variance. And one that
shakes by a pixel: the averages from which detail would come are as blurred as the denoised frames.

`inspect` says so before anything is fused. For what shakes, see the
[next example](06_registration.md).
"""

from textwrap import fill

import freq2clean

cases = {
    "bright": (freq2clean.simulate((200, 64, 64), seed=78, snr_db=20.0, gain=20.0), "pca"),
    "shaking": (freq2clean.simulate((200, 64, 64), seed=78, jitter_px=1.0), "gaussian"),
}
for case, (simulated, model) in cases.items():
    raw, truth = simulated.raw[:], simulated.truth[:]
    denoised = freq2clean.denoise(raw, model=model)
    print(f"{case}:")
    for finding in freq2clean.inspect(raw, denoised).advice:
        print(fill(finding.sentence, 88, initial_indent="  - ", subsequent_indent="    "))
    fused = freq2clean.fuse(raw, denoised)
    for name, recording in {"denoised": denoised, "fused": fused}.items():
        scores = freq2clean.evaluate(truth, recording, data_range="q99.9")
        print(f"  {name:9s} PSNR {scores.psnr_db:.1f} dB")
