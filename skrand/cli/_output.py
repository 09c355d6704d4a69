"""How the commands print: tables that fit the terminal, JSON, and colour where it is wanted."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = [
    "UsageError",
    "add_json",
    "coloured",
    "foreign_code",
    "format_table",
    "number",
    "print_json",
    "print_table",
    "to_json",
    "width",
    "working_on",
]

#: Version of the layout of every ``--json`` output.
SCHEMA = 1

_COLOURS = {"green": "32", "red": "31", "yellow": "33", "bold": "1"}
_MEANING = {"ok": "green", "passed": "green", "holds": "green", "broken": "red", "failed": "red"}


class UsageError(Exception):
    """The words of the command do not make sense together."""


def foreign_code() -> contextlib.AbstractContextManager[Any]:
    """Send what a plugin's code prints to standard error: standard output is for our data."""
    return contextlib.redirect_stdout(sys.stderr)


@contextlib.contextmanager
def working_on(what: str) -> Iterator[None]:
    """Say on a terminal what takes its time, until it is done."""
    shown = sys.stderr.isatty()
    if shown:
        print(f"{what} ...", end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        if shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def add_json(parser: Any) -> None:
    """Give a command the option ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def print_json(**content: Any) -> None:
    """Print one JSON object with the schema number."""
    print(to_json(**content))


def to_json(**content: Any) -> str:
    """Write one JSON object with the schema number; what JSON has no number for becomes null."""
    return json.dumps(_plain({"schema": SCHEMA, **content}), indent=2, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if hasattr(value, "tolist"):
        # NumPy's numbers and arrays.
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def number(value: Any) -> str:
    """Write a number with four digits, and leave words as they are."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def width() -> int:
    """Columns to fill: the terminal's, and without one as many as ``COLUMNS`` says, or 120."""
    return max(60, shutil.get_terminal_size((120, 24)).columns)


def coloured(text: str, colour: str) -> str:
    """Colour a text if it goes to a terminal and NO_COLOR is not set."""
    code = _COLOURS.get(colour, "")
    if not code or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


def print_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], wrap: Sequence[str] = ()
) -> None:
    """Print rows in columns; see :func:`format_table`."""
    print("\n".join(format_table(header, rows, wrap)))


def format_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], wrap: Sequence[str] = ()
) -> list[str]:
    """Lay out rows in columns.

    Parameters
    ----------
    header : sequence of str
        Names of the columns.
    rows : sequence of sequence of str
        One cell a column.
    wrap : sequence of str, default=()
        Columns whose cells may be broken over several lines, so that the table fits.

    Returns
    -------
    list of str
        The header and then the rows, each of one line or more.
    """
    natural = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    widths = _fit(header, natural, set(wrap))
    blocks = []
    for index, row in enumerate([[name.upper() for name in header], *rows]):
        cells = [
            textwrap.wrap(cell, size, break_on_hyphens=False) or [""]
            for cell, size in zip(row, widths, strict=True)
        ]
        lines = []
        for line in range(max(map(len, cells))):
            parts = [cell[line] if line < len(cell) else "" for cell in cells]
            padded = [part.ljust(size) for part, size in zip(parts, widths, strict=True)]
            colours = ["bold" if index == 0 else _MEANING.get(part, "") for part in parts]
            text = [coloured(p, c) for p, c in zip(padded, colours, strict=True)]
            lines.append("  ".join(text).rstrip())
        blocks.append("\n".join(lines))
    return blocks


def _fit(header: Sequence[str], natural: list[int], wrap: set[str]) -> list[int]:
    """Share what is left of the line among the columns that may wrap."""
    spare = width() - 2 * (len(header) - 1)
    spare -= sum(size for name, size in zip(header, natural, strict=True) if name not in wrap)
    sizes = list(natural)
    flexible = sorted(
        (i for i, name in enumerate(header) if name in wrap), key=lambda i: natural[i]
    )
    for left, i in zip(range(len(flexible), 0, -1), flexible, strict=True):
        sizes[i] = min(natural[i], max(16, spare // left))
        spare -= sizes[i]
    return sizes
