"""``skrand info NAME``: everything about one entry, its parameters and its docstring."""

from __future__ import annotations

import argparse
import inspect
from dataclasses import asdict
from typing import Any

from skrand.cli._output import add_json, coloured, print_json
from skrand.registry import Entry, get, load

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("name", metavar="NAME", help="a registered name, or dist:name")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the entry; what cannot be imported is reported as an error, by exit status 1."""
    cls = load(get(arguments.name))
    # Only now: loading has filled the status and the time it took.
    entry = get(arguments.name)
    parameters = _parameters(cls)
    if arguments.json:
        print_json(entry=asdict(entry), parameters=parameters, doc=inspect.getdoc(cls))
        return 0
    print(f"{coloured(entry.name, 'bold')}: {entry.summary}\n")
    for label, value in _facts(entry):
        print(f"{label:<13} {value}")
    if parameters:
        print(f"\n{coloured('Parameters', 'bold')}")
        for name, default in parameters.items():
            print(f"  {name} = {default}")
    print(f"\n{inspect.getdoc(cls)}")
    return 0


def _facts(entry: Entry) -> list[tuple[str, str]]:
    facts = [
        ("kind", entry.kind),
        ("task", entry.task),
        ("from", f"{entry.dist} {entry.version}".strip()),
        ("status", f"{entry.status} {entry.error}".strip()),
        ("class", entry.target),
        ("can", ", ".join(sorted(entry.capabilities))),
        ("requires", ", ".join(entry.requires)),
        ("also called", ", ".join(entry.aliases)),
        ("default", "of its task" if entry.default else ""),
        ("since", entry.since),
        ("deprecated", entry.deprecated),
        ("claim", f"skrand verify {entry.name}" if entry.claim else ""),
        ("reference", entry.reference),
    ]
    return [(label, value) for label, value in facts if value]


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
