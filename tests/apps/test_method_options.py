"""The options of methods reach them from the command line, whichever they declare."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.main import get_command

from freq2clean.apps.choices import choices_of
from freq2clean.apps.cli import app
from freq2clean.apps.method_options import WithMethodOptions
from freq2clean.fusion import METHODS

OF_FUSE = {"window", "overlap"}  # which all methods have


@pytest.fixture
def fuse(monkeypatch):
    """What the command would hand to a method, for words on the command line."""
    command = get_command(app).commands["fuse"]
    monkeypatch.setattr(command, "callback", lambda **_: None)

    def run(*words):
        with command.make_context(
            "fuse", ["raw.tif", "quiet.tif", "-o", "f.tif", *words]
        ) as context:
            command.invoke(context)
            return context.obj

    return run


def said(choice):
    """The words for some other value than the default, and what a method is to get."""
    flag = f"--{choice.label.replace(' ', '-')}"
    if choice.kind is bool:
        return [flag if not choice.default else f"--no-{flag[2:]}"], not choice.default
    if choice.values:
        other = next(value for value in choice.values if value != choice.default)
        return [flag, other], other
    if choice.many:
        return [flag, "1,0.25"], (1.0, 0.25)
    value = choice.kind(3)
    return [flag, str(value)], (value, value) if choice.pair else value


@pytest.mark.parametrize("method", METHODS)
def test_every_option_of_a_method_can_be_given(method, fuse):
    for choice in choices_of(method):
        if choice.name in OF_FUSE:
            continue
        words, value = said(choice)
        got = fuse("--method", method, *words)
        assert got == {choice.name: value}
        assert type(got[choice.name]) is type(value)


def test_what_is_not_given_is_the_methods_affair(fuse):
    assert fuse() == {}
    assert fuse("--alpha", "0.5") == {"alpha": 0.5}


def test_numbers_that_are_none(freq2clean_here):
    done = freq2clean_here("fuse", "a.tif", "b.tif", "-o", "c.tif", "--alpha", "1;2")
    assert done.returncode == 2
    assert done.stderr == "error: alpha = '1;2'; give a number such as 0.85, or 1,0.5,0.25\n"


def test_only_a_command_that_has_them_asks_the_methods(monkeypatch):
    commands = get_command(app).commands
    assert [name for name, one in commands.items() if isinstance(one, WithMethodOptions)] == [
        "fuse"
    ]
    code = (
        "import sys; from typer.main import get_command; from freq2clean.apps.cli import app; "
        "get_command(app); print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
