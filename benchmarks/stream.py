"""Streams: rate as a share of the memory bandwidth, and peak memory in a fresh process.

``python benchmarks/stream.py [--only PART ...] [--rows N] [--json FILE]``, where a part is table or
errors.

One thread, CPU time. A "read" is the time that summing the entries of a chunk takes in this very
run; the share is reads per pass of the stream, inverted. The stream is one chunk of random rows fed
again and again, so that making data costs nothing; each way gets the same rows. With
``--rows 100000000`` it is the stream of 80 GB that the documentation speaks of.

Memory is measured in a process of its own: the growth of the largest resident size from when the
chunk exists, to the end of the stream.

"errors" has the error that a sketch states over the one it makes, and how often its intervals cover
the exact coefficient, over 100 seeds: on rows of which all matter alike, and on rows of which as
many as there are columns carry the data.
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
from skrand.exceptions import SketchQualityWarning
from skrand.regression.solvers import SketchAndSolve

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


def rates(chunks):
    """Yield rate, memory and excess of each way to take in the stream."""
    X, y = chunk()
    exact = SketchedRegressor().fit(X, y)
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
        print(
            f"{way:13s} {row['gigabytes_per_second']:5.1f} {row['share_of_read']:14.2f} "
            f"{solve:9.3f} {grown:4.0f} {excess:17.1e}"
        )
        yield row


def stated_errors(n=4096, d=32, seeds=100):
    """Yield what the sketches say of their errors beside the errors."""
    rng = np.random.default_rng(0)
    few = 1e-3 * rng.standard_normal((n, d))
    few[:d] += np.eye(d)
    noise = rng.standard_normal(n)
    for data, X in (("all rows matter", rng.standard_normal((n, d))), ("few rows matter", few)):
        y = X @ np.ones(d) + noise
        exact = np.linalg.lstsq(X, y)[0]
        for sketch in ("gaussian", "srht", "sparse-sign", "countsketch"):
            for times in (4, 8):
                ratios, hits, noticed = [], [], 0
                for seed in range(seeds):
                    model = SketchedRegressor(
                        solver=SketchAndSolve(sketch=sketch, sketch_size=float(times)),
                        fit_intercept=False,
                        random_state=seed,
                    )
                    with warnings.catch_warnings(record=True) as caught:
                        warnings.simplefilter("always")
                        model.fit(X, y)
                    noticed += any(w.category is SketchQualityWarning for w in caught)
                    off = np.linalg.norm(X @ (model.coef_ - exact))
                    ratios.append(model.error_estimate_ / off)
                    hits.append(np.abs(model.coef_ - exact) <= model.coef_error_)
                low, high = np.quantile(ratios, (0.05, 0.95))
                row = {
                    "data": data,
                    "sketch": sketch,
                    "rows_a_column": times,
                    "low": float(low),
                    "high": float(high),
                    "coverage": float(np.mean(hits)),
                    "noticed": noticed / seeds,
                }
                print(row, flush=True)
                yield row


PARTS = {"table": rates, "errors": lambda chunks: stated_errors()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--json", help="write the tables here")
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    options = parser.parse_args()
    chunks = max(2, options.rows // CHUNK)
    if options.memory:
        memory(options.memory, chunks)
        return
    report = {"schema": SCHEMA}
    for name in options.only:
        if name == "table":
            report |= {"rows": chunks * CHUNK, "features": D}
        report[name] = list(PARTS[name](chunks))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)


if __name__ == "__main__":
    main()
