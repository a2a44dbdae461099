"""What reads bytes or words that others wrote: one call each, for fuzzers in this process.

Each entry of `PARSERS` is made with a folder of its own, and gives a function of bytes that says
whether they were taken. What it raises must not happen; see `tests.reliability.damage.attempt`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.reliability.damage import attempt
from tests.reliability.seeds import SEEDS

__all__ = ["CORPUS", "PARSERS", "Parser", "known", "sound"]

CORPUS = Path(__file__).parent / "corpus"

Parser = Callable[[bytes], bool]

_PIXELS = bytes(4 * 120)


def _content_of(name: str) -> Callable[[Path], Parser]:
    """The bytes are the file."""

    def make(folder: Path) -> Parser:
        def parse(content: bytes) -> bool:
            (folder / name).write_bytes(content)
            return attempt(str(folder / name))

        return parse

    return make


def _beside(seed: str, file: str) -> Callable[[Path], Parser]:
    """The bytes are the file that describes another."""

    def make(folder: Path) -> Parser:
        source = SEEDS[seed](folder)

        def parse(content: bytes) -> bool:
            (folder / file).write_bytes(content)
            return attempt(source)

        return parse

    return make


def _name_of_a_memory_map(folder: Path) -> Parser:
    def parse(content: bytes) -> bool:
        name = content.decode("latin-1").translate({0: "0", ord("/"): "0"})
        file = folder / f"{name[:100]}.mmap"
        file.write_bytes(_PIXELS)
        try:
            return attempt(str(file))
        finally:
            file.unlink()

    return parse


def _shape_of_a_binary(folder: Path) -> Parser:
    (folder / "data.bin").write_bytes(_PIXELS)

    def parse(content: bytes) -> bool:
        return attempt(f"{folder / 'data.bin'}::{content.decode('latin-1')}")

    return parse


def _command_line(folder: Path) -> Parser:
    """Words, one a line, up to where a command would begin its work."""
    import typer

    from freq2clean.apps.cli import app
    from freq2clean.errors import Freq2CleanError

    program = typer.main.get_command(app)
    usage_error: Any = typer.BadParameter.__base__  # click's, or that of typer's own copy of click
    refusals = (usage_error, typer.Exit, Freq2CleanError)

    def parse(content: bytes) -> bool:
        words, name = content.decode("utf-8", "surrogateescape").split("\n"), "freq2clean"
        command, context = program, None
        try:
            while command:
                context = command.make_context(name, words, parent=context)
                if not hasattr(command, "resolve_command"):
                    return True
                words = [*context._protected_args, *context.args]
                if not words:
                    return False
                name, command, words = command.resolve_command(context, words)
        except refusals:
            return False
        return False

    return parse


PARSERS: dict[str, Callable[[Path], Parser]] = {
    "tiff": _content_of("a.tif"),
    "npy": _content_of("a.npy"),
    "caiman-name": _name_of_a_memory_map,
    "suite2p-shape": _shape_of_a_binary,
    "suite2p-settings": _beside("suite2p-folder", "ops.npy"),
    "zarr-2-json": _beside("zarr-2-plain", "movie.zarr/.zarray"),
    "zarr-3-json": _beside("zarr-3-plain", "movie.zarr/zarr.json"),
    "ome-zarr-json": _beside("our-ome-zarr", "movie.ome.zarr/zarr.json"),
    "scanbox-mat": _beside("scanbox", "movie.mat"),
    "command-line": _command_line,
}  # fmt: skip
"""By name: makes a parser in an empty folder."""


def sound(name: str, folder: Path) -> list[bytes]:
    """Inputs that are taken: what a fuzzer starts from."""
    files = {
        "tiff": [("tiff", "movie.tif"), ("tiff-deflate", "movie.tif"), ("tiff-tiled", "movie.tif"),
                 ("tiff-bigtiff", "movie.tif"), ("tiff-big-endian", "movie.tif"),
                 ("tiff-page-by-page", "movie.tif"), ("tiff-ome", "movie.tif"),
                 ("tiff-imagej", "movie.tif"), ("tiff-lzw", "movie.tif"),
                 ("our-tiff-zstd", "movie.tif")],
        "npy": [("npy", "movie.npy"), ("npy-fortran", "movie.npy"), ("our-npy", "movie.npy")],
        "suite2p-settings": [("suite2p-folder", "ops.npy")],
        "zarr-2-json": [(seed, "movie.zarr/.zarray") for seed in ("zarr-2-plain", "zarr-2")],
        "zarr-3-json": [(seed, "movie.zarr/zarr.json")
                        for seed in ("zarr-3-plain", "zarr-3", "zarr-3-sharded")],
        "ome-zarr-json": [("our-ome-zarr", "movie.ome.zarr/zarr.json")],
        "scanbox-mat": [("scanbox", "movie.mat")],
    }  # fmt: skip
    found = []
    for number, (seed, file) in enumerate(files.get(name, [])):
        (folder / str(number)).mkdir()
        SEEDS[seed](folder / str(number))
        found.append((folder / str(number) / file).read_bytes())
    return found + [text.encode() for text in _TEXTS.get(name, [])]


def known(name: str, folder: Path) -> list[bytes]:
    """What is sound, and the corpus."""
    folder.mkdir()
    return sound(name, folder) + [file.read_bytes() for file in sorted(CORPUS.glob(f"{name}/*"))]


_TEXTS = {
    "caiman-name": ["Yr_d1_6_d2_5_d3_1_order_C_frames_4", "a_d1_6_d2_5_d3_2_order_F_frames_2_x"],
    "suite2p-shape": ["12,10", "/12 x 20"],
    "command-line": [
        "fuse\nraw.npy\ndenoised.npy\n-o\nfused.npy\n--method\nfft\n--window\n30\n--memory\n1GB",
        "run\nraw.npy\n-o\nfused.npy\n--command\nprog {input} {output}\n--probe",
        "inspect\nraw.npy\n--json", "datasets\ninfo\nsynthetic",
        "study\npatch-t\n--preset\nsmall\n--seeds\n0,1", "rois\nsuite2p\na.tif\n-o\ncells",
        "render\na.tif\n-o\na.gif\n--zoom\n1:2,3:4\n--frames\n1:9:2\n--trace\n1,2",
    ],
}  # fmt: skip
