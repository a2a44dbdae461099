"""Noise2Void through CAREamics: a network learns a pixel from what is around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from freq2clean.denoisers.deepcad import DeepCAD
from freq2clean.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from freq2clean.denoisers.deepcad.pairs import Pair
    from freq2clean.denoisers.deepcad.training import Lesson

__all__ = ["Noise2Void"]

_DEPTH = 2
_CHANNELS = range(8, 1026, 2)


@dataclass(frozen=True)
class Noise2Void(DeepCAD):
    """Denoising learned from a recording alone, after Noise2Void [1]_, by CAREamics.

    Some values of a patch are replaced by others from around them, and the network learns to tell
    what they were. It can only do so from their neighbours in space and time, which hold the
    signal, and not their noise. Network and masks are those of CAREamics, in three dimensions.
    Loading, training and predicting are those of `DeepCAD`, and so are all other options.

    Parameters
    ----------
    patch_t, patch_y, patch_x : int
        Frames, rows and columns of a training patch.
    base_channels : int
        Of the first of three levels; 32 are 1.5 million parameters. Even, from 8 up.
    masked_percent : float
        How many of the values of a patch are replaced, 0.05 to 10 %.
    around_pixels : int
        Side of the cube that replacements are taken from, odd, 3 to 21.

    Notes
    -----
    It needs noise that is independent between pixels: what is common to neighbours, as bleed of
    the detector is, is taken for signal.

    References
    ----------
    .. [1] A. Krull, T.-O. Buchholz and F. Jug, CVPR 2019, arXiv:1811.10980
    """

    name: ClassVar[str] = "noise2void"
    extra: ClassVar[str | None] = "careamics"
    needs: ClassVar[tuple[str, ...]] = ("torch", "careamics")

    patch_t: int = 16
    patch_y: int = 64
    patch_x: int = 64
    patches_per_epoch: int = 1000
    batch_size: int = 4
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    l1_weight: float = 0.0
    base_channels: int = 32
    masked_percent: float = 2.0
    around_pixels: int = 11

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.base_channels not in _CHANNELS:
            raise InputError(
                f"base_channels = {self.base_channels}; give an even number from 8 to 1024"
            )
        if not 0.05 <= self.masked_percent <= 10:
            raise InputError(f"masked_percent = {self.masked_percent}; give 0.05 to 10")
        if self.around_pixels not in range(3, 22, 2):
            raise InputError(
                f"around_pixels = {self.around_pixels}; give an odd number from 3 to 21"
            )

    def lesson(self) -> Lesson:
        from freq2clean.denoisers.deepcad.training import Lesson

        return Lesson(
            lambda: _network(self.base_channels), self._pair_of, n_views=1, betas=(0.9, 0.999)
        )

    @staticmethod
    def network_of(weights: Mapping[str, Any], *, name: str) -> nn.Module:
        import torch

        first = weights.get("encoder.encoder_blocks.0.conv1.weight")
        try:
            network = _network(first.shape[0])  # type: ignore[union-attr]
            network.load_state_dict(weights)
        except (AttributeError, RuntimeError, TypeError, ValueError) as error:
            raise InputError(
                f"{name} holds the weights of another network; give a model of noise2void"
            ) from error
        if not all(bool(torch.isfinite(value).all()) for value in weights.values()):
            raise InputError(f"{name} holds weights that are not finite; give an earlier model")
        return network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload,no-any-return]

    def _pair_of(self, stretch: NDArray[np.float32], rng: np.random.Generator) -> Pair:
        """A stretch with some values replaced, and these values, with NaN everywhere else."""
        import torch

        from freq2clean.denoisers.deepcad.network import LEAST_SIDE
        from freq2clean.denoisers.deepcad.pairs import continued, turned
        from freq2clean.denoisers.deepcad.units import filled

        frames = turned(stretch, rng)
        source, target = continued(
            filled(frames.copy()), frames, least=LEAST_SIDE, multiple=2**_DEPTH
        )
        masked, mask = self._masked(torch.from_numpy(source), int(rng.integers(1, 2**31)))
        target[~mask.numpy()] = np.nan
        return masked.numpy(), target

    def _masked(self, source: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """Frames with some values replaced, and where."""
        manipulate, config = _careamics("N2VManipulate", "N2VManipulateConfig")
        replace = manipulate(
            config(
                masked_pixel_percentage=self.masked_percent,
                roi_size=self.around_pixels,
                seed=seed,
            ),
            device="cpu",
        )
        masked, _, mask = replace(source[None, None])
        return masked[0, 0], mask[0, 0].bool()


def _network(base_channels: int) -> nn.Module:
    """The 3-D U-Net of CAREamics with random weights, without its normalisation of batches."""
    (unet,) = _careamics("UNet")
    network: nn.Module = unet(
        conv_dims=3, depth=_DEPTH, num_channels_init=base_channels, use_batch_norm=False
    )
    return network


def _careamics(*names: str) -> list[Any]:
    """Classes of CAREamics by name.

    Raises
    ------
    MissingExtraError
        If it is installed beside libraries that it does not work with.
    """
    try:
        from careamics.config.algorithms.n2v_manipulation import N2VManipulateConfig
        from careamics.lightning.modules.n2v_utils import N2VManipulate
        from careamics.models.unet import UNet
    except (ImportError, RuntimeError) as error:
        raise MissingExtraError(
            f"CAREamics cannot be imported ({str(error).splitlines()[0]}); have pip choose what "
            'works with it: pip install "freq2clean[careamics]", in a new environment if need be'
        ) from error
    known = {"N2VManipulate": N2VManipulate, "N2VManipulateConfig": N2VManipulateConfig}
    return [(known | {"UNet": UNet})[name] for name in names]
