"""``skrand plugins``: what is installed, what works, and why the rest does not."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict

from skrand.cli._output import add_json, coloured, print_json, print_table
from skrand.registry import PluginRecord, plugins

__all__ = ["add_arguments", "run"]

#: Statuses of an entry that need somebody's attention.
TROUBLE = ("broken", "ambiguous")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the plugins; exit status 1 if one of them, or something in one, is broken."""
    records = plugins()
    troubles = [trouble for record in records for trouble in _troubles(record)]
    if arguments.json:
        print_json(plugins=[asdict(record) for record in records])
        return int(bool(troubles))
    header = ("plugin", "from", "version", "status", "entries", "load time", "module")
    print_table(header, [_row(record) for record in records])
    for name, status, error in troubles:
        print(f"\n{coloured(f'{name} is {status}', 'red')}: {error}")
    return int(bool(troubles))


def _row(record: PluginRecord) -> tuple[str, ...]:
    return (
        record.name,
        record.dist,
        record.version,
        record.status,
        str(len(record.entries)),
        f"{1e3 * record.load_time:.1f} ms" if record.status != "disabled" else "",
        record.module,
    )


def _troubles(record: PluginRecord) -> Iterator[tuple[str, str, str]]:
    if record.status == "broken":
        yield record.name, record.status, record.error
    for entry in record.entries:
        if entry.status in TROUBLE:
            yield entry.qualified_name, entry.status, entry.error
