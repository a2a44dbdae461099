"""Run a library of others: without its chatter, and with its failure as one message."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from types import ModuleType

from freq2clean.errors import Freq2CleanError, InputError, MissingExtraError

__all__ = ["check_installed", "imported", "quiet", "version_of"]


def check_installed(tool: str) -> None:
    """Raise MissingExtraError unless the tool, whose extra has its name, is there."""
    if find_spec(tool) is None:
        raise MissingExtraError(
            f'{tool} is not installed; install with pip install "freq2clean[{tool}]"'
        )


def version_of(tool: str) -> str:
    """Its version, such as "1.1.0"."""
    try:
        return version(tool)
    except PackageNotFoundError:
        return "0"


def imported(module: str) -> ModuleType:
    """A module of a tool, to be called within `quiet`.

    Raises
    ------
    MissingExtraError
        If it does not work with another library, such as a torchvision of another PyTorch.
    """
    try:
        return import_module(module)
    except (ImportError, RuntimeError) as error:
        tool = module.split(".")[0]
        raise MissingExtraError(
            f"{tool} cannot be imported ({_said(error)}); have pip choose what works with it: "
            f'pip install "freq2clean[{tool}]", in a new environment if need be'
        ) from error


@contextmanager
def quiet(tool: str, *, hear: Callable[[str], None] = lambda line: None) -> Iterator[None]:
    """A tool's prints, warnings and log lines go nowhere, and its failure becomes an InputError.

    Parameters
    ----------
    tool : str
        Its name, which its logger has too.
    hear : callable, optional
        Gets each line of its log.
    """
    with (
        _heard(logging.getLogger(tool), hear),
        redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        try:
            yield
        except (Freq2CleanError, MemoryError):
            raise
        except Exception as error:
            raise InputError(f"{tool} failed: {_said(error)}") from error


def _said(error: BaseException) -> str:
    """The kind of an error, and the first line of what it says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


class _Ear(logging.Handler):
    def __init__(self, hear: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._hear = hear

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = record.getMessage()
        except TypeError:  # arguments that do not fit the line
            line = str(record.msg)
        self._hear(line)


@contextmanager
def _heard(logger: logging.Logger, hear: Callable[[str], None]) -> Iterator[None]:
    """What is logged goes to one listener and nowhere else."""
    before = logger.level, logger.propagate, logger.handlers
    logger.handlers = [_Ear(hear)]
    logger.propagate = False
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        level, logger.propagate, logger.handlers = before
        logger.setLevel(level)
