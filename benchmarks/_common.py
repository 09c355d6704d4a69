"""Run one benchmark script in this process, and write its figures with what they were made with.

    python benchmarks/_common.py SCRIPT DESTINATION [ARGUMENT ...]

The script is run as ``python SCRIPT ARGUMENT ... --json FILE`` would, so that versions and threads
are those of its own process. Nothing heavy is imported before it has set its number of threads.
"""

import json
import runpy
import sys
import tempfile
import time
from pathlib import Path


def record(script, destination, arguments):
    """Run a script and write its JSON, its arguments and its environment to one file.

    Returns
    -------
    int
        The script's exit status.
    """
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.json"
        sys.argv = [str(script), *arguments, "--json", str(figures)]
        sys.path[0] = str(Path(script).parent)
        status = 0
        try:
            runpy.run_path(str(script), run_name="__main__")
        except SystemExit as stop:
            status = int(stop.code or 0)
        content = json.loads(figures.read_text(encoding="utf-8"))
    # Now that the script has imported all that it needs.
    from skrand.cli._environment import environment

    if isinstance(content, list):
        content = {"rows": content}
    content.pop("schema", None)
    content.pop("benchmark", None)
    whole = {
        "schema": 1,
        "benchmark": Path(script).stem,
        "arguments": " ".join(arguments),
        "seconds": round(time.perf_counter() - start, 1),
        "environment": environment(),
        **content,
    }
    destination = Path(destination)
    destination.parent.mkdir(parents=True, exist_ok=True)
    destination.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(record(sys.argv[1], sys.argv[2], sys.argv[3:]))
