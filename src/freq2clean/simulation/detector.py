"""From photons to counts: Poisson noise, gain, offset, read noise, bleed between pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Detector"]


@dataclass(frozen=True)
class Detector:
    """A point-scanning detector that writes uint16.

    Parameters
    ----------
    gain : float
        Counts per photon.
    offset : float
        Counts without light.
    read_noise : float
        Standard deviation of the electronic noise, in counts.
    bleed : float
        Share of each pixel's noise that reaches the next pixel of the row. The correlation
        of neighbours is ``bleed / (1 + bleed**2)``; the variance stays.
    """

    gain: float
    offset: float
    read_noise: float
    bleed: float

    def counts(self, photons: NDArray[np.float32]) -> NDArray[np.float32]:
        """Expected counts for expected photons."""
        return np.float32(self.gain) * photons + np.float32(self.offset)

    def expose(self, rng: np.random.Generator, photons: NDArray[np.float32]) -> NDArray[np.uint16]:
        """One noisy frame (Y, X) for the expected photons (Y, X)."""
        noise = np.float32(self.gain) * (rng.poisson(photons).astype(np.float32) - photons)
        if self.read_noise:
            noise += np.float32(self.read_noise) * rng.standard_normal(noise.shape, np.float32)
        if self.bleed:
            spread = noise[:, 1:] + np.float32(self.bleed) * noise[:, :-1]
            noise[:, 1:] = spread / np.float32(np.hypot(1, self.bleed))
        noise += self.counts(photons)
        return np.clip(np.rint(noise, out=noise), 0, 65535, out=noise).astype(np.uint16)

    @property
    def rounding_variance(self) -> float:
        """Variance that rounding adds, in counts squared; none where all counts are whole."""
        whole = float(self.gain).is_integer() and float(self.offset).is_integer()
        return 0.0 if whole and not self.read_noise and not self.bleed else 1 / 12

    def brightness_for(self, snr_db: float, *, mean: float, mean_square: float) -> float:
        """The factor on the light at which the recording has the SNR asked for.

        The SNR is ``10 log10(sum s^2 / sum n^2)``, s the signal in photons and n the noise;
        ``mean`` and ``mean_square`` are those of s at a factor of one.
        """
        snr = 10 ** (snr_db / 10)
        dark_variance = (self.read_noise**2 + self.rounding_variance) / self.gain**2
        half = snr * mean / 2
        return float((half + np.sqrt(half**2 + snr * dark_variance * mean_square)) / mean_square)
