"""The weights of one method, looked at

`wiener` weights each band of time and each ring of space by the signal that the residual, raw less
denoised, is seen to hold there. The weights are part of what a fit finds: 1 gives a band back
whole, 0 leaves it alone. Here the mean image, on the left, is given back in nearly all its detail,
and of what changes over time only what is coarse.
"""

from pathlib import Path

import numpy as np

import freq2clean
from freq2clean.report.figures import new_figure, save_figure, styled

simulated = freq2clean.simulate((400, 96, 96), seed=11)
raw = simulated.raw[:]
fusion = freq2clean.Wiener().fit(raw, freq2clean.denoise(raw))
found = fusion.findings
weights = np.array(found["weights"])  # (temporal bands, spatial rings)


@styled
def draw():
    figure = new_figure(7.5, 3.5)
    axes = figure.add_subplot()
    image = axes.imshow(weights.T, origin="lower", aspect="auto", vmin=0, vmax=1)
    edges = np.array(found["band_edges_cycles_per_frame"])
    places = np.arange(0, len(weights), 2)
    axes.set_xticks(places, [f"{edge:.3g}" for edge in edges[places]])
    rings = np.array(found["ring_edges_cycles_per_pixel"])
    places = np.arange(0, weights.shape[1], 4)
    axes.set_yticks(places, [f"{ring:.2f}" for ring in rings[places]])
    axes.set_xlabel("cycles per frame, from")
    axes.set_ylabel("cycles per pixel, from")
    figure.colorbar(image, label="weight")
    save_figure(figure, Path("weights.png"))


draw()
print(f"{weights.shape[0]} temporal bands x {weights.shape[1]} rings")
print("the mean image's weights:", weights[0].round(2))
