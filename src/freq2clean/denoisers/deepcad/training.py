"""Train the network on odd and even frames, epoch by epoch, resumable after each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from freq2clean.denoisers.contract import Frames, Progress
from freq2clean.denoisers.deepcad.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from freq2clean.denoisers.deepcad.devices import computing, device_of
from freq2clean.denoisers.deepcad.network import Network
from freq2clean.denoisers.deepcad.pairs import MakePair, Pair, Patches, pair_of
from freq2clean.denoisers.deepcad.units import measure
from freq2clean.errors import InputError

if TYPE_CHECKING:
    from freq2clean.denoisers.deepcad.denoiser import DeepCAD

__all__ = ["Lesson", "loss_of", "new_network", "seeded", "train"]

_VALIDATION_SHARE = 0.1
_FREE_ON_RESUMING = ("n_epochs", "patience", "device", "mixed_precision", "calibrate")


@dataclass(frozen=True)
class Lesson:
    """What network a denoiser trains, and on what.

    Parameters
    ----------
    new_network : callable
        Gives a network with random weights.
    make_pair, n_views, step
        As in `Patches`.
    betas : (float, float)
        Of Adam.
    """

    new_network: Callable[[], nn.Module]
    make_pair: MakePair = pair_of
    n_views: int = 2
    step: int = 1
    betas: tuple[float, float] = (0.5, 0.999)


def new_network(base_channels: int, seed: int) -> nn.Module:
    """A network of DeepCAD-RT with random weights, the same for the same seed."""
    return seeded(lambda: Network(base_channels), seed)


def seeded(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A network whose random weights are the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make()
    return network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload,no-any-return]


def loss_of(out: Tensor, target: Tensor, l1_weight: float) -> Tensor:
    """Half the mean of squares, and half the mean of magnitudes times its weight.

    Targets that are NaN do not count.
    """
    seen = torch.isfinite(target)
    difference = torch.where(seen, out - target, 0.0)
    n_seen = seen.sum().clamp(min=1)
    return 0.5 * (difference.square().sum() + l1_weight * difference.abs().sum()) / n_seen


def train(
    recordings: Sequence[Frames],
    options: DeepCAD,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Checkpoint:
    """Train, or go on with a checkpoint, which is written anew after each epoch.

    Parameters
    ----------
    recordings : sequence of arrays or recordings (T, Y, X)
    options : DeepCAD
    checkpoint : Path, optional
    resume : bool
        Go on from the checkpoint if it is there.
    progress : callable, optional
        Called with the patches done and to do.
    """
    device = device_of(options.device)
    lesson = options.lesson()
    state = _state_to_go_on_with(options, checkpoint) if resume and checkpoint else None
    if state is None:
        state = Checkpoint(seeded(lesson.new_network, options.seed), asdict(options))
    state.options = asdict(options)
    patches, held_out = _patches(recordings, options, lesson, state.notes)
    trainer = _Trainer(state, options, lesson.betas, device)
    per_epoch = patches.n_patches
    total = options.n_epochs * per_epoch
    for epoch in range(len(state.history), options.n_epochs):
        if _has_stopped(state.history, options.patience):
            state.notes.append(f"stopped after {epoch} epochs: the loss fell no more")
            break

        def report(done: int, before: int = epoch * per_epoch) -> None:
            if progress is not None:
                progress(before + done, total)

        state.history.append(trainer.epoch(epoch, patches, held_out, report))
        state.training = trainer.state_dict()
        if checkpoint is not None:
            write_checkpoint(state, checkpoint, kind=options.name)
    if progress is not None:
        progress(total, total)
    state.network.to("cpu").eval()
    return state


def _state_to_go_on_with(options: DeepCAD, path: Path) -> Checkpoint | None:
    if not path.is_file():
        return None
    state = read_checkpoint(path, kind=options.name, network_of=options.network_of)
    if not state.training:
        raise InputError(f"{path} cannot be resumed: it holds weights only; train without resuming")
    free = {*_FREE_ON_RESUMING, *options.prediction_options}
    asked, given = asdict(options), state.options
    if (options.patience is None) != (given.get("patience") is None):
        free.discard("patience")  # what is held out is not trained on
    differing = [k for k in asked if k not in free and asked[k] != given.get(k)]
    if differing:
        was = ", ".join(f"{k} = {given.get(k)}" for k in differing)
        raise InputError(f"{path} was trained with {was}; give the same to resume it")
    return state


def _patches(
    recordings: Sequence[Frames], options: DeepCAD, lesson: Lesson, notes: list[str]
) -> tuple[Patches, Patches | None]:
    """Patches to train on and, where the end of training depends on them, patches held out."""
    shape = options.patch_t, options.patch_y, options.patch_x
    shortest = min(recording.shape[0] for recording in recordings)
    share = _VALIDATION_SHARE if options.patience is not None else 0.0
    n_views = lesson.n_views
    n_held_out = [int(share * r.shape[0]) // n_views * n_views for r in recordings]
    most = (
        min((r.shape[0] - n) // n_views for r, n in zip(recordings, n_held_out, strict=True)),
        *(min(recording.shape[axis] for recording in recordings) for axis in (1, 2)),
    )
    fitting = min(shape[0], most[0]), min(shape[1], most[1]), min(shape[2], most[2])
    note = (
        f"patches of {_by(shape)} were asked for; {_by(fitting)} fit into recordings of "
        f"{shortest} frames of {most[1]} x {most[2]} pixels"
    )
    if fitting != shape and note not in notes:
        notes.append(note)
    units = [measure(recording) for recording in recordings]
    views: Any = {"make_pair": lesson.make_pair, "n_views": n_views, "step": lesson.step}
    patches = Patches(
        recordings,
        units,
        shape=fitting,
        overlap=options.overlap,
        **views,
        n_patches=options.patches_per_epoch,
        frames=[(0, r.shape[0] - n) for r, n in zip(recordings, n_held_out, strict=True)],
    )
    if options.patience is None:
        return patches, None
    length = min(fitting[0], *(n // 2 for n in n_held_out))
    if length == 0:
        raise InputError(
            f"patience = {options.patience} holds a tenth of the frames out, and {shortest} are "
            "too few for that; give 20 frames or more, or no patience"
        )
    held_out = Patches(
        recordings,
        units,
        shape=(length, *fitting[1:]),
        overlap=0.0,
        **views,
        n_patches=max(1, options.patches_per_epoch // 10),
        frames=[(r.shape[0] - n, r.shape[0]) for r, n in zip(recordings, n_held_out, strict=True)],
    )
    return patches, held_out


def _by(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _has_stopped(history: Sequence[dict[str, float]], patience: int | None) -> bool:
    """Whether the last ``patience`` epochs brought no smaller loss on what was held out."""
    if patience is None or len(history) <= patience:
        return False
    losses = [epoch["held_out_loss"] for epoch in history]
    return min(losses[-patience:]) >= min(losses[:-patience])


class _Trainer:
    def __init__(
        self,
        state: Checkpoint,
        options: DeepCAD,
        betas: tuple[float, float],
        device: torch.device,
    ) -> None:
        self._options = options
        self._device = device
        self._network = state.network.to(device)
        self._optimizer = torch.optim.Adam(
            self._network.parameters(), lr=options.learning_rate, betas=betas
        )
        self._half = options.mixed_precision and device.type == "cuda"
        self._scaler = torch.amp.GradScaler(device.type, enabled=self._half)
        if state.training:
            self._optimizer.load_state_dict(state.training["optimizer"])
            self._scaler.load_state_dict(state.training["scaler"])

    def state_dict(self) -> dict[str, Any]:
        return {"optimizer": self._optimizer.state_dict(), "scaler": self._scaler.state_dict()}

    def epoch(
        self, epoch: int, patches: Patches, held_out: Patches | None, report: Any
    ) -> dict[str, float]:
        """One epoch, the same whether others came before it in this run or in another."""
        began = time.perf_counter()
        rate = self._rate(epoch)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._network.train()
        total, done = 0.0, 0
        rng = np.random.default_rng([self._options.seed, epoch])
        for batch in _batches(patches.pairs(rng), self._options.batch_size):
            total += self._step(batch) * len(batch)
            done += len(batch)
            report(done)
        found = {"learning_rate": rate, "loss": total / done}
        if held_out is not None:
            found["held_out_loss"] = self._loss_on(held_out)
        return {**found, "seconds": time.perf_counter() - began}

    def _rate(self, epoch: int) -> float:
        options = self._options
        if options.schedule == "constant":
            return options.learning_rate
        return options.learning_rate * 0.5 * (1 + math.cos(math.pi * epoch / options.n_epochs))

    def _step(self, batch: list[Pair]) -> float:
        self._optimizer.zero_grad(set_to_none=True)
        try:
            with computing():
                loss = self._loss(batch)
                self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        except MemoryError as error:
            raise InputError(
                f"not enough memory to train on {len(batch)} patches of "
                f"{_by(batch[0][0].shape)} at a time; give a smaller batch_size or smaller patches"
            ) from error
        self._scaler.step(self._optimizer)
        self._scaler.update()
        value = loss.item()
        if not math.isfinite(value):
            raise InputError(
                f"training diverged: the loss is {value}; give a lower learning_rate than "
                f"{self._options.learning_rate}"
            )
        return value

    def _loss(self, batch: list[Pair]) -> Tensor:
        source, target = (
            torch.from_numpy(np.stack(views))[:, None]
            .to(self._device)
            .contiguous(memory_format=torch.channels_last_3d)
            for views in zip(*batch, strict=True)
        )
        with torch.autocast(self._device.type, torch.float16, enabled=self._half):
            out = self._network(source)
        return loss_of(out.float(), target, self._options.l1_weight)

    @torch.no_grad()
    def _loss_on(self, patches: Patches) -> float:
        self._network.eval()
        rng = np.random.default_rng(self._options.seed)
        losses = [float(self._loss([pair])) for pair in patches.pairs(rng)]
        return sum(losses) / len(losses)


def _batches(pairs: Any, size: int) -> Any:
    batch: list[Pair] = []
    for pair in pairs:
        batch.append(pair)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
