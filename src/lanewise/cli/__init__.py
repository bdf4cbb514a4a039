"""The command line: one file per group of commands, imported only when its command runs.

stdout is data, stderr is talk. Exit 0 done, 1 the user's input or a failed gate, 2 usage or our fault.
"""

from __future__ import annotations

import sys

import click

from lanewise import __version__
from lanewise.cli.lazy import Lazy
from lanewise.errors import ConfigError, LanewiseError

COMMANDS = {
    "demo": "Route a simulated day of agent traffic and show what it saves.",
    "serve": "Run the gateway.",
    "connect": "Point an agent at the gateway, or undo it.",
    "doctor": "Check keys, providers, ledger and agents; each failure ends in a command to run.",
    "report": "What was spent and saved, by skill, lane, model and more.",
    "explain": "Why a call went where it went, or where a request would go.",
    "classify": "Skill and turn of a text or a request.",
    "bench": "What routing saves and what it costs in quality, on outcomes that are known.",
    "learn": "Train what names the skills, from data files.",
    "models": "The models that may answer, with lane, tier and price.",
    "prices": "Show, update and compare the price snapshot.",
    "config": "Show the configuration with its origins, check it, print its schema.",
    "keys": "Make a key for callers of a gateway that others can reach.",
}
"""Command, which is also its module in this folder, -> one line of help, here so that `--help` imports nothing."""


@click.group(cls=Lazy, package=__name__, commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lanewise")
def lanewise() -> None:
    """Route the traffic of AI coding agents to the cheapest model that holds quality, and prove it."""


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        code = lanewise(standalone_mode=False)  # an `Exit` comes back as its code
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ConfigError as error:
        click.echo(f"error: the configuration cannot be used\n\n{error}", err=True)
        sys.exit(1)
    except LanewiseError as error:
        message, _, hint = str(error).partition("\n\n")
        click.echo(f"error: {message}" + (f"\n\n{hint}" if hint else ""), err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    sys.exit(code or 0)
