"""``skrand bench TASK``: all solvers of a task side by side, and the peers that are installed.

Every time is CPU time of one process, the solvers in turn, so that only ratios are compared and a
change in the machine's speed meets all of them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from skrand.cli._output import SCHEMA, number, print_json, print_table
from skrand.registry import entries, get, load

__all__ = ["add_arguments", "run"]

SIZES = ("tiny", "small", "medium", "large")
_REPEATS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("task", metavar="TASK", help="name of a task")
    parser.add_argument("--size", choices=SIZES, default="tiny", help="size of the instances")
    parser.add_argument("--seed", type=int, default=0, help="seed of the instances")
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="F", help="write JSON to file F, or print it"
    )
    parser.add_argument("--plot", metavar="F", help="draw error against time into picture F")


def run(arguments: argparse.Namespace) -> int:
    """Run every solver on every instance that it supports."""
    entry = get(arguments.task, kind="task")
    task = load(entry)()
    rows = []
    for instance in task.instances(arguments.size, seed=arguments.seed):
        rows += _race(task, entry.name, instance)
    if arguments.json == "-":
        print_json(task=entry.name, size=arguments.size, seed=arguments.seed, rows=rows)
    else:
        _print(rows)
    if arguments.json not in (None, "-"):
        content = {"task": entry.name, "size": arguments.size, "seed": arguments.seed, "rows": rows}
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"schema": SCHEMA, **content}, file, indent=2)
    if arguments.plot:
        _plot(rows, arguments.plot)
    return 0


def _race(task: Any, name: str, instance: Any) -> list[dict[str, Any]]:
    """Time the solvers and peers on one instance, in turn, and measure their answers."""
    runners = dict(_runners(task, name, instance.problem))
    reference = task.reference(instance.problem)
    times: dict[str, list[float]] = {label: [] for label in runners}
    answers: dict[str, Any] = {}
    for _ in range(_REPEATS):
        for label, runner in list(runners.items()):
            start = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answers[label] = runner()
            times[label].append(time.process_time() - start)
            if answers[label] is None:
                # A peer that cannot take this instance.
                del runners[label]
    rows = []
    for label in runners:
        measured = task.measure(instance.problem, answers[label], reference)
        rows.append(
            {
                "instance": instance.name,
                "solver": label,
                "seconds": statistics.median(times[label]),
                "converged": bool(answers[label].converged),
                **{key: float(value) for key, value in measured.items()},
            }
        )
    peers = [row["seconds"] for row in rows if row["solver"] in task.peers()]
    for row in rows:
        row["speedup"] = peers[0] / row["seconds"] if peers and row["seconds"] > 0 else None
    return sorted(rows, key=lambda row: row["seconds"])


def _runners(task: Any, name: str, problem: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    from skrand.base import Solution

    for entry in entries(kind="solver", task=name):
        if entry.status not in ("ok", "deprecated"):
            continue
        solver = load(entry)()
        if solver.supports(problem) is None:
            yield entry.name, lambda s=solver: s.solve(problem, rng=0)

    def ask(peer: Callable[[Any], Any]) -> Solution | None:
        x = peer(problem)
        return None if x is None else Solution(x=x, converged=True)

    for label, peer in task.peers().items():
        yield label, lambda p=peer: ask(p)


def _print(rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    metrics = [key for key, value in rows[0].items() if isinstance(value, float)]
    metrics = [key for key in metrics if key not in ("seconds", "speedup")]
    header = ("instance", "solver", "CPU s", "speed-up", "converged", *metrics)
    lines = []
    for row in rows:
        speedup = "" if row["speedup"] is None else f"{row['speedup']:.2f}x"
        flag = "yes" if row["converged"] else "no"
        values = [number(row[key]) for key in metrics]
        lines.append(
            (row["instance"], row["solver"], number(row["seconds"]), speedup, flag, *values)
        )
    print_table([name.replace("_", " ") for name in header], lines)


def _plot(rows: list[dict[str, Any]], path: str) -> None:
    """Draw the first metric against time, a marker a solver."""
    from matplotlib.figure import Figure

    metric = next(
        key for key, value in rows[0].items() if isinstance(value, float) and key != "seconds"
    )
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for label in dict.fromkeys(row["solver"] for row in rows):
        mine = [row for row in rows if row["solver"] == label]
        # A perfect answer has error 0, which a logarithmic axis cannot show.
        error = [max(row[metric], 1e-17) for row in mine]
        axes.scatter([row["seconds"] for row in mine], error, label=label)
    axes.set(xscale="log", yscale="log", xlabel="CPU seconds", ylabel=metric.replace("_", " "))
    axes.legend()
    figure.savefig(path)
