"""When fusion does not help

Where the recording is bright, or the denoiser kept the raw mean image, there is little to give
back, and little is changed. `inspect` says so before, and the fusion's own expectation says so
after: here a recording at +20 dB, denoised by a PCA.
"""

import freq2clean

simulated = freq2clean.simulate((300, 64, 64), seed=78, snr_db=20.0, gain=20.0)
raw, truth = simulated.raw[:], simulated.truth[:]
denoised = freq2clean.denoise(raw, model="pca")

for finding in freq2clean.inspect(raw, denoised).advice:
    print(f"{finding.severity}: {finding.sentence}")

fusion = freq2clean.Auto().fit(raw, denoised)
found = fusion.findings
share = found["expected_mse_reduction"] / found["noise_sd"] ** 2
print(f"expected fall of the mean squared error: {share:.2%} of the noise variance")

for name, recording in {"denoised": denoised, "fused": fusion.apply(denoised)}.items():
    scores = freq2clean.evaluate(truth, recording, data_range="q99.9")
    print(f"{name:9s} PSNR {scores.psnr_db:.2f} dB")
