"""Shifts between noisy images, to a fraction of a pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

__all__ = ["Spectrum", "fill_unknown", "locate", "register", "shifted", "spectra_of"]

DETAIL_SIGMA_PX = 6.0
SOFTENING_SIGMA_PX = 0.7
TAPER_SHARE = 0.25
NEWTON_STEPS = 5
CONVERGED_PX = 0.003
NEGLIGIBLE_WEIGHT = 1e-3

Spectrum = NDArray[np.complexfloating[Any, Any]]


def spectra_of(images: NDArray[Any], /, *, part: NDArray[np.bool_] | None = None) -> Spectrum:
    """Fourier transforms (n, y, x) of images, without their slow background and their edges.

    With ``part`` (y, x), of their detail in that part of the field alone.
    """
    out = np.empty(images.shape, np.complex64)
    taper = np.multiply.outer(*(_taper(size) for size in images.shape[1:])).astype(np.float32)
    if part is not None:
        taper *= part
    for spectrum, image in zip(out, images, strict=True):
        image = image.astype(np.float32)
        detail = ndimage.gaussian_filter(image, SOFTENING_SIGMA_PX)
        detail -= ndimage.gaussian_filter(image, DETAIL_SIGMA_PX)
        limit = 4 * float(np.std(detail))
        np.clip(detail, -limit, limit, out=detail)
        spectrum[:] = fft.fft2(detail * taper)
    return out


def register(spectra: Spectrum, reference: Spectrum, /) -> NDArray[np.float64]:
    """How far the content of each image has moved from the reference: (n, 2), rows and columns.

    The peak of the cross-correlation, which weighs each spatial frequency by the reference's own
    strength there, so that what is noise in both does not count.
    """
    return locate(spectra, reference)[0]


def locate(
    spectra: Spectrum, reference: Spectrum, /
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The shifts (n, 2) that `register` gives, and how clear each is.

    Returns
    -------
    shifts : (n, 2) float64
    clarity : (n,) float64
        Height of the peak over the root mean square of the correlation: some 4 where there is
        nothing but noise, 0 where there is nothing.
    """
    shifts, clarity = np.zeros((len(spectra), 2)), np.zeros(len(spectra))
    for i, spectrum in enumerate(spectra):
        product = spectrum * reference.conj()
        correlation = fft.ifft2(product).real
        if not correlation.any():
            continue
        peak = np.unravel_index(np.argmax(correlation), correlation.shape)
        whole = [p - n if 2 * p > n else p for p, n in zip(peak, correlation.shape, strict=True)]
        shifts[i] = _refined(product, np.array(whole, float))
        clarity[i] = correlation[peak] / np.sqrt(np.mean(np.square(correlation)))
    return shifts, clarity


def _refined(product: Spectrum, peak: NDArray[np.float64]) -> NDArray[np.float64]:
    """Newton's method on the correlation, a sum of waves, from its largest sample."""
    omega = [2j * np.pi * fft.fftfreq(size) for size in product.shape]
    shift = peak.copy()
    for _ in range(NEWTON_STEPS):
        rows, columns = (
            np.exp(w * s) * np.stack([np.ones_like(w), w, w**2]).astype(np.complex64)
            for w, s in zip(omega, shift, strict=True)
        )
        d = (rows.astype(np.complex64) @ product @ columns.astype(np.complex64).T).real
        slope = np.array([d[1, 0], d[0, 1]], float)
        bend = np.array([[d[2, 0], d[1, 1]], [d[1, 1], d[0, 2]]], float)
        if not (bend[0, 0] < 0 and np.linalg.det(bend) > 0):
            break
        step = np.linalg.solve(bend, slope)
        shift = np.clip(shift - step, peak - 1, peak + 1)
        if np.abs(step).max() < CONVERGED_PX:
            break
    return shift


def shifted(spectra: Spectrum, shifts: NDArray[np.float64], /) -> Spectrum:
    """The spectra (n, y, x) of the images moved by shifts (n, 2)."""
    rows, columns = (fft.fftfreq(size) for size in spectra.shape[1:])
    phase = [
        np.multiply.outer(np.exp(-2j * np.pi * dy * rows), np.exp(-2j * np.pi * dx * columns))
        for dy, dx in shifts
    ]
    return spectra * np.asarray(phase, np.complex64)


def _taper(size: int) -> NDArray[np.float64]:
    """A Tukey window: flat in the middle, a cosine to zero at both ends."""
    from scipy.signal.windows import tukey

    return np.asarray(tukey(size + 2, TAPER_SHARE)[1:-1])


def fill_unknown(image: NDArray[np.float32], /) -> NDArray[np.float32]:
    """The image with its slow background where it is not finite, so that no detail is seen there.

    Zeros where nothing of it is finite.
    """
    known = np.isfinite(image)
    if known.all():
        return image
    weight = ndimage.gaussian_filter(known.astype(np.float32), DETAIL_SIGMA_PX)
    background = ndimage.gaussian_filter(np.where(known, image, 0), DETAIL_SIGMA_PX)
    level = float(image[known].mean()) if known.any() else 0.0
    near = weight > NEGLIGIBLE_WEIGHT
    np.divide(background, weight, out=background, where=near)
    background[~near] = level
    return np.where(known, image, background).astype(np.float32)
