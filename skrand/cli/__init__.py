"""The command line: one module a command, each with ``add_arguments`` and ``run``.

Standard output is data, standard error is messages. Exit status 0: fine; 1: something failed;
2: the command was not understood.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

__all__ = ["main"]

#: Command -> what it does, in the order of the help text.
COMMANDS = {
    "list": "list what is registered",
    "info": "show everything about one entry",
    "plugins": "show the installed plugins, the broken ones included",
    "check": "run the conformance checks",
    "verify": "re-measure what the papers promise",
    "bench": "run all solvers of a task side by side",
    "demo": "tune every estimator on real data, beside scikit-learn",
}


class _Parser(argparse.ArgumentParser):
    """Suggests the command that was meant."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2 and one line that says what was not understood."""
        from skrand._suggest import did_you_mean

        known = ", ".join(COMMANDS)
        if "invalid choice" in message and self.prog == "skrand":
            word = message.split("invalid choice: ")[1].split("'")[1]
            message = f"unknown command {word!r}.{did_you_mean(word, COMMANDS)} Commands: {known}"
        elif message.endswith("required: COMMAND"):
            message = f"name a command: {known}. `skrand --help` says what each does."
        elif message.startswith("one of the arguments "):
            choices = message.removeprefix("one of the arguments ").split()[:-2]
            message = f"give {', '.join(choices[:-1])} or {choices[-1]}"
        self.exit(2, f"{self.prog}: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after ``skrand``; those of the process if None.

    Returns
    -------
    int
        The exit status.
    """
    arguments = _parser().parse_args(argv)
    from skrand.cli._output import UsageError
    from skrand.exceptions import PluginError, UnknownNameError

    command = import_module(f"skrand.cli.{arguments.command}")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            _load_plugins(quiet=arguments.command == "plugins")
            status: int = command.run(arguments)
        return status
    except (UnknownNameError, UsageError) as error:
        print(f"skrand: {error}", file=sys.stderr)
        return 2
    except PluginError as error:
        print(f"skrand: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader has seen enough, as in `skrand list | head`.
        sys.stderr.close()
        return 0
    except OSError as error:
        print(f"skrand: {error}", file=sys.stderr)
        return 1


def _load_plugins(quiet: bool) -> None:
    """Load the plugins before anything is printed, since some print when they are imported."""
    from skrand.cli._output import foreign_code
    from skrand.exceptions import PluginWarning
    from skrand.registry import plugins

    with foreign_code(), warnings.catch_warnings():
        if quiet:
            # What the command prints says the same, and more.
            warnings.simplefilter("ignore", PluginWarning)
        plugins()


def _parser() -> argparse.ArgumentParser:
    from skrand import __version__

    parser = _Parser(prog="skrand", description="Randomized solvers behind scikit-learn's API.")
    parser.add_argument("--version", action="version", version=f"skrand {__version__}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=_Parser
    )
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=f"{purpose.capitalize()}.")
        import_module(f"skrand.cli.{name}").add_arguments(command)
    return parser


def _show_warning(
    message: Any, category: Any, filename: Any, lineno: Any, file: Any = None, line: Any = None
) -> None:
    print(f"skrand: {category.__name__}: {message}", file=sys.stderr)
