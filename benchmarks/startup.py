"""How long skrand takes to start, as a ratio to ``import sklearn``.

    python benchmarks/startup.py [--runs N] [--json FILE]

Every run is a fresh process, start of Python included. The runs of the different commands are
interleaved, so that a busy machine slows all of them, and medians are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

PEER = "import sklearn"

#: Command -> largest ratio to the peer that the design allows (None: for comparison).
BUDGETS = {
    "pass": None,
    PEER: None,
    "import skrand": 0.05,
    "skrand list": 0.25,
    "skrand list, no plugins": 0.25,
    "skrand --help": 0.25,
}

_MAIN = "import sys; from skrand.cli import main; sys.exit(main({}))"
CODE = {
    "skrand list": _MAIN.format(["list"]),
    "skrand list, no plugins": _MAIN.format(["list"]),
    "skrand --help": _MAIN.format(["--help"]),
}


def run(command: str) -> float:
    """Return the seconds that one process takes."""
    env = dict(os.environ)
    env.pop("SKRAND_PLUGINS", None)
    if command.endswith("no plugins"):
        env["SKRAND_PLUGINS"] = ""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", CODE.get(command, command)],
        check=True,
        stdout=subprocess.DEVNULL,
        env=env,
        # Not in the source tree's root, where -c would put it on sys.path.
        cwd=Path(__file__).parent,
    )
    return time.perf_counter() - start


def measure(runs: int) -> list[dict[str, object]]:
    """Return one row a command."""
    times: dict[str, list[float]] = {command: [] for command in BUDGETS}
    for number in range(runs + 1):
        for command in BUDGETS:
            seconds = run(command)
            if number:  # the first round fills the disk cache and writes bytecode
                times[command].append(seconds)
    medians = {command: statistics.median(seconds) for command, seconds in times.items()}
    rows = []
    for command, budget in BUDGETS.items():
        ratio = medians[command] / medians[PEER]
        within = None if budget is None else ratio <= budget
        rows.append(
            {
                "command": command,
                "seconds": medians[command],
                "ratio": ratio,
                "budget": budget,
                "within": within,
            }
        )
    return rows


def table(rows: list[dict[str, object]]) -> str:
    """Return the rows for people."""
    lines = [f"{'command':<26}{'seconds':>9}{'ratio':>8}{'budget':>8}"]
    for row in rows:
        budget = "-" if row["budget"] is None else f"{row['budget']:.2f}"
        verdict = {None: "", True: "  ok", False: "  OVER"}[row["within"]]
        lines.append(
            f"{row['command']:<26}{row['seconds']:>9.3f}{row['ratio']:>8.3f}{budget:>8}{verdict}"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure, print, and fail if a budget is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=9, help="processes a command (default: 9)")
    parser.add_argument("--json", metavar="FILE", help="write the figures to this file as well")
    args = parser.parse_args()
    rows = measure(args.runs)
    print(table(rows))
    if args.json:
        Path(args.json).write_text(json.dumps({"schema": 1, "rows": rows}, indent=2) + "\n")
    return int(any(row["within"] is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
