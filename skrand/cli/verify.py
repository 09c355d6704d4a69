"""``skrand verify``: what the papers say, what was measured, and whether it holds."""

from __future__ import annotations

import argparse
import sys
import textwrap
import time
from dataclasses import asdict
from importlib import import_module

from skrand.cli._output import (
    UsageError,
    add_json,
    coloured,
    foreign_code,
    number,
    print_json,
    width,
    working_on,
)
from skrand.registry import Entry, entries, get
from skrand.testing import ClaimResult

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("name", nargs="?", metavar="NAME", help="a registered name, or dist:name")
    which.add_argument("--all", action="store_true", help="every claim")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure; exit status 1 if a measurement failed. A claim that does not hold is a result."""
    chosen = entries() if arguments.all else [get(arguments.name)]
    chosen = [entry for entry in chosen if entry.claim]
    if not chosen and not arguments.all:
        raise UsageError(f"{arguments.name!r} makes no claim. `skrand verify --all` runs them all.")
    report = []
    failed = False
    for position, entry in enumerate(chosen, start=1):
        start = time.perf_counter()
        try:
            with working_on(f"{position} of {len(chosen)}: {entry.name}"):
                results = _measure(entry)
        except Exception as error:  # noqa: BLE001 (one claim must not take the others with it)
            failed = True
            print(f"skrand: {entry.name}: {type(error).__name__}: {error}", file=sys.stderr)
            continue
        seconds = time.perf_counter() - start
        for result in results:
            report.append({"entry": entry.qualified_name, "seconds": seconds, **asdict(result)})
            if not arguments.json:
                _print(entry, result, seconds)
    if arguments.json:
        print_json(claims=report)
    return int(failed)


def _measure(entry: Entry) -> list[ClaimResult]:
    module, _, function = str(entry.claim).partition(":")
    with foreign_code():
        results = getattr(import_module(module), function)()
    return [results] if isinstance(results, ClaimResult) else list(results)


def _print(entry: Entry, result: ClaimResult, seconds: float) -> None:
    verdict = coloured("holds", "green") if result.holds else coloured("does not hold", "yellow")
    print(f"{coloured(entry.name, 'bold')}: {verdict} ({seconds:.1f} s)")
    facts = (
        ("paper", result.paper),
        ("metric", result.metric),
        ("promised", number(result.promised)),
        ("measured", number(result.measured)),
        ("against", f"{result.baseline_name}: {number(result.baseline)}"),
        ("seeds", ", ".join(map(str, result.seeds))),
        ("note", result.note),
    )
    for label, text in facts:
        if text:
            print(
                textwrap.fill(
                    text, width(), initial_indent=f"  {label:<10}", subsequent_indent=" " * 12
                )
            )
    sys.stdout.flush()
