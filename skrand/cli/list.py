"""``skrand list``: what is registered, by task. Imports nothing that it lists."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from operator import add

from skrand._suggest import did_you_mean
from skrand.cli._output import add_json, coloured, format_table, print_json, print_table, width
from skrand.exceptions import UnknownNameError
from skrand.registry import CAPABILITIES, KINDS, Entry, entries

__all__ = ["add_arguments", "run"]

#: From this width on summary and capabilities have columns; below it, lines under each entry.
_WIDE = 110


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
    found = _select(arguments.what, arguments.can)
    if arguments.json:
        print_json(entries=[asdict(entry) for entry in found])
    elif arguments.what == "task":
        header = ("name", "status", "plugin", "summary")
        rows = [(e.name, e.status, e.plugin, e.summary) for e in found]
        print_table(header, rows, wrap=("summary",))
    elif found:
        _print_groups(found)
    return 0


def _select(what: str | None, can: Sequence[str]) -> list[Entry]:
    if what is None or what in KINDS:
        return entries(kind=what, can=can)
    tasks = [word for entry in entries(kind="task") for word in entry.words]
    if what not in tasks:
        raise UnknownNameError(
            f"Unknown kind or task {what!r}.{did_you_mean(what, [*KINDS, *tasks])} "
            f"Kinds: {', '.join(KINDS)}. Tasks: {', '.join(tasks)}."
        )
    return entries(task=what, can=can)


def _print_groups(found: list[Entry]) -> None:
    """Print a heading for each task, and what belongs to it in columns that all tasks share."""
    summaries = {entry.name: entry.summary for entry in entries(kind="task")}
    members = [entry for entry in found if entry.kind != "task"]
    head, *blocks = _blocks(members)
    print(head)
    shown = dict(zip(members, blocks, strict=True))
    for task, group in groupby(found, key=lambda e: e.name if e.kind == "task" else e.task):
        title = coloured(task or "no task", "bold")
        summary = summaries.get(task or "")
        print(f"\n{title}: {summary}" if summary else f"\n{title}")
        for entry in group:
            if entry in shown:
                print(shown[entry])


def _blocks(members: Sequence[Entry]) -> list[str]:
    """Lay out a header and one block of lines for each entry."""
    header = ("name", "kind", "status", "plugin", "capabilities", "summary")
    rows = [(_name(e), e.kind, e.status, e.plugin, _can(e), e.summary) for e in members]
    if width() >= _WIDE:
        return format_table(header, rows, wrap=("status", "capabilities", "summary"))
    head, *blocks = format_table(header[:4], [row[:4] for row in rows])
    below = ["".join(map(_paragraph, row[:3:-1])) for row in rows]
    return [head, *map(add, blocks, below)]


def _paragraph(text: str) -> str:
    """Lay out what stands below an entry."""
    indent = " " * 4
    lines = textwrap.wrap(text, width(), initial_indent=indent, subsequent_indent=indent)
    return "".join(f"\n{line}" for line in lines)


def _name(entry: Entry) -> str:
    """Return the name that works, with the default solver of a task marked."""
    return f"{entry.working_name} (default)" if entry.default else entry.working_name


def _can(entry: Entry) -> str:
    return ", ".join(sorted(entry.capabilities))
