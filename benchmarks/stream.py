"""Streams: rate as a share of the memory bandwidth, and peak memory in a fresh process.

``python benchmarks/stream.py [--rows N] [--json FILE]``

One thread, CPU time. A "read" is the time that summing the entries of a chunk takes in this very
run; the share is reads per pass of the stream, inverted. The stream is one chunk of random rows fed
again and again, so that making data costs nothing; each way gets the same rows. With
``--rows 100000000`` it is the stream of 80 GB that the documentation speaks of.

Memory is measured in a process of its own: the growth of the largest resident size from when the
chunk exists, to the end of the stream.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import json
import subprocess
import sys
import time
import warnings

import numpy as np
from sklearn.linear_model import SGDRegressor

from skrand import SketchedRegressor

SCHEMA = 1
CHUNK, D = 200_000, 100


def chunk():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((CHUNK, D))
    return X, X @ rng.standard_normal(D) + rng.standard_normal(CHUNK)


class NumpyGram:
    """What one would write by hand, without centring or weights: the strongest peer."""

    def __init__(self):
        self.gram, self.cross = np.zeros((D + 1, D + 1)), np.zeros(D + 1)

    def partial_fit(self, X, y):
        self.gram[:D, :D] += X.T @ X
        sums = X.sum(axis=0)
        self.gram[D, :D] += sums
        self.gram[:D, D] += sums
        self.gram[D, D] += len(X)
        self.cross[:D] += X.T @ y
        self.cross[D] += y.sum()

    @property
    def coef_(self):
        return np.linalg.solve(self.gram, self.cross)[:D]


WAYS = {
    "countsketch": lambda: SketchedRegressor(
        solver="sketch", sketch="countsketch", random_state=0, n_jobs=1
    ),
    "sparse-sign": lambda: SketchedRegressor(solver="sketch", random_state=0, n_jobs=1),
    "srht": lambda: SketchedRegressor(solver="sketch", sketch="srht", random_state=0, n_jobs=1),
    "chol": lambda: SketchedRegressor(solver="chol", n_jobs=1),
    "numpy Gram": NumpyGram,
    "SGDRegressor": lambda: SGDRegressor(random_state=0),
}


def read_time(X):
    """Return the median time to read the chunk once."""
    times = []
    for _ in range(7):
        start = time.process_time()
        X.sum()
        times.append(time.process_time() - start)
    return float(np.median(times))


def run(way, X, y, chunks):
    model = WAYS[way]()
    start = time.process_time()
    for _ in range(chunks):
        model.partial_fit(X, y)
    fed = time.process_time()
    coef = model.coef_
    return coef, fed - start, time.process_time() - fed


def peak():
    """Return the largest resident memory of this process so far, in MB; Linux."""
    # Not getrusage: its maximum goes back to before exec, to the memory of the parent.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def memory(way, chunks):
    """Print how much the process grows, in MB, while the stream passes."""
    X, y = chunk()
    WAYS[way]().partial_fit(X[:1000], y[:1000])
    before = peak()
    run(way, X, y, chunks)
    print(peak() - before)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--json", help="write the table here")
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    options = parser.parse_args()
    chunks = max(2, options.rows // CHUNK)
    if options.memory:
        memory(options.memory, chunks)
        return
    X, y = chunk()
    exact = SketchedRegressor().fit(X, y)
    table = []
    print(f"{chunks * CHUNK} rows x {D}, {chunks * X.nbytes / 1e9:.1f} GB, in chunks of {CHUNK}")
    print("way            GB/s  share of read  solve, s   MB  excess objective")
    for way in WAYS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            before = read_time(X)
            coef, feed, solve = run(way, X, y, 2 if way == "SGDRegressor" else chunks)
            read = min(before, read_time(X))
        passes = 2 if way == "SGDRegressor" else chunks
        command = [sys.executable, __file__, "--memory", way, "--rows", str(passes * CHUNK)]
        grown = float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
        residual = y - X @ coef
        excess = ((residual - residual.mean()) ** 2).sum() / exact.objective_ - 1
        row = {
            "way": way,
            "gigabytes_per_second": passes * X.nbytes / feed / 1e9,
            "share_of_read": passes * read / feed,
            "solve_seconds": solve,
            "megabytes": grown,
            "excess": excess,
        }
        table.append(row)
        print(
            f"{way:13s} {row['gigabytes_per_second']:5.1f} {row['share_of_read']:14.2f} "
            f"{solve:9.3f} {grown:4.0f} {excess:17.1e}"
        )
    if options.json:
        report = {"schema": SCHEMA, "rows": chunks * CHUNK, "features": D, "table": table}
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)


if __name__ == "__main__":
    main()
