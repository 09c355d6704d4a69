"""Time of the sketches, in times to read the data once, beside SciPy's.

``python benchmarks/sketch.py [--quick] [--json FILE]``

One thread, CPU time, medians; all sides of a row run in this process, in turn. "read" is the dot
product of the data with themselves, the fastest way to touch every entry. A machine with a higher
bandwidth per core has a shorter read and so higher figures for the same code: compare columns of
one run, not runs of two machines.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import json
import statistics
import time

import numpy as np
import scipy.sparse as sp
from scipy.linalg import clarkson_woodruff_transform

from skrand.linalg import SRHT, CountSketch, Gaussian, Rademacher, SparseSign

SCHEMA = 1
DENSE = [(500_000, 50, "f8"), (100_000, 200, "f8"), (20_000, 1000, "f8"), (100_000, 200, "f4")]
# Rows, columns, stored entries a row.
SPARSE = [(1_000_000, 200, 10), (400_000, 2000, 20)]


def cpu_seconds(calls, repeats):
    """Return the median CPU time of each call, taking turns, after one call to warm up."""
    times = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            if turn:
                times[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def sparse_sign_matrix(S, n):
    """Return S as SciPy would hold it: the alternative to a kernel, with its making not timed."""
    step = 4096
    parts = [sp.csc_array(S.dense(min(step, n - i), i)) for i in range(0, n, step)]
    return sp.hstack(parts, format="csr")


def dense_row(n, d, dtype, repeats, slow):
    A = np.random.default_rng(0).standard_normal((n, d)).astype(dtype)
    F = np.asfortranarray(A)
    flat, m = A.ravel(), 4 * d
    seed = {"random_state": 0, "n_jobs": 1}
    count, four, eight = CountSketch(m, **seed), SparseSign(m, 4, **seed), SparseSign(m, **seed)
    srht = SRHT(m, **seed)
    calls = {
        "read": lambda: np.dot(flat, flat),
        "countsketch": lambda: count.apply(A),
        "countsketch F": lambda: count.apply(F),
        "sparse-sign 4": lambda: four.apply(A),
        "sparse-sign 8": lambda: eight.apply(A),
        "sparse-sign 8 F": lambda: eight.apply(F),
        "srht": lambda: srht.apply(A),
        "srht F": lambda: srht.apply(F),
        "scipy countsketch": lambda: clarkson_woodruff_transform(A, m, rng=0),
    }
    if slow and m <= 800:
        explicit = sparse_sign_matrix(eight, n)
        calls["scipy sparse-sign 8"] = lambda: explicit @ A
        calls["gaussian"] = lambda: Gaussian(m, **seed).apply(A)
        calls["rademacher"] = lambda: Rademacher(m, **seed).apply(A)
    return f"{n} x {d} {dtype}", cpu_seconds(calls, repeats)


def sparse_row(n, d, stored, repeats, slow):
    rng = np.random.default_rng(0)
    # Columns of a row may repeat, which changes no cost.
    indices = rng.integers(0, d, n * stored).astype(np.int32)
    indptr = np.arange(0, n * stored + 1, stored, dtype=np.int32)
    A = sp.csr_array((rng.standard_normal(n * stored), indices, indptr), shape=(n, d))
    seed = {"random_state": 0, "n_jobs": 1}
    m = 4 * d
    count, eight = CountSketch(m, **seed), SparseSign(m, **seed)
    # As many bytes as the entries and their columns have.
    flat = np.ones(n * stored * 3 // 2)
    calls = {
        "read": lambda: np.dot(flat, flat),
        "countsketch": lambda: count.apply(A),
        "sparse-sign 8": lambda: eight.apply(A),
    }
    if slow:
        signs = rng.choice([-1.0, 1.0], n)
        explicit = sp.csr_array((signs, (rng.integers(0, m, n), np.arange(n))), shape=(m, n))
        calls["scipy countsketch"] = lambda: explicit @ A
    return f"{n} x {d} csr {stored}/row", cpu_seconds(calls, repeats)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="without what takes seconds")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    options = parser.parse_args()
    rows = [dense_row(*shape, options.repeats, not options.quick) for shape in DENSE]
    rows += [sparse_row(*shape, options.repeats, not options.quick) for shape in SPARSE]
    report = []
    for title, seconds in rows:
        read = seconds.pop("read")
        reads = {name: value / read for name, value in seconds.items()}
        report.append({"data": title, "read_seconds": read, "reads": reads})
        print(f"\n{title}   (one read: {1e3 * read:.2f} ms; sketches of 4 d rows)")
        for name, value in reads.items():
            print(f"  {name:<20} {value:8.2f} reads")
        for ours in ("countsketch", "sparse-sign 8"):
            if f"scipy {ours}" in reads:
                ratio = reads[f"scipy {ours}"] / reads[ours]
                print(f"  {ours} is {ratio:.1f} times as fast as SciPy's")
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"schema": SCHEMA, "benchmark": "sketch", "rows": report}, file, indent=1)


if __name__ == "__main__":
    main()
