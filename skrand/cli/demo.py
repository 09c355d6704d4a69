"""``skrand demo``: every estimator tuned on real data inside a Pipeline, beside scikit-learn."""

from __future__ import annotations

import argparse
import sys
import warnings
from dataclasses import asdict
from importlib import import_module

from skrand.cli._output import add_json, foreign_code, number, print_json, print_table
from skrand.registry import entries
from skrand.testing import DemoResult

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the demonstration of every estimator that has one; exit status 1 if one fails."""
    results: list[tuple[str, DemoResult]] = []
    failed = False
    for entry in entries(kind="estimator"):
        if not entry.demo or entry.status not in ("ok", "deprecated"):
            continue
        module, _, function = entry.demo.partition(":")
        try:
            with foreign_code(), warnings.catch_warnings():
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
