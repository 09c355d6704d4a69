"""``skrand check``: the conformance checks on one entry, on a plugin's, or on all."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import asdict

from skrand._suggest import did_you_mean
from skrand.cli._output import UsageError, add_json, coloured, print_json
from skrand.registry import Entry, entries, get, plugins
from skrand.testing import CheckResult

__all__ = ["add_arguments", "run", "select"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("name", nargs="?", metavar="NAME", help="a registered name, or dist:name")
    which.add_argument("--plugin", metavar="P", help="everything of this plugin or distribution")
    which.add_argument("--all", action="store_true", help="everything")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the checks; exit status 1 if one fails."""
    from skrand.testing import check_entry

    report = []
    failed = False
    for entry in select(arguments):
        results = _skip(entry) or check_entry(entry)
        failed |= any(result.status == "failed" for result in results)
        report.append({"entry": entry.qualified_name, "checks": [asdict(r) for r in results]})
        if not arguments.json:
            _print(entry, results)
    if arguments.json:
        print_json(report=report)
    return int(failed)


def select(arguments: argparse.Namespace) -> list[Entry]:
    """Return the entries that the arguments mean."""
    if arguments.name is not None:
        return [get(arguments.name)]
    if arguments.all:
        return entries()
    records = plugins()
    chosen = [r for r in records if arguments.plugin in (r.name, r.dist)]
    if not chosen:
        known = sorted({name for r in records for name in (r.name, r.dist)})
        raise UsageError(
            f"unknown plugin {arguments.plugin!r}.{did_you_mean(arguments.plugin, known)} "
            f"Known: {', '.join(known)}."
        )
    broken = [r for r in chosen if r.status == "broken"]
    if broken:
        print(f"skrand: plugin {broken[0].label} is broken. {broken[0].error}", file=sys.stderr)
        sys.exit(1)
    return [entry for record in chosen for entry in record.entries]


def _skip(entry: Entry) -> list[CheckResult]:
    """Return the one result of an entry that cannot be used for a reason that is no fault."""
    if not entry.status.startswith("needs "):
        return []
    return [CheckResult("load", "skipped", f"it {entry.status}, which is not installed")]


def _print(entry: Entry, results: list[CheckResult]) -> None:
    counts = Counter(result.status for result in results)
    word = "failed" if counts["failed"] else "passed" if counts["passed"] else "skipped"
    colour = {"failed": "red", "passed": "green"}.get(word, "yellow")
    numbers = ", ".join(f"{n} {s}" for s, n in sorted(counts.items(), key=lambda item: item[0]))
    seconds = sum(result.seconds for result in results)
    print(f"{coloured(f'{word:<8}', colour)}{entry.kind} {entry.name}: {numbers} ({seconds:.1f} s)")
    for result in results:
        if result.status == "failed" or word == "skipped":
            print(f"    {result.name}: {result.detail}")
    sys.stdout.flush()
