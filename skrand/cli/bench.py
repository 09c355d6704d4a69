"""``skrand bench TASK``: all solvers of a task side by side, and the peers that are installed.

The solvers run in turn in one process, so that a change in the machine's speed meets all of them.
Medians of up to five runs are shown, of fewer where one takes long; ratios are of CPU time.
``--compare`` holds a run against an earlier one.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from skrand.cli._environment import differences, environment
from skrand.cli._output import (
    SCHEMA,
    UsageError,
    foreign_code,
    format_table,
    number,
    print_json,
    print_table,
    to_json,
    width,
    working_on,
)
from skrand.exceptions import PluginError, PluginWarning
from skrand.registry import entries, get, load

__all__ = ["add_arguments", "run"]

SIZES = ("tiny", "small", "medium", "large")
_REPEATS = 5
# CPU seconds on an instance after which a solver is not run on it again: long runs vary less.
_ENOUGH = 1.0
# Below so many runs nothing is said about a difference.
_FEWEST = 3

#: Takes a problem and returns a Solution, or None if the problem is not for it.
_Runner = Callable[[Any], Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("task", nargs="?", metavar="TASK", help="name of a task")
    parser.add_argument("--size", choices=SIZES, help="size of the instances (default: tiny)")
    parser.add_argument("--seed", type=int, help="seed of the instances (default: 0)")
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="F", help="write JSON to file F, or print it"
    )
    parser.add_argument("--plot", metavar="F", help="draw error against time into picture F")
    parser.add_argument(
        "--compare",
        nargs="+",
        metavar="F",
        help="run what JSON file F holds again and show the ratios; or compare two such files",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run every solver on every instance that it supports; exit status 1 if one failed."""
    failed: list[str] = []
    stored = [_stored(path) for path in arguments.compare or ()]
    if len(stored) > 2:
        raise UsageError("--compare takes one file, or two.")
    if len(stored) == 2:
        content = stored.pop()
    else:
        content = _bench(*_settings(arguments, stored), failed)
    if stored:
        content["comparison"] = _compare(stored[0], content)
    # Files first: a reader of the table may stop early.
    if arguments.json not in (None, "-"):
        with open(arguments.json, "w", encoding="utf-8") as file:
            file.write(to_json(**content) + "\n")
    if arguments.plot and content["rows"]:
        _plot(content, arguments.plot)
    if arguments.json == "-":
        print_json(**content)
    elif stored:
        _print_comparison(stored[0], content)
    elif content["rows"]:
        _print(content["rows"])
    for message in failed:
        print(f"skrand: {message}", file=sys.stderr)
    return int(bool(failed))


def _settings(arguments: argparse.Namespace, stored: list[dict[str, Any]]) -> tuple[str, str, int]:
    """Return task, size and seed: those asked for, those of the stored run, or the defaults."""
    given = {name: getattr(arguments, name) for name in ("task", "size", "seed")}
    if not stored:
        if given["task"] is None:
            raise UsageError("Name a task: `skrand list task` shows them.")
        return given["task"], given["size"] or "tiny", given["seed"] or 0
    for name, value in given.items():
        if value is not None and value != stored[0][name]:
            raise UsageError(
                f"The run to compare with has {name} {stored[0][name]!r}, not {value!r}."
            )
    return stored[0]["task"], stored[0]["size"], stored[0]["seed"]


def _bench(task_name: str, size: str, seed: int, failed: list[str]) -> dict[str, Any]:
    entry = get(task_name, kind="task")
    rows = []
    with foreign_code():
        task = load(entry)()
        runners = dict([*_solvers(entry.name, failed), *_peers(task)])
        for instance in task.instances(size, seed=seed):
            with working_on(instance.name):
                rows += _race(task, instance, runners, failed)
    return {
        "task": entry.name,
        "size": size,
        "seed": seed,
        "environment": environment(),
        "rows": rows,
    }


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

    try:
        x = peer(problem)
    except ImportError:
        # It is not installed.
        return None
    return x if x is None or isinstance(x, Solution) else Solution(x=x, converged=True)


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
            if sum(cpu[name]) > _ENOUGH:
                continue
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
    peers = task.peers()
    first = next((name for name in peers if name in running), None)
    reference = task.reference(instance.problem)
    rows = [
        {
            "instance": instance.name,
            "solver": name,
            "peer": name in peers,
            "cpu_seconds": seconds[name],
            "wall_seconds": statistics.median(wall[name]),
            "cpu_repeats": cpu[name],
            "speedup": seconds[first] / seconds[name] if first and seconds[name] > 0 else None,
            "speedup_over": first,
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
    metrics = list(dict.fromkeys(metric for row in rows for metric in row["measured"]))
    words = [metric.replace("_", " ") for metric in metrics]
    header = ("instance", "solver", "CPU s", "wall s", "speed-up", "converged", *words)
    lines = [
        (
            row["instance"],
            row["solver"] + (" (peer)" if row["peer"] else ""),
            f"{row['cpu_seconds']:.2e}",
            f"{row['wall_seconds']:.2e}",
            "" if row["speedup"] is None else f"{row['speedup']:.2f}x",
            "yes" if row["converged"] else "no",
            *(_figure(row["measured"].get(metric)) for metric in metrics),
        )
        for row in rows
    ]
    head, *blocks = format_table(header, lines)
    print(head)
    last = rows[0]["instance"] if rows else None
    for row, block in zip(rows, blocks, strict=True):
        if row["instance"] != last:
            print()
            last = row["instance"]
        print(block)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


def _stored(path: str) -> dict[str, Any]:
    """Read what ``--json`` wrote."""
    with open(path, encoding="utf-8") as file:
        try:
            content = json.load(file)
        except ValueError:
            content = None
    needed = {"task", "size", "seed", "environment", "rows"}
    whole = isinstance(content, dict) and needed <= content.keys()
    if not whole or content.get("schema") != SCHEMA:
        raise UsageError(f"{path} is not what `skrand bench --json` of this version writes.")
    return content


def _compare(old: dict[str, Any], new: dict[str, Any]) -> list[dict[str, Any]]:
    """Hold every row of one run against that of another with its instance and solver."""
    before = {(row["instance"], row["solver"]): row for row in old["rows"]}
    pairs = [
        (past, row)
        for row in new["rows"]
        if (past := before.get((row["instance"], row["solver"]))) is not None
    ]
    # What became of the peers on an instance became of the machine.
    drifts: dict[str, list[float]] = {}
    for past, row in pairs:
        if row["peer"]:
            drifts.setdefault(row["instance"], []).append(_ratio(past, row))
    return [
        {
            "instance": row["instance"],
            "solver": row["solver"],
            "peer": row["peer"],
            "before": past["cpu_seconds"],
            "now": row["cpu_seconds"],
            "ratio": _ratio(past, row),
            "verdict": _verdict(
                past["cpu_repeats"],
                row["cpu_repeats"],
                statistics.median(drifts.get(row["instance"], [1.0])),
            ),
            "measured_before": past["measured"],
            "measured_now": row["measured"],
        }
        for past, row in pairs
    ]


def _ratio(before: dict[str, Any], now: dict[str, Any]) -> float:
    return float(before["cpu_seconds"] / max(now["cpu_seconds"], 1e-9))


def _verdict(before: list[float], now: list[float], drift: float) -> str:
    """Say whether all repeats of one run beat all of the other's, with and without the drift."""
    if min(len(before), len(now)) < _FEWEST:
        return "too few runs"
    if max(now) * max(drift, 1.0) < min(before):
        return "faster"
    if min(now) * min(drift, 1.0) > max(before):
        return "slower"
    return "within noise"


def _print_comparison(old: dict[str, Any], new: dict[str, Any]) -> None:
    rows = new["comparison"]
    metric = next((metric for row in rows for metric in row["measured_now"]), "")
    words = metric.replace("_", " ")
    header = ("instance", "solver", "before s", "now s", "ratio", "", f"{words}: before", "now")
    lines = [
        (
            row["instance"],
            row["solver"] + (" (peer)" if row["peer"] else ""),
            f"{row['before']:.2e}",
            f"{row['now']:.2e}",
            f"{row['ratio']:.2f}x",
            row["verdict"],
            _figure(row["measured_before"].get(metric)),
            _figure(row["measured_now"].get(metric)),
        )
        for row in rows
    ]
    print_table(header, lines)
    print()
    for text in _remarks(old, new):
        print(textwrap.fill(text, width(), subsequent_indent="  "))


def _remarks(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """Say how far the ratios can be trusted, what is in one run alone, and what else differs."""
    pairs = {(row["instance"], row["solver"]): row for row in old["rows"]}
    repeats = [
        min(len(row["cpu_repeats"]), len(pairs[key]["cpu_repeats"]))
        for row in new["rows"]
        if (key := (row["instance"], row["solver"])) in pairs
    ]
    least = min((runs for runs in repeats if runs >= _FEWEST), default=0)
    if least:
        odds = math.comb(2 * least, least) // 2
        yield (
            "A ratio above 1 is faster now. Faster and slower say that all repeats of one run beat "
            f"all of the other's, as {least} against {least} do by chance in 1 row of {odds}, and "
            "that the peers' change on the instance does not account for it."
        )
    for label, peer in (("The peers", True), ("The solvers", False)):
        ratios = [row["ratio"] for row in new["comparison"] if row["peer"] == peer]
        if ratios:
            tail = ", which is the machine if they are the same versions" if peer else ""
            yield f"{label} together: {number(statistics.median(ratios))}x{tail}."
    for label, one, other in (("only before", old, new), ("only now", new, old)):
        theirs = {(row["instance"], row["solver"]) for row in other["rows"]}
        alone = [
            f"{row['solver']} on {row['instance']}"
            for row in one["rows"]
            if (row["instance"], row["solver"]) not in theirs
        ]
        if alone:
            yield f"{label.capitalize()}: {', '.join(alone)}."
    changed = differences(old["environment"], new["environment"])
    if changed:
        yield f"The environments differ: {'; '.join(changed)}."


def _plot(content: dict[str, Any], path: str) -> None:
    """Draw the first metric against time: a panel an instance, a marker a solver."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    rows = content["rows"]
    instances = list(dict.fromkeys(row["instance"] for row in rows))
    labels = sorted({row["solver"] for row in rows})
    looks = {
        label: {"color": colormaps["tab20"](i % 20), "marker": "osD^vP"[i % 6]}
        for i, label in enumerate(labels)
    }
    across = min(4, len(instances))
    down = math.ceil(len(instances) / across)
    figure = Figure(figsize=(3.2 * across + 2.4, 2.7 * down + 0.6), layout="constrained")
    panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, instance in zip(panels, instances, strict=False):
        for row in (row for row in rows if row["instance"] == instance):
            # A perfect answer has error 0, which a logarithmic axis cannot show.
            error = max(next(iter(row["measured"].values())), 1e-17)
            look = dict(looks[row["solver"]])
            if row["peer"]:
                look |= {"facecolors": "none", "edgecolors": look.pop("color")}
            axes.scatter(row["cpu_seconds"], error, s=45, label=row["solver"], **look)
        axes.set(xscale="log", yscale="log", title=instance)
        axes.xaxis.set_minor_formatter(NullFormatter())
    for axes in panels[len(instances) :]:
        axes.set_visible(False)
    for axes in panels[max(0, len(instances) - across) : len(instances)]:
        axes.tick_params(labelbottom=True)
    handles = {}
    for axes in panels:
        handles |= dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    figure.legend([handles[label] for label in labels], labels, loc="outside right upper")
    metric = next(iter(rows[0]["measured"])).replace("_", " ")
    figure.suptitle(f"{content['task']}, {content['size']}: hollow markers are peers")
    figure.supxlabel("CPU seconds")
    figure.supylabel(metric)
    figure.savefig(path)
