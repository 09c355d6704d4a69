"""What pages say of the files in ``benchmarks/results/``: a module a task, a function a figure."""

import json
import re
from functools import cache
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "results"
FIGURES = {}


def measured(function):
    """Register a function, which returns the text that a mark of its name encloses."""
    FIGURES[function.__name__] = function
    return function


@cache
def results(name):
    """Return what one file of figures holds."""
    return json.loads((RESULTS / f"{name}.json").read_text("utf-8"))


def claims(entry):
    """Return what `skrand verify` said of one entry."""
    return [row for row in results("verify")["claims"] if row["entry"].endswith(f":{entry}")]


def table(*rows):
    """Return Markdown; the first row is the header."""
    rows = [list(map(str, row)) for row in rows]
    rows.insert(1, ["---"] * len(rows[0]))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def digits(value, count=2):
    """Word a number to so many digits, without exponents."""
    if value is None:
        return ""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{count}g}")
    if rounded < 1:
        return f"{rounded:g}"
    return f"{rounded:.{max(0, count - len(str(int(rounded))))}f}"


def power(value):
    """Word a small number as 7e-9."""
    return re.sub(r"e-0?(\d)", r"e-\1", f"{value:.0e}")


def seconds(value):
    """Word a time, in milliseconds if it is short."""
    return f"{digits(1e3 * value)} ms" if value < 1 else f"{digits(value)} s"


def count(value):
    """Word an integer with spaces between thousands."""
    return f"{value:,}".replace(",", " ") if value >= 10_000 else str(value)


def shape(text):
    """Word '300000 x 50' with spaces between thousands."""
    return re.sub(r"\d{5,}", lambda found: count(int(found.group())), text)


def by(rows, *keys):
    """Return {(values of keys): row}."""
    return {tuple(row[key] for key in keys) if keys[1:] else row[keys[0]]: row for row in rows}
