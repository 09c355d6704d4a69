"""Run benchmarks in turn and write ``benchmarks/results/NAME.json``, and the figures of pages.

    python benchmarks/run.py regression transport
    python benchmarks/run.py --all
    python benchmarks/run.py --all --size quick

Each file holds what the script of that name wrote with ``--json`` and what it was made with: the
script's arguments, seeds, date, model of the processor, threads, and versions of all packages that
took part. ``verify.json`` is what ``skrand verify --all --json`` prints. After ``full``, the
published size, figures of the documentation that come from these files are written anew (``python
benchmarks/pages.py``). ``quick`` is for a look, takes some minutes in all, and leaves no files
unless ``--results`` says where. Ratios between rows of one file hold on a busy machine; its seconds
do not.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pages

HERE = Path(__file__).parent
RESULTS = HERE / "results"


class Run(NamedTuple):
    """How a script is called for each size, and the seeds that it then uses."""

    quick: list[str]
    full: list[str]
    seeds: str


RUNS = {
    "clustering": Run(
        ["--only", "REAL", "--seeds", "1"],
        ["--seeds", "1"],
        "0 up to the number of seeds",
    ),
    "completion": Run(
        ["ratings", "imputers"],
        ["recovery", "ratings", "million", "matrix", "linear", "far", "imputers"],
        "0; trials: 0 up to their number",
    ),
    "fewshot": Run(["speed"], [], "1000 for tuning, 1 for scoring"),
    "lp_regression": Run(["--quick", "--repeats", "3"], [], "0"),
    "manifold": Run(["density", "scaling"], [], "0; density: 0 to 4"),
    "regression": Run(["--quick"], [], "0"),
    "sensing": Run(["--only", "rows", "--repeats", "1"], [], "0"),
    "sketch": Run(["--quick"], [], "0"),
    "startup": Run(["--runs", "5"], [], "none: nothing is random"),
    "stream": Run(
        ["--only", "table", "--rows", "500000"], ["--rows", "100000000"], "0; errors: 0 to 99"
    ),
    "transport": Run(
        ["race", "--repeats", "1"],
        ["race", "passes", "sweeps", "memory", "marginals", "--large"],
        "0",
    ),
    "verify": Run([], [], "with each claim"),
}


def run(name, size, results):
    """Run one script in a process of its own; return its exit status."""
    destination = results / f"{name}.json"
    arguments = getattr(RUNS[name], size)
    print(f"\n== {name} {' '.join(arguments)}", flush=True)
    script = HERE / f"{name}.py"
    status = subprocess.run(
        [sys.executable, str(HERE / "_common.py"), str(script), str(destination), *arguments],
        check=False,
    ).returncode
    if destination.exists():
        content = json.loads(destination.read_text(encoding="utf-8"))
        content = {
            "schema": content.pop("schema"),
            "size": size,
            "seeds": RUNS[name].seeds,
        } | content
        destination.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return status


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(RUNS)}")
    parser.add_argument("--all", action="store_true", help="every benchmark")
    parser.add_argument("--size", choices=["quick", "full"], default="full")
    parser.add_argument("--results", type=Path, help="folder to write to")
    options = parser.parse_args()
    unknown = set(options.names) - RUNS.keys()
    if unknown or not (options.names or options.all):
        parser.error(f"name some of {', '.join(RUNS)}, or give --all")
    names = list(RUNS) if options.all else options.names
    published = options.results is None and options.size == "full"
    with tempfile.TemporaryDirectory() as nowhere:
        results = RESULTS if published else options.results or Path(nowhere)
        failed = [name for name in names if run(name, options.size, results)]
    for name in failed:
        print(f"{name} failed or exceeded a budget", file=sys.stderr)
    if published:
        pages.rewrite()
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
