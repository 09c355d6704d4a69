"""``skrand list``: what is registered, one line each. Imports nothing that it lists."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from skrand.cli._output import add_json, print_json, print_table
from skrand.registry import KINDS, entries
from skrand.registry.entry import CAPABILITIES, Entry

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument(
        "what",
        nargs="?",
        metavar="KIND|TASK",
        help=f"one of {', '.join(KINDS)}, or a task's name",
    )
    parser.add_argument(
        "--can",
        action="append",
        default=[],
        metavar="CAP",
        help=f"only what can do this; repeatable: {', '.join(sorted(CAPABILITIES))}",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the entries."""
    kind = arguments.what if arguments.what in KINDS else None
    task = arguments.what if kind is None else None
    found = entries(kind=kind, task=task, can=arguments.can)
    if arguments.json:
        print_json(entries=[asdict(entry) for entry in found])
    elif found:
        header = ("name", "kind", "task", "status", "from", "can", "summary")
        print_table(header, [_row(entry) for entry in found], wrap=("can", "summary"))
    return 0


def _row(entry: Entry) -> tuple[str, ...]:
    return (
        f"{entry.name} (default)" if entry.default else entry.name,
        entry.kind,
        entry.task or "",
        entry.status,
        entry.dist,
        ", ".join(sorted(entry.capabilities)),
        entry.summary,
    )
