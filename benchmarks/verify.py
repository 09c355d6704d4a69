"""Every claim of skrand and its plugins, measured again: what ``skrand verify --all`` says.

``python benchmarks/verify.py [--json FILE]``
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import contextlib
import io
import sys
from pathlib import Path

from skrand.cli import main as skrand


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the claims here")
    options = parser.parse_args()
    if options.json is None:
        return skrand(["verify", "--all"])
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        status = skrand(["verify", "--all", "--json"])
    options.json.write_text(printed.getvalue(), encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
