"""The command ``freq2clean``, also as ``python -m freq2clean``."""

from __future__ import annotations

from freq2clean.apps.failures import failures_explained

__all__ = ["main"]


def main() -> None:
    """Run the command line; signals and errors are taken care of before it is even imported."""
    with failures_explained():
        from freq2clean.apps.cli import app

        app(prog_name="freq2clean")


if __name__ == "__main__":
    main()
