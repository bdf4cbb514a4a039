"""The one way in which a command says that the user's input cannot be used: exit 1, with what to do."""

from __future__ import annotations

from typing import IO, Any

import click


class Refused(click.ClickException):
    """What happened to what, and a hint what to do; shown on stderr as every error of Lanewise is."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it; `file` is click's, text of any kind."""
        click.echo(f"error: {self.message}\n\nhint: {self.hint}", file=file, err=file is None)
