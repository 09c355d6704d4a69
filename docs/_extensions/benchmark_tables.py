"""Tables of the performance page, made from ``benchmarks/results/*.json`` when it is read.

A file holds what a script of ``benchmarks/`` wrote. Lists of records are tables, one for each value
of ``table``, or of the name of the first column, if records differ in that. ``environment`` is what
it was made with, and everything else a condition of the measurement.
"""

import json
from pathlib import Path

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
PAGE = "performance"


def markdown(title, content):
    """Return what one file holds as Markdown."""
    content = dict(content) if isinstance(content, dict) else {"rows": content}
    environment = content.pop("environment", None)
    for name in ("schema", "benchmark"):
        content.pop(name, None)
    conditions, tables = {}, {}
    _sort(content, "", conditions, tables)
    parts = [f"### {title}"]
    if conditions:
        shown = (f"{name} {_cell(value)}" for name, value in conditions.items())
        parts.append("; ".join(shown) + ".")
    if environment:
        lines = [f"- {_words(name)}: {_cell(value)}" for name, value in environment.items()]
        parts.append("\n".join([":::{dropdown} What it was made with", *lines, ":::"]))
    for (name, _), rows in tables.items():
        if name:
            parts.append(f"**{name}**")
        parts.append(_table(rows))
    return "\n\n".join(parts) + "\n"


def _sort(content, prefix, conditions, tables):
    """Put lists of records into `tables` and single values into `conditions`."""
    for key, value in content.items():
        name = f"{prefix} {_words(key)}".strip()
        if _is_records(value):
            for row in value:
                rest = {k: v for k, v in row.items() if k != "table"}
                label = row.get("table", "" if key in ("rows", "table") else name)
                tables.setdefault((_words(label), next(iter(rest), "")), []).append(rest)
        elif isinstance(value, dict):
            _sort(value, name, conditions, tables)
        else:
            conditions[name] = value


def _is_records(value):
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _table(rows):
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [[_words(column) for column in columns], ["---"] * len(columns)]
    lines += [[_cell(row.get(column)) for column in columns] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _words(name):
    return str(name).replace("_", " ")


def _cell(value):
    """Word a value for a reader: three digits, no None, lists as words."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, dict):
        return ", ".join(f"{_words(name)} {_cell(entry)}" for name, entry in value.items())
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    return str(value).replace("|", r"\|").replace("*", r"\*").replace("_", r"\_")


def _add_tables(app, docname, source):
    if docname != PAGE:
        return
    files = sorted(RESULTS.glob("*.json"))
    for path in (RESULTS, *files):
        app.env.note_dependency(str(path))
    parts = [markdown(file.stem, json.loads(file.read_text(encoding="utf-8"))) for file in files]
    source[0] += "\n" + ("\n".join(parts) or "No results are in this copy of the source tree.\n")


def setup(app):
    """Add the tables to the page when Sphinx reads it."""
    app.connect("source-read", _add_tables)
    return {"parallel_read_safe": True}
