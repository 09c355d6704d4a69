"""``skrand bench TASK``: all solvers of a task side by side, and the peers that are installed.

The solvers run in turn in one process, so that a change in the machine's speed meets all of them.
Medians are shown; ratios are of CPU time.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from skrand.cli._output import foreign_code, print_json, print_table, to_json
from skrand.exceptions import PluginError, PluginWarning
from skrand.registry import entries, get, load

__all__ = ["add_arguments", "run"]

SIZES = ("tiny", "small", "medium", "large")
_REPEATS = 3

#: Takes a problem and returns a Solution, or None if the problem is not for it.
_Runner = Callable[[Any], Any]


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
    """Run every solver on every instance that it supports; exit status 1 if one failed."""
    entry = get(arguments.task, kind="task")
    failed: list[str] = []
    rows = []
    with foreign_code():
        task = load(entry)()
        runners = dict([*_solvers(entry.name, failed), *_peers(task)])
        for instance in task.instances(arguments.size, seed=arguments.seed):
            rows += _race(task, instance, runners, failed)
    content = {"task": entry.name, "size": arguments.size, "seed": arguments.seed, "rows": rows}
    if arguments.json == "-":
        print_json(**content)
    elif rows:
        _print(rows)
    if arguments.json not in (None, "-"):
        with open(arguments.json, "w", encoding="utf-8") as file:
            file.write(to_json(**content) + "\n")
    if arguments.plot and rows:
        _plot(rows, arguments.plot)
    for message in failed:
        print(f"skrand: {message}", file=sys.stderr)
    return int(bool(failed))


def _solvers(task: str, failed: list[str]) -> Iterator[tuple[str, _Runner]]:
    """Yield the name and the run of every solver that can be loaded."""
    for entry in entries(kind="solver", task=task):
        if entry.status.startswith("needs "):
            continue
        try:
            with warnings.catch_warnings():
                # The message at the end says the same.
                warnings.simplefilter("ignore", PluginWarning)
                solver = load(entry)()
        except PluginError as error:
            failed.append(str(error))
            continue
        yield entry.working_name, partial(_solve, solver)


def _solve(solver: Any, problem: Any) -> Any:
    return solver.solve(problem, rng=0) if solver.supports(problem) is None else None


def _peers(task: Any) -> Iterator[tuple[str, _Runner]]:
    """Yield the name and the run of every peer; one that cannot take a problem returns None."""
    for name, peer in task.peers().items():
        yield name, partial(_ask, peer)


def _ask(peer: Callable[[Any], Any], problem: Any) -> Any:
    from skrand.base import Solution

    x = peer(problem)
    return None if x is None else Solution(x=x, converged=True)


def _race(
    task: Any, instance: Any, runners: dict[str, _Runner], failed: list[str]
) -> list[dict[str, Any]]:
    """Time everyone on one instance, in turn, and measure their answers."""
    cpu: dict[str, list[float]] = {name: [] for name in runners}
    wall: dict[str, list[float]] = {name: [] for name in runners}
    answers: dict[str, Any] = {}
    running = dict(runners)
    for _ in range(_REPEATS):
        for name, runner in list(running.items()):
            # A copy: what one solver has worked out from the data must not help the next.
            problem = replace(instance.problem)
            start = time.perf_counter(), time.process_time()
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    answers[name] = runner(problem)
            except Exception as error:  # noqa: BLE001 (one must not take the others with it)
                failed.append(f"{name} on {instance.name}: {type(error).__name__}: {error}")
                answers[name] = None
            wall[name].append(time.perf_counter() - start[0])
            cpu[name].append(time.process_time() - start[1])
            if answers[name] is None:
                del running[name]
    seconds = {name: statistics.median(cpu[name]) for name in running}
    first = next((seconds[name] for name in task.peers() if name in running), None)
    reference = task.reference(instance.problem)
    rows = [
        {
            "instance": instance.name,
            "solver": name,
            "cpu_seconds": seconds[name],
            "wall_seconds": statistics.median(wall[name]),
            "speedup": first / seconds[name] if first and seconds[name] > 0 else None,
            "converged": bool(answers[name].converged),
            "measured": {
                metric: float(value)
                for metric, value in task.measure(
                    instance.problem, answers[name], reference
                ).items()
            },
        }
        for name in running
    ]
    return sorted(rows, key=lambda row: row["cpu_seconds"])


def _print(rows: list[dict[str, Any]]) -> None:
    metrics = list(rows[0]["measured"])
    words = [metric.replace("_", " ") for metric in metrics]
    header = ("instance", "solver", "CPU s", "wall s", "speed-up", "converged", *words)
    lines = [
        (
            row["instance"],
            row["solver"],
            f"{row['cpu_seconds']:.2e}",
            f"{row['wall_seconds']:.2e}",
            "" if row["speedup"] is None else f"{row['speedup']:.2f}x",
            "yes" if row["converged"] else "no",
            *(f"{row['measured'][metric]:.1e}" for metric in metrics),
        )
        for row in rows
    ]
    print_table(header, lines)


def _plot(rows: list[dict[str, Any]], path: str) -> None:
    """Draw the first metric against time, a marker a solver."""
    from matplotlib.figure import Figure

    metric = next(iter(rows[0]["measured"]))
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for label in dict.fromkeys(row["solver"] for row in rows):
        mine = [row for row in rows if row["solver"] == label]
        # A perfect answer has error 0, which a logarithmic axis cannot show.
        error = [max(row["measured"][metric], 1e-17) for row in mine]
        axes.scatter([row["cpu_seconds"] for row in mine], error, label=label)
    axes.set(xscale="log", yscale="log", xlabel="CPU seconds", ylabel=metric.replace("_", " "))
    axes.legend()
    figure.savefig(path)
