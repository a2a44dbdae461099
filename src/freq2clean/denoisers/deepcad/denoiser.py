"""DeepCAD-RT: a 3-D U-Net that learns from odd and even frames of the recording itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from freq2clean.denoisers.contract import Denoiser, Frames, Model, Progress, Read, check
from freq2clean.errors import InputError

if TYPE_CHECKING:
    from torch import nn

    from freq2clean.denoisers.deepcad.checkpoint import Checkpoint
    from freq2clean.denoisers.deepcad.training import Lesson

__all__ = ["DeepCAD", "DeepCADModel"]

_STEP = 8
_SCHEDULES = "constant", "cosine"


@dataclass(frozen=True)
class DeepCAD(Denoiser):
    """Self-supervised denoising by a 3-D U-Net, after DeepCAD [1]_ and DeepCAD-RT [2]_.

    A stretch of frames is split into odd and even ones; the network learns to tell one from the
    other. Their noise is independent, so what it learns is the signal. Weights that the authors'
    package saved can be loaded.

    Parameters
    ----------
    patch_t, patch_y, patch_x : int
        Frames, rows and columns of a training patch; ``2 * patch_t`` frames are read for each.
    overlap : float
        Share of a patch that the next one in a row or column covers, 0 to 0.95.
    patches_per_epoch, n_epochs, batch_size : int
    learning_rate : float
        Of Adam with betas 0.5 and 0.999.
    schedule : {"constant", "cosine"}
        Of the learning rate.
    patience : int, optional
        Stop when so many epochs brought no smaller loss on the last tenth of the frames, which
        are then not trained on.
    l1_weight : float
        The loss is ``0.5 * MSE + 0.5 * l1_weight * L1`` in units of the noise. The authors' 0.5
        each are in counts, where noise of some 100 counts makes L1 a hundredth. A large L1 draws
        towards the median, which with few photons is far below the mean.
    base_channels : int
        Of the first of four levels; 16 are 1.02 million parameters.
    seed : int
        Training is deterministic on a CPU.
    device : str
        "auto" is a GPU if there is one, else the CPU.
    mixed_precision : bool
        Half precision on a GPU.
    tile_t, tile_yx, halo : int
        Side of a tile when predicting, in frames and in pixels, and what of it is thrown away at
        each side: multiples of 8. From a halo of 48 on, results do not depend on the tiles at all.
    tiles_per_batch : int
        Tiles that go through the network at a time.
    calibrate : bool
        Bring the prediction to the scale of the recording by one gain and one offset, found on
        odd and even frames.

    Notes
    -----
    The mean of the recording is subtracted, and the standard deviation of its noise is one unit;
    weights of the authors' package know no unit and get values less the mean. The authors'
    rescaling of every patch by a ratio of sums is left out: it biases the mean. Predicting takes
    some 350 bytes for every value of a tile, and one slab of frames; training holds a gibibyte of
    frames at most. Neither depends on the recording's length. Where memory runs out, predicting
    goes on in smaller tiles.

    References
    ----------
    .. [1] X. Li et al., Nature Methods 18 (2021), doi:10.1038/s41592-021-01225-0
    .. [2] X. Li et al., Nature Biotechnology 41 (2023), doi:10.1038/s41587-022-01450-8

    Examples
    --------
    >>> import numpy as np
    >>> raw = np.random.default_rng(0).poisson(9, (40, 16, 16)).astype(np.uint16)
    >>> denoiser = DeepCAD(
    ...     patch_t=8, patch_y=8, patch_x=8, patches_per_epoch=4, n_epochs=1, base_channels=4
    ... )
    >>> denoised = denoiser.fit(raw).predict(raw)
    >>> denoised.shape
    (40, 16, 16)
    """

    name: ClassVar[str] = "deepcad"
    extra: ClassVar[str | None] = "torch"
    needs: ClassVar[tuple[str, ...]] = ("torch", "yaml")
    prediction_options: ClassVar[tuple[str, ...]] = (
        "device", "mixed_precision", "tile_t", "tile_yx", "halo", "tiles_per_batch", "calibrate",
    )  # fmt: skip
    least_frames: ClassVar[int] = 2
    trains_long: ClassVar[bool] = True

    patch_t: int = 150
    patch_y: int = 150
    patch_x: int = 150
    overlap: float = 0.25
    patches_per_epoch: int = 6000
    n_epochs: int = 10
    batch_size: int = 1
    learning_rate: float = 5e-5
    schedule: str = "constant"
    patience: int | None = None
    l1_weight: float = 0.01
    base_channels: int = 16
    seed: int = 0
    device: str = "auto"
    mixed_precision: bool = True
    tile_t: int = 136
    tile_yx: int = 160
    halo: int = 24
    tiles_per_batch: int = 1
    calibrate: bool = True

    def __post_init__(self) -> None:
        for name in (
            "patch_t", "patch_y", "patch_x", "patches_per_epoch", "n_epochs", "batch_size",
            "base_channels", "tiles_per_batch",
        ):  # fmt: skip
            if getattr(self, name) < 1:
                raise InputError(f"{name} = {getattr(self, name)}; give a number from 1 up")
        if self.patience is not None and self.patience < 1:
            raise InputError(f"patience = {self.patience}; give a number from 1 up, or None")
        if not 0 <= self.overlap <= 0.95:
            raise InputError(f"overlap = {self.overlap}; give 0 to 0.95")
        if not 0 < self.learning_rate < 1:
            raise InputError(f"learning_rate = {self.learning_rate}; give a number such as 5e-5")
        if not 0 <= self.l1_weight < float("inf"):
            raise InputError(f"l1_weight = {self.l1_weight}; give 0 or more")
        if self.schedule not in _SCHEDULES:
            raise InputError(f"schedule = {self.schedule!r}; give {' or '.join(_SCHEDULES)}")
        if self.halo < 0 or self.halo % _STEP:
            raise InputError(f"halo = {self.halo}; give a multiple of {_STEP}")
        for name in ("tile_t", "tile_yx"):
            side = getattr(self, name)
            if side % _STEP or side <= 2 * self.halo:
                raise InputError(
                    f"{name} = {side}; give a multiple of {_STEP} that is more than twice the halo "
                    f"of {self.halo}"
                )

    def fit(
        self,
        recording: Frames,
        /,
        *others: Frames,
        progress: Progress | None = None,
        checkpoint: str | Path | None = None,
        resume: bool = False,
    ) -> DeepCADModel:
        """Train on one recording, or on several.

        Parameters
        ----------
        recording, *others : arrays or recordings (T, Y, X)
        progress : callable, optional
            Called with the patches done and to do.
        checkpoint : path, optional
            Written after every epoch; `load` reads it.
        resume : bool
            Go on from the checkpoint if it is there: the outcome is that of a training that was
            never interrupted.

        Raises
        ------
        InputError
            If a recording has a single frame or no finite value, the checkpoint is of another
            training, training diverges, or memory runs out.
        MissingExtraError
            Without PyTorch.
        """
        self.check_installed()
        for one in (recording, *others):
            check(one)
            if one.shape[0] < self.least_frames:
                raise InputError("a single frame cannot be learned from; give two or more")
        from freq2clean.denoisers.deepcad.training import train

        state = train(
            (recording, *others),
            self,
            checkpoint=None if checkpoint is None else Path(checkpoint),
            resume=resume,
            progress=progress,
        )
        return DeepCADModel(self, state)

    def train(
        self,
        recordings: Sequence[Frames],
        path: str | Path,
        /,
        *,
        resume: bool = False,
        progress: Progress | None = None,
    ) -> DeepCADModel:
        """Fit to recordings; the model is written after every epoch."""
        model = self.fit(*recordings, checkpoint=path, resume=resume, progress=progress)
        model.save(path)
        return model

    def lesson(self) -> Lesson:
        """What network is trained, and on what; other denoisers by networks have their own."""
        from freq2clean.denoisers.deepcad.network import Network
        from freq2clean.denoisers.deepcad.training import Lesson

        return Lesson(lambda: Network(self.base_channels))

    @staticmethod
    def network_of(weights: Mapping[str, Any], *, name: str) -> nn.Module:
        """The network that has these weights; the name is what messages call them.

        Raises
        ------
        InputError
            If they are those of another network, or not finite.
        """
        from freq2clean.denoisers.deepcad.network import network_of

        return network_of(weights, name=name)

    @classmethod
    def _load(cls, path: Path) -> DeepCADModel:
        from freq2clean.denoisers.deepcad.checkpoint import read_checkpoint

        state = read_checkpoint(path, kind=cls.name, network_of=cls.network_of)
        # A model trained on a GPU is of use where there is none.
        known = {field.name for field in fields(cls)} - {"device"}
        return DeepCADModel(cls(**{k: v for k, v in state.options.items() if k in known}), state)


@dataclass(frozen=True, eq=False)
class DeepCADModel(Model):
    """A trained network.

    Parameters
    ----------
    denoiser : DeepCAD
    state : Checkpoint
    """

    denoiser: DeepCAD
    state: Checkpoint

    @property
    def findings(self) -> Mapping[str, Any]:
        return {
            "parameters": sum(value.numel() for value in self.state.network.parameters()),
            "epochs": len(self.state.history),
            "history": self.state.history,
            "notes": list(self.state.notes),
        }

    def save(self, path: str | Path, /) -> None:
        from freq2clean.denoisers.deepcad.checkpoint import write_checkpoint

        self.state.options = asdict(self.denoiser)
        write_checkpoint(self.state, path, kind=self.denoiser.name)

    def _check_fits(self, recording: Frames) -> None:
        """A network suits any recording."""

    def _reader(self, recording: Frames, notes: list[str]) -> Read:
        from freq2clean.denoisers.deepcad.inference import Reader

        return Reader(self.state.network, self.denoiser, self.state.unit_size, recording, notes)
