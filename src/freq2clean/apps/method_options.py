"""The options of the methods of fusion on the command line, as the methods declare them.

They are looked up when a command is used that has them, for that imports the methods.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from functools import cache
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

from freq2clean.apps.options import given, listed, option_of
from freq2clean.errors import InputError
from freq2clean.fusion import METHODS

if TYPE_CHECKING:
    from freq2clean.apps.choices import Choice

__all__ = ["WithMethodOptions"]


class WithMethodOptions(TyperCommand):
    """A command that has, besides its own, the options of all methods.

    Those that were given are in the ``obj`` of its context, as methods take them.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        return [*super().get_params(ctx), *self._asked_for()]

    def invoke(self, ctx: Any) -> Any:
        choices = {choice.name: choice for choice, _ in _choices_of_all()}
        words = given(**{one.name: ctx.params.pop(one.name) for one in self._asked_for()})
        ctx.obj = {name: _value(choices[name], word) for name, word in words.items()}
        return super().invoke(ctx)

    def _asked_for(self) -> list[Any]:
        return _parameters(frozenset(one.name for one in self.params))


@cache
def _parameters(own: Collection[str]) -> list[Any]:
    """As Typer makes them for a command that has nothing else."""

    def ask(**options: Any) -> None: ...

    ask.__signature__ = Signature(  # type: ignore[attr-defined]
        [
            Parameter(choice.name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
            for choice, annotation in _choices_of_all()
            if choice.name not in own
        ]
    )
    program = typer.Typer(add_completion=False)
    program.command()(ask)
    return list(get_command(program).params)


@cache
def _choices_of_all() -> list[tuple[Choice, Any]]:
    """Every option of any method, and what makes it an option of a command."""
    from freq2clean.apps.choices import choices_of

    first: dict[str, Choice] = {}
    methods: dict[str, list[str]] = {}
    for method in METHODS:
        for choice in choices_of(method):
            first.setdefault(choice.name, choice)
            methods.setdefault(choice.name, []).append(method)
    return [(choice, _option(choice, methods[name])) for name, choice in first.items()]


def _option(choice: Choice, methods: list[str]) -> Any:
    words = () if choice.kind is bool else (f"--{choice.label.replace(' ', '-')}",)
    panel = f"--method {listed(methods, 'and')}"
    return Annotated[_kind(choice) | None, option_of(panel, choice.help, *words)]


def _kind(choice: Choice) -> Any:
    """What a word on the command line is read as."""
    enum: Any = StrEnum
    if choice.values:
        return enum(choice.name, list(choice.values))
    return str if choice.many else choice.kind


def _value(choice: Choice, given: Any) -> Any:
    if choice.many:
        return _numbers(choice.name, given)
    if choice.pair:
        return given, given
    return str(given) if choice.values else given


def _numbers(name: str, text: str) -> float | tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"{name} = {text!r}; give a number such as 0.85, or 1,0.5,0.25") from error
    return values if len(values) > 1 else values[0]
