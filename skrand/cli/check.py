"""``skrand check``: the conformance checks on one entry, on a plugin's, or on all."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from skrand._suggest import did_you_mean
from skrand.cli._output import (
    UsageError,
    add_json,
    coloured,
    foreign_code,
    print_json,
    working_on,
)
from skrand.exceptions import PluginWarning
from skrand.registry import Entry, PluginRecord, entries, get, plugins
from skrand.testing import CheckResult

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("name", nargs="?", metavar="NAME", help="a registered name, or dist:name")
    which.add_argument("--plugin", metavar="P", help="everything of this plugin or distribution")
    which.add_argument("--all", action="store_true", help="everything")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the checks; exit status 1 if one fails."""
    report = []
    failed = False
    for kind, name, results in _check(arguments):
        failed |= any(result.status == "failed" for result in results)
        report.append({"kind": kind, "name": name, "checks": [asdict(r) for r in results]})
        if not arguments.json:
            _print(f"{kind} {name}", results)
    if arguments.json:
        print_json(report=report)
    return int(failed)


def _check(arguments: argparse.Namespace) -> Iterator[tuple[str, str, list[CheckResult]]]:
    """Yield kind, name and results of everything that the arguments mean."""
    if arguments.name is not None:
        records, chosen = [], [get(arguments.name)]
    elif arguments.all:
        records, chosen = plugins(), entries()
    else:
        records = _plugins_called(arguments.plugin)
        chosen = [entry for record in records for entry in record.entries]
    for record in records:
        if record.status == "broken":
            yield "plugin", record.name, [CheckResult("load", "failed", record.error)]
    for entry in chosen:
        yield entry.kind, entry.qualified_name, _results(entry)


def _plugins_called(name: str) -> list[PluginRecord]:
    """Return the plugins whose entry point or distribution has this name."""
    records = plugins()
    chosen = [record for record in records if name in (record.name, record.dist)]
    if not chosen:
        known = sorted({word for record in records for word in (record.name, record.dist)})
        raise UsageError(
            f"unknown plugin {name!r}.{did_you_mean(name, known)} Known: {', '.join(known)}."
        )
    if all(record.status == "disabled" for record in chosen):
        raise UsageError(f"SKRAND_PLUGINS disables plugin {chosen[0].label}.")
    return chosen


def _results(entry: Entry) -> list[CheckResult]:
    """Run the checks of one entry."""
    from skrand.testing import check_entry

    if entry.status.startswith("needs "):
        # No fault of the entry.
        return [CheckResult("load", "skipped", f"it {entry.status}, which is not installed")]
    with working_on(entry.name), foreign_code(), warnings.catch_warnings():
        # What cannot be loaded is a result.
        warnings.simplefilter("ignore", PluginWarning)
        return check_entry(entry)


def _print(name: str, results: list[CheckResult]) -> None:
    counts = Counter(result.status for result in results)
    word = "failed" if counts["failed"] else "passed" if counts["passed"] else "skipped"
    colour = {"failed": "red", "passed": "green"}.get(word, "yellow")
    numbers = ", ".join(f"{counts[status]} {status}" for status in sorted(counts))
    seconds = sum(result.seconds for result in results)
    print(f"{coloured(f'{word:<7}', colour)}  {name}: {numbers} ({seconds:.1f} s)")
    for result in results:
        if result.status == "failed" or word == "skipped":
            print(f"    {result.name}: {result.detail}")
    sys.stdout.flush()
