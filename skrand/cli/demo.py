"""``skrand demo``: every estimator tuned on real data inside a Pipeline, beside scikit-learn."""

from __future__ import annotations

import argparse
import sys
import textwrap
import warnings
from dataclasses import asdict
from importlib import import_module

from skrand.cli._output import (
    add_json,
    foreign_code,
    number,
    print_json,
    print_table,
    width,
    working_on,
)
from skrand.registry import entries
from skrand.testing import DemoResult

__all__ = ["add_arguments", "run"]

_LEGEND = (
    "Score: of the tuned Pipeline on rows it has not seen, the higher the better, and of the same "
    "Pipeline with scikit-learn's nearest in our place, tuned on a grid of its own. Speed: its CPU "
    "time for one fit over ours; below 1x ours is slower. Certified: what the fit says about its "
    "own error."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the demonstration of every estimator that has one; exit status 1 if one fails."""
    results: list[tuple[str, DemoResult]] = []
    failed = False
    chosen = [
        entry
        for entry in entries(kind="estimator")
        if entry.demo and entry.status in ("ok", "deprecated")
    ]
    for position, entry in enumerate(chosen, start=1):
        module, _, function = str(entry.demo).partition(":")
        progress = working_on(f"{position} of {len(chosen)}: {entry.name}")
        try:
            with progress, foreign_code(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                results.append((entry.name, getattr(import_module(module), function)()))
        except Exception as error:  # noqa: BLE001 (one must not take the others with it)
            failed = True
            print(f"skrand: {entry.name}: {type(error).__name__}: {error}", file=sys.stderr)
    if arguments.json:
        print_json(rows=[{"estimator": name, **asdict(result)} for name, result in results])
        return int(failed)
    header = (
        *("estimator", "task", "data", "solver", "score"),
        *("scikit-learn", "its score", "speed", "certified"),
    )
    rows = [_row(name, result) for name, result in results]
    print_table(header, rows, wrap=("task", "data", "scikit-learn", "certified"))
    print(f"\n{textwrap.fill(_LEGEND, width(), break_on_hyphens=False)}")
    return int(failed)


def _row(name: str, result: DemoResult) -> tuple[str, ...]:
    return (
        name,
        result.task,
        result.data,
        result.solver,
        number(result.score),
        result.baseline,
        number(result.baseline_score),
        f"{result.time_ratio:.2g}x",
        result.certified,
    )
