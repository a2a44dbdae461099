"""Two TIFFs, one command

A raw recording and what your denoiser made of it go in, the fused recording comes out. The files
here are simulated; yours need no other preparation.

What the command prints says what was measured on the way: the noise, and by how much the mean
squared error is expected to fall. No ground truth went into that.
"""

import subprocess

import freq2clean

freq2clean.simulate((300, 64, 64), seed=11, out=".")  # raw.tif, and truth.tif to compare with
freq2clean.denoise("raw.tif", out="denoised.tif")  # or your denoiser's output

for command in (
    "freq2clean fuse raw.tif denoised.tif -o fused.tif",
    "freq2clean evaluate truth.tif denoised.tif fused.tif --data-range q99.9",
    "freq2clean render raw.tif denoised.tif fused.tif truth.tif -o picture.png",
):
    print(f"$ {command}")
    print(subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout)
