"""Where arrays live: in the memory of NumPy, or of another library, on one of its devices.

The mathematics is written once, against the Python array API. What a library or device needs done
in its own way is a method here: sums and products over frames, which NumPy does on threads and in
memory that was used before; cosine transforms, which devices do as matrix products; and the way to
and from the host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache, cached_property, lru_cache, partial
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from math import prod
from typing import Any

import array_api_compat as compat
import numpy as np
from array_api_compat import numpy as numpy_namespace
from numpy.typing import NDArray
from scipy.fft import dct, dctn, idct, idctn

from freq2clean.errors import InputError
from freq2clean.fusion.bases import dct_basis
from freq2clean.fusion.parallel import (
    few_frames,
    frames_per_task,
    is_at_work,
    over_items,
    over_pixels,
    scratch,
)
from freq2clean.threads import n_threads

__all__ = ["HOST", "Space", "is_elsewhere", "space_of", "to_host", "torch_devices", "torch_space"]

_BYTES_AT_ONCE = 1 << 29
_CONSTANTS = 32


class Space:
    """Arrays of one library on one device, by nothing but the Python array API.

    Parameters
    ----------
    xp : module
        The library's namespace.
    device : object
        As the library names it.
    """

    is_host = False

    def __init__(self, xp: Any, device: Any) -> None:
        self.xp = xp
        self.device = device
        self._constants: dict[Any, Any] = {}

    def __str__(self) -> str:
        return f"{self.xp.__name__.rsplit('.', 1)[-1]} on {self.device}"

    @cached_property
    def real(self) -> Any:
        """The dtype that sums are kept in: float64, where the device has it."""
        return self.xp.float64

    @property
    def eps(self) -> float:
        """Of `real`."""
        return float(self.xp.finfo(self.real).eps)

    def array(self, values: Any, dtype: Any = None) -> Any:
        """A NumPy array, here."""
        return self.xp.asarray(values, dtype=dtype, device=self.device)

    def constant(self, key: Any, make: Callable[[], NDArray[Any]]) -> Any:
        """What ``make`` gives, here, and kept for the next time."""
        found = self._constants.pop(key, None)
        if found is None:
            found = self.array(make())
        self._constants[key] = found
        if len(self._constants) > _CONSTANTS:
            self._constants.pop(next(iter(self._constants)))
        return found

    def host(self, array: Any) -> NDArray[Any]:
        """An array from here as a NumPy array."""
        return np.asarray(array)

    def send(self, values: NDArray[Any]) -> Any:
        """A block of a recording, here; what is computed meanwhile goes on where it can."""
        return self.array(values)

    def fetch(self, array: Any, *, out: NDArray[np.float32]) -> None:
        """An array from here, into ``out`` on the host."""
        out[...] = self.host(array)

    def numbers(self, *scalars: Any) -> list[float]:
        """Arrays without axes, fetched at once."""
        values: list[float] = self.host(self.xp.stack(scalars)).astype(np.float64).tolist()
        return values

    def holds(self, condition: Any) -> bool:
        """Whether a condition holds everywhere."""
        return bool(self.xp.all(condition))

    def copy(self, values: Any, *, out: Any) -> None:
        """Values as float32, in ``out``."""
        out[...] = self.floats(values)

    def empty(self, shape: Sequence[int]) -> Any:
        """A float32 array."""
        return self.xp.empty(tuple(shape), dtype=self.xp.float32, device=self.device)

    def zeros(self, shape: Sequence[int], dtype: Any) -> Any:
        return self.xp.zeros(tuple(shape), dtype=dtype, device=self.device)

    def frames(self, block: Any) -> Any:
        """A block of frames with values to compute with."""
        xp = self.xp
        if xp.isdtype(block.dtype, "bool"):
            return xp.astype(block, xp.float32)
        if not xp.isdtype(block.dtype, ("integral", "real floating")):
            raise InputError(f"values are {block.dtype}; real numbers are needed")
        return block

    def floats(self, values: Any) -> Any:
        """Values as float32; themselves, where they are."""
        return self.xp.astype(values, self.xp.float32, copy=False)

    def finite(self, values: Any) -> Any:
        """Where values are finite."""
        return self.xp.isfinite(self.floats(values))

    def over_pixels(
        self, function: Callable[[slice], None], n_pixels: int, *, one_sweep: bool = False
    ) -> None:
        """Call ``function`` on slices that cover ``range(n_pixels)``."""
        function(slice(0, n_pixels))

    def together(self, items: Sequence[Any]) -> list[Sequence[Any]]:
        """Items in groups that are worked on at a time: all of them."""
        return [items]

    def over_images(
        self, function: Callable[[slice], None], n_images: int, shape: tuple[int, int]
    ) -> None:
        """Call ``function`` on slices that cover ``range(n_images)``: few enough for memory."""
        step = max(1, _BYTES_AT_ONCE // (4 * prod(shape) * 32))
        for first in range(0, n_images, step):
            function(slice(first, min(first + step, n_images)))

    def over_items(self, function: Callable[[Any], None], items: Iterable[Any]) -> None:
        """Call ``function`` on each item."""
        for item in items:
            function(item)

    def over_frames(self, function: Callable[[slice], None], n_frames: int, n_pixels: int) -> None:
        """Call ``function`` on slices that cover ``range(n_frames)``."""
        function(slice(0, n_frames))

    def few_frames(self, n_pixels: int) -> int:
        """How many frames to work on at a time, patch by patch."""
        return min(1024, max(8, _BYTES_AT_ONCE // (16 * n_pixels)))

    values_at_once = _BYTES_AT_ONCE // 16
    """How many coefficients of patches to work on at a time."""

    def scratch(self, name: str, shape: tuple[int, int]) -> Any:
        """Memory to put an intermediate result in, or None where it finds its own."""
        return None

    def difference(self, raw: Any, level: Any) -> Any:
        """``raw - level`` in float32."""
        return self.floats(raw) - level

    def sum_frames(self, values: Any) -> Any:
        """The sum (1, pixels) of a run of frames, float32; exact for 16-bit integers."""
        return self.xp.sum(values, axis=0, dtype=self.xp.float32, keepdims=True)

    def product(self, name: str, left: Any, right: Any) -> Any:
        """A matrix product, float32."""
        return left @ right

    def add(self, left: Any, right: Any, *, out: Any) -> None:
        """``left + right`` in ``out``, which may be one of them."""
        out[...] = left + right

    def add_product(self, level: Any, left: Any, right: Any, *, out: Any) -> None:
        """``level + left @ right`` in ``out``, which may be ``level``."""
        self.add(level, left @ right, out=out)

    def dctn(self, values: Any, *, axes: Sequence[int], overwrite: bool = False) -> Any:
        """The orthonormal DCT-II along some of the last axes, given as negative numbers."""
        for axis in axes:
            values = self._transform(values, axis, self._cosines(values.shape[axis], values))
        return values

    def idctn(self, values: Any, *, axes: Sequence[int], overwrite: bool = False) -> Any:
        """The inverse of `dctn`."""
        for axis in axes:
            matrix = self._cosines(values.shape[axis], values)
            values = self._transform(values, axis, self.xp.matrix_transpose(matrix))
        return values

    def dct(self, courses: Any) -> Any:
        """The orthonormal DCT-II along the second axis of (patches, T, K), float32.

        By an FFT of the even, then the odd values: Makhoul (1980), doi:10.1109/TASSP.1980.1163351.
        """
        xp, n = self.xp, courses.shape[1]
        order, turn, *_ = self._of_fft(n)
        values = xp.astype(xp.take(courses, order, axis=1), xp.complex64)
        return xp.real(xp.fft.fft(values, axis=1) * turn)

    def idct(self, courses: Any) -> Any:
        """The inverse of `dct`."""
        xp, n = self.xp, courses.shape[1]
        _, _, turn, turn_back, back, order = self._of_fft(n)
        values = courses * turn + xp.take(courses, back, axis=1) * turn_back
        return xp.take(xp.real(xp.fft.ifft(values, axis=1)), order, axis=1)

    def _of_fft(self, n: int) -> list[Any]:
        parts = _order_and_turns(n)
        return [self.constant(("fft", n, i), partial(parts.__getitem__, i)) for i in range(6)]

    def _cosines(self, n: int, like: Any) -> Any:
        matrix = self.constant(("dct", n), lambda: dct_basis(n, n).astype(np.float32))
        if like.dtype == matrix.dtype:
            return matrix
        return self.constant(("dct", n, str(like.dtype)), lambda: dct_basis(n, n))

    def _transform(self, values: Any, axis: int, matrix: Any) -> Any:
        if axis == -1:
            return values @ self.xp.matrix_transpose(matrix)
        inner = values.shape[axis + 1 :]
        flat = self.xp.reshape(values, (*values.shape[: axis + 1], prod(inner)))
        return self.xp.reshape(matrix @ flat, values.shape)

    def at_least(self, values: Any, least: float) -> Any:
        """The values, or ``least`` where they are smaller."""
        return self.xp.maximum(
            values, self.xp.asarray(least, dtype=values.dtype, device=self.device)
        )

    def dots(self, left: Any, right: Any) -> Any:
        """The sums of products over the last four axes."""
        return self.xp.sum(left * right, axis=(-4, -3, -2, -1), dtype=self.real)

    def level(self, images: Any) -> Any:
        """The mean of each image, (..., 1, 1)."""
        return self.xp.mean(images, axis=(-2, -1), keepdims=True)

    def of_rings(self, values: NDArray[Any], index: NDArray[np.intp]) -> Any:
        """Images (K, Y, X), float32, of the value that is given for each ring, (K, n_rings)."""
        ring = self.constant(("ring", index.shape), index.ravel)
        images = self.xp.take(self.array(values.astype(np.float32)), ring, axis=1)
        return self.xp.reshape(images, (len(values), *index.shape))

    def sums(self, values: Any) -> Any:
        """The sums over the last four axes."""
        return self.xp.sum(values, axis=(-4, -3, -2, -1), dtype=self.real)

    def eigh(self, matrices: Any) -> tuple[Any, Any]:
        """Eigenvalues and eigenvectors of symmetric matrices."""
        values, vectors = self.xp.linalg.eigh(matrices)
        return values, vectors

    def band_powers(self, courses: Any, starts: Sequence[int]) -> NDArray[np.float64]:
        """Sums of squares over bands of the second axis of (n, T, K): (n, bands, K), on the host.

        A band reaches from its start to that of the next.
        """
        xp, squares = self.xp, courses * courses
        sums = [
            xp.sum(squares[:, first:last, :], axis=1, dtype=self.real)
            for first, last in pairwise([*starts, courses.shape[1]])
        ]
        return self.host(xp.stack(sums, axis=1)).astype(np.float64)

    def ring_powers(self, images: Any, index: NDArray[np.intp]) -> NDArray[np.float64]:
        """Sums of squares of images (K, Y, X) over rings: (K, n_rings), on the host."""
        return self.ring_sums(images * images, index)

    def ring_sums(self, values: Any, index: NDArray[np.intp]) -> NDArray[np.float64]:
        """Sums of (..., Y, X) over the rings of `ring_index`: (..., n_rings), on the host."""
        xp = self.xp
        order = self.constant(
            ("rings", index.shape), lambda: np.argsort(index, axis=None, kind="stable")
        )
        edges = [0, *np.cumsum(np.bincount(index.ravel())).tolist()]
        flat = xp.reshape(values, (*values.shape[:-2], index.size))
        sorted_ = xp.take(flat, order, axis=-1)
        groups = [
            xp.sum(sorted_[..., first:last], axis=-1, dtype=self.real)
            for first, last in pairwise(edges)
        ]
        return self.host(xp.stack(groups, axis=-1)).astype(np.float64)


class _Host(Space):
    """NumPy: on threads, tile by tile, in memory that was used before."""

    is_host = True
    values_at_once = 1 << 18

    def __reduce__(self) -> str:
        return "HOST"

    def array(self, values: Any, dtype: Any = None) -> Any:
        return np.asarray(values, dtype)

    def constant(self, key: Any, make: Callable[[], NDArray[Any]]) -> Any:
        return make()

    def frames(self, block: Any) -> NDArray[Any]:
        array = np.ascontiguousarray(block)
        if array.dtype.kind not in "biuf":
            raise InputError(f"values are {array.dtype}; real numbers are needed")
        return array.astype(np.float32) if array.dtype.kind == "b" else array

    def copy(self, values: Any, *, out: Any) -> None:
        np.copyto(out, values, casting="same_kind")

    def finite(self, values: Any) -> Any:
        return np.isfinite(values)

    def over_pixels(
        self, function: Callable[[slice], None], n_pixels: int, *, one_sweep: bool = False
    ) -> None:
        over_pixels(function, n_pixels, one_sweep=one_sweep)

    def together(self, items: Sequence[Any]) -> list[Sequence[Any]]:
        return [[item] for item in items]

    def over_images(
        self, function: Callable[[slice], None], n_images: int, shape: tuple[int, int]
    ) -> None:
        over_items(function, [slice(i, i + 1) for i in range(n_images)])

    def over_items(self, function: Callable[[Any], None], items: Iterable[Any]) -> None:
        over_items(function, items)

    def over_frames(self, function: Callable[[slice], None], n_frames: int, n_pixels: int) -> None:
        step = frames_per_task(n_pixels)
        over_items(function, [slice(i, min(i + step, n_frames)) for i in range(0, n_frames, step)])

    def few_frames(self, n_pixels: int) -> int:
        return few_frames(n_pixels)

    def scratch(self, name: str, shape: tuple[int, int]) -> Any:
        return scratch(name, shape)

    def difference(self, raw: Any, level: Any) -> Any:
        out = scratch("residual", raw.shape)
        return np.subtract(raw, level, out=out, dtype=np.float32)

    def sum_frames(self, values: Any) -> Any:
        if values.dtype == np.float32:
            return np.matmul(np.ones((1, len(values)), np.float32), values)
        return np.add.reduce(values, axis=0, dtype=np.float32, keepdims=True)

    def product(self, name: str, left: Any, right: Any) -> Any:
        return np.matmul(left, right, out=scratch(name, (left.shape[0], right.shape[1])))

    def add(self, left: Any, right: Any, *, out: Any) -> None:
        np.add(left, right, out=out)

    def add_product(self, level: Any, left: Any, right: Any, *, out: Any) -> None:
        np.add(level, self.product("added", left, right), out=out)

    def dctn(self, values: Any, *, axes: Sequence[int], overwrite: bool = False) -> Any:
        return dctn(
            values, axes=axes, norm="ortho", workers=_workers(values), overwrite_x=overwrite
        )

    def idctn(self, values: Any, *, axes: Sequence[int], overwrite: bool = False) -> Any:
        return idctn(
            values, axes=axes, norm="ortho", workers=_workers(values), overwrite_x=overwrite
        )

    def dct(self, courses: Any) -> Any:
        return dct(courses, axis=1, norm="ortho")

    def idct(self, courses: Any) -> Any:
        return idct(courses, axis=1, norm="ortho", overwrite_x=True)

    def at_least(self, values: Any, least: float) -> Any:
        return np.maximum(values, values.dtype.type(least))

    def dots(self, left: Any, right: Any) -> Any:
        lead = left.shape[:-4]
        pairs = zip(left.reshape(prod(lead), -1), right.reshape(prod(lead), -1), strict=True)
        return np.array([float(np.vdot(x, y)) for x, y in pairs]).reshape(lead)

    def band_powers(self, courses: Any, starts: Sequence[int]) -> NDArray[np.float64]:
        sums: NDArray[np.float64] = np.add.reduceat(
            np.square(courses, dtype=np.float64), starts, axis=1
        )
        return sums

    def ring_powers(self, images: Any, index: NDArray[np.intp]) -> NDArray[np.float64]:
        return np.stack([self.ring_sums(image**2, index) for image in images])

    def ring_sums(self, values: Any, index: NDArray[np.intp]) -> NDArray[np.float64]:
        n_rings = int(index.max()) + 1
        flat = values.reshape(-1, index.size)
        sums: NDArray[np.float64] = np.stack(
            [np.bincount(index.ravel(), row, n_rings) for row in flat]
        )
        return sums.reshape(*values.shape[:-2], n_rings)


class _WithOut(Space):
    """A library whose functions write into ``out``: CuPy."""

    def add(self, left: Any, right: Any, *, out: Any) -> None:
        self.xp.add(left, right, out=out)

    def host(self, array: Any) -> NDArray[Any]:
        found: NDArray[Any] = array.get()
        return found


class _Torch(_WithOut):
    """PyTorch."""

    @cached_property
    def real(self) -> Any:
        return self.xp.float32 if self.device.type == "mps" else self.xp.float64

    def array(self, values: Any, dtype: Any = None) -> Any:
        values = np.ascontiguousarray(values)
        if values.dtype == np.float64 and self.real == self.xp.float32:
            values = values.astype(np.float32)
        if not values.flags.writeable:
            values = values.copy()
        return self.xp.asarray(values, dtype=dtype, device=self.device)

    def host(self, array: Any) -> NDArray[Any]:
        found: NDArray[Any] = array.cpu().numpy()
        return found

    def frames(self, block: Any) -> Any:
        return super().frames(block.detach())

    def eigh(self, matrices: Any) -> tuple[Any, Any]:
        if self.device.type != "mps":
            return super().eigh(matrices)
        values, vectors = super().eigh(matrices.cpu())
        return values.to(self.device), vectors.to(self.device)

    def add_product(self, level: Any, left: Any, right: Any, *, out: Any) -> None:
        self.xp.addmm(level, left, right, out=out)


class _Cuda(_Torch):
    """PyTorch on a GPU of NVIDIA or AMD: blocks come and go in pinned memory."""

    @cached_property
    def _copies(self) -> Any:
        """The stream that blocks come on, beside the one that computes."""
        return self.xp.cuda.Stream(self.device)

    def send(self, values: NDArray[Any]) -> Any:
        torch = self.xp
        staged = torch.empty(values.shape, dtype=getattr(torch, values.dtype.name), pin_memory=True)
        np.copyto(staged.numpy(), values)
        with torch.cuda.stream(self._copies):
            there = staged.to(self.device, non_blocking=True)
        self._copies.synchronize()
        there.record_stream(torch.cuda.default_stream(self.device))
        return there

    def fetch(self, array: Any, *, out: NDArray[np.float32]) -> None:
        staged = self.xp.empty(array.shape, dtype=array.dtype, pin_memory=True)
        staged.copy_(array, non_blocking=True)
        self.xp.cuda.current_stream(self.device).synchronize()
        np.copyto(out, staged.numpy())


HOST = _Host(numpy_namespace, "cpu")


def is_elsewhere(array: Any) -> bool:
    """Whether it is an array of a library other than NumPy that fusion computes with."""
    return (
        not isinstance(array, np.ndarray)
        and compat.is_array_api_obj(array)
        and compat.is_writeable_array(array)
        and not compat.is_lazy_array(array)
        and not compat.is_pydata_sparse_array(array)
    )


def space_of(*arrays: Any) -> Space:
    """Where arrays live; they must all be in one place.

    Raises
    ------
    InputError
        Where they are not.
    """
    spaces = [_space_of(array) for array in arrays]
    for space in spaces:
        if space is not spaces[0]:
            raise InputError(
                f"one array is {spaces[0]} and another {space}; bring them to one device"
            )
    return spaces[0]


def _space_of(array: Any) -> Space:
    if isinstance(array, np.ndarray) or not is_elsewhere(array):
        return HOST
    xp = compat.array_namespace(array)
    return _space(xp, compat.device(array))


@cache
def _space(xp: Any, device: Any) -> Space:
    if compat.is_torch_namespace(xp):
        return _Cuda(xp, device) if device.type == "cuda" else _Torch(xp, device)
    return _WithOut(xp, device) if compat.is_cupy_namespace(xp) else Space(xp, device)


def torch_space(name: str, *, known: str) -> Space | None:
    """Where PyTorch computes on a device; for auto, the first that there is, or None.

    Raises
    ------
    InputError
        Where a device was asked for by its name and is not there; ``known`` says which there are.
    """
    kind, _, index = name.partition(":")
    if name not in ("auto", "cpu", "mps") and not (kind == "cuda" and (index.isdigit() or not _)):
        raise InputError(f"device = {name!r}; give {known}")
    there = torch_devices()
    if name == "auto":
        return _named(there[0]) if there else None
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in there:
        raise InputError(
            f"device = {name!r}: PyTorch sees {', '.join(there) or 'no device but the CPU'}; give "
            "one of these, or cpu or auto"
        )
    return _named(wanted)


def torch_devices() -> list[str]:
    """Names of the devices that PyTorch sees, the CPU apart; none where it is not installed."""
    if find_spec("torch") is None:
        return []
    torch = import_module("torch")
    cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return [*cuda, *(["mps"] if torch.backends.mps.is_available() else [])]


def _named(device: str) -> Space:
    torch = import_module("torch")
    return space_of(torch.empty(0, device=device))


def to_host(array: Any) -> NDArray[Any]:
    """An array of any library as a NumPy array."""
    return space_of(array).host(array)


def _workers(values: Any) -> int | None:
    """All threads for more than one image, where they are free."""
    return n_threads() if prod(values.shape[:-2]) > 1 and not is_at_work() else None


@lru_cache(2)
def _order_and_turns(n: int) -> list[NDArray[Any]]:
    """For a DCT by an FFT: where values go, what turns their spectrum, and for the way back."""
    order = np.concatenate([np.arange(0, n, 2), np.arange(n - 1 - n % 2, 0, -2)])
    scale = np.sqrt(np.where(np.arange(n) > 0, 2, 1) / n)
    turn = np.exp(-0.5j * np.pi * np.arange(n) / n)
    back = -np.arange(n) % n
    turn_back = np.where(back > 0, -1j, 0) / scale[back] / turn
    turns = (x.astype(np.complex64)[:, None] for x in (scale * turn, 1 / scale / turn, turn_back))
    return [order, *turns, back, np.argsort(order)]
