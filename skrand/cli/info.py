"""``skrand info NAME``: everything about one entry, its parameters and its docstring."""

from __future__ import annotations

import argparse
import inspect
import re
import sys
import warnings
from dataclasses import asdict
from typing import Any

from skrand.cli._output import add_json, coloured, foreign_code, print_json
from skrand.exceptions import PluginError, PluginWarning
from skrand.registry import Entry, entries, get, load

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("name", metavar="NAME", help="a registered name, or dist:name")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the entry, also one that cannot be imported; exit status 1 if it is broken."""
    cls, error = _load(get(arguments.name))
    # Only now: loading has filled the status and the time it took.
    entry = get(arguments.name)
    broken = int(entry.status == "broken")
    parameters = _parameters(cls) if cls else {}
    doc = _doc(cls) if cls else None
    if arguments.json:
        print_json(entry=asdict(entry), parameters=parameters, doc=doc)
        return broken
    print(f"{coloured(entry.name, 'bold')}: {entry.summary}\n")
    for label, value in _facts(entry):
        print(f"{label:<13} {value}")
    if parameters:
        print(f"\n{coloured('Parameters', 'bold')}")
        for name, default in parameters.items():
            print(f"  {name} = {default}")
    if doc:
        print(f"\n{doc}")
    if error:
        print(f"skrand: {error}", file=sys.stderr)
    return broken


def _load(entry: Entry) -> tuple[type | None, str]:
    """Return the class, or why there is none."""
    try:
        with foreign_code(), warnings.catch_warnings():
            # The error that follows says the same.
            warnings.simplefilter("ignore", PluginWarning)
            return load(entry), ""
    except PluginError as error:
        return None, str(error)


def _doc(cls: type) -> str | None:
    """Return the docstring of the class and, of a task, of the problem it is about."""
    doc = inspect.getdoc(cls)
    problem = getattr(cls, "problem", None)
    if problem is not None and doc:
        title = f"A problem is a {problem.__module__}.{problem.__qualname__}:"
        doc = f"{doc}\n\n{title}\n\n{inspect.getdoc(problem)}"
    # A line that goes on in the next one of the source leaves its indentation behind.
    return doc and re.sub(r"(?<=\S) {2,}", " ", doc)


def _facts(entry: Entry) -> list[tuple[str, str]]:
    facts = [
        ("kind", entry.kind),
        ("task", entry.task),
        ("from", f"{entry.dist} {entry.version}".strip()),
        ("status", f"{entry.status}. {entry.error}" if entry.error else entry.status),
        ("class", entry.target),
        ("can", ", ".join(sorted(entry.capabilities))),
        ("solvers", _members(entry, "solver")),
        ("estimators", _members(entry, "estimator")),
        ("requires", ", ".join(entry.requires)),
        ("also called", ", ".join(entry.aliases)),
        ("default", "of its task" if entry.default else ""),
        ("since", entry.since),
        ("deprecated", entry.deprecated),
        ("claim", f"skrand verify {entry.name}" if entry.claim else ""),
        ("reference", entry.reference),
    ]
    return [(label, value) for label, value in facts if value]


def _members(entry: Entry, kind: str) -> str:
    """Return the names of what belongs to a task, its default solver first."""
    if entry.kind != "task":
        return ""
    return ", ".join(other.working_name for other in entries(kind, task=entry.name))


def _parameters(cls: type) -> dict[str, Any]:
    """Return the parameters that a solver or an estimator is made with, and their defaults."""
    if not hasattr(cls, "get_params"):
        return {}
    parameters = inspect.signature(cls).parameters.values()
    return {
        parameter.name: "required"
        if parameter.default is inspect.Parameter.empty
        else repr(parameter.default)
        for parameter in parameters
    }
