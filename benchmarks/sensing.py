"""Error and time of matrix sensing, beside the nuclear norm and linear models without a rank.

``python benchmarks/sensing.py [--only PART ...] [--large] [--json FILE]``

The part "rows" is that comparison. "descent" counts steps of gradient descent from starts of
several sizes, and "recovery" the instances that few measurements determine.

One thread, CPU time, medians; all sides of a row run in this process, in turn. The nuclear norm is
minimised by accelerated proximal gradient steps in NumPy, along a path of ten penalties of which
the truth picks the best: its error is the least it can have, and its time that of the whole path.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import json
import statistics
import time
import warnings

import numpy as np
from sklearn.linear_model import LinearRegression, RidgeCV

from skrand.completion.sensing import MatrixSensing, RankOneMeasurements
from skrand.completion.sensing.solvers import GD, RGN, ScaledGD

SCHEMA = 1


def planted(d1, d2, rank, condition, rng):
    U, V = (np.linalg.qr(rng.standard_normal((d, rank)))[0] for d in (d1, d2))
    return (U * np.logspace(0, -np.log10(condition), rank)) @ V.T


def cases(large):
    """Yield name, problem and truth; measurements are standard normal."""
    shapes = [
        ("30x30 r3, n=270", 30, 30, 3, 3, 270, 1.0, 0.0),
        ("30x30 r3 in 6, n=900", 30, 30, 3, 6, 900, 1.0, 0.0),
        ("30x30 r3, condition 30", 30, 30, 3, 3, 400, 30.0, 0.0),
        ("30x30 r3, noise 5 %", 30, 30, 3, 3, 400, 1.0, 0.05),
        ("30x30 r3 in 6, noise 5 %", 30, 30, 3, 6, 600, 1.0, 0.05),
        ("60x50 r4, n=1200", 60, 50, 4, 4, 1200, 3.0, 0.0),
    ]
    if large:
        shapes.append(("100x100 r5, n=3000", 100, 100, 5, 5, 3000, 3.0, 0.0))
    for name, d1, d2, rank, allowed, n, condition, noise in shapes:
        rng = np.random.default_rng(0)
        M = planted(d1, d2, rank, condition, rng)
        A = rng.standard_normal((n, d1 * d2))
        y = A @ M.ravel()
        y += noise * y.std() * rng.standard_normal(n)
        yield name, MatrixSensing(A=A, y=y, matrix_shape=(d1, d2), rank=allowed), M
    rng = np.random.default_rng(0)
    M = planted(100, 80, 3, 3.0, rng)
    A = RankOneMeasurements(rng.standard_normal((3000, 100)), rng.standard_normal((3000, 80)))
    y = A @ M.ravel()
    yield "rank one, 100x80 r3", MatrixSensing(A=A, y=y, matrix_shape=(100, 80), rank=3), M


def nuclear_norm(problem, truth):
    """Return the point nearest to the truth on a path of penalties, each with 300 FISTA steps."""
    A, y = problem.A, problem.y
    norm = np.linalg.norm(A, 2) ** 2
    shrink = np.linalg.norm((A.T @ y).reshape(problem.matrix_shape), 2)
    M, best = np.zeros(problem.matrix_shape), np.zeros(problem.matrix_shape)
    for penalty in shrink * np.logspace(-0.5, -5, 10):
        Z, t = M, 1.0
        for _ in range(300):
            step = Z - (A.T @ (A @ Z.ravel() - y)).reshape(M.shape) / norm
            U, s, Vt = np.linalg.svd(step, full_matrices=False)
            new = (U * np.maximum(s - penalty / norm, 0)) @ Vt
            t, old = (1 + np.sqrt(1 + 4 * t * t)) / 2, t
            Z, M = new + (old - 1) / t * (new - M), new
        if np.linalg.norm(M - truth) < np.linalg.norm(best - truth):
            best = M
    return best


def sides(problem, truth):
    """Return functions that give a matrix, by name."""
    calls = {
        "skrand rgn": lambda: RGN().solve(problem).x,
        "skrand scaledgd": lambda: ScaledGD().solve(problem).x,
        "skrand gd": lambda: GD(max_iter=5000).solve(problem, rng=0).x,
    }
    if not isinstance(problem.A, np.ndarray):
        return calls
    A, y, shape = problem.A, problem.y, problem.matrix_shape
    ridge = RidgeCV(np.logspace(-3, 3, 7), fit_intercept=False)
    calls["nuclear norm, best penalty"] = lambda: nuclear_norm(problem, truth)
    calls["sklearn RidgeCV"] = lambda: ridge.fit(A, y).coef_.reshape(shape)
    plain = LinearRegression(fit_intercept=False)
    calls["sklearn LinearRegression"] = lambda: plain.fit(A, y).coef_.reshape(shape)
    return calls


def errors(solver, problem, truth, tol=1e-10):
    """Return the distances from the truth after each iteration, until one is at most `tol`."""
    found = []

    def look(state):
        found.append(float(np.linalg.norm(state["x"]() - truth) / np.linalg.norm(truth)))
        return found[-1] <= tol

    solver.solve(problem, rng=0, callback=look)
    return found


def descent():
    """Yield the steps and the error of each way of descent from each size of start."""
    rng = np.random.default_rng(0)
    U = np.linalg.qr(rng.standard_normal((30, 3)))[0]
    M, A = U @ U.T, rng.standard_normal((900, 900))
    ways = {
        "rewritten once": ({}, False),
        "not rewritten": ({"rebalance": False}, False),
        "one factor": ({}, True),
    }
    for way, (options, symmetric) in ways.items():
        for start in (0.01, 0.05, 0.2, 0.5):
            problem = MatrixSensing(
                A=A, y=A @ M.ravel(), matrix_shape=(30, 30), rank=6, symmetric=symmetric
            )
            solver = GD(init_scale=start, tol=1e-14, max_iter=2000, **options)
            found = errors(solver, problem, M)
            print(f"{way:20}start {start:5}{len(found):6} steps{found[-1]:9.1e}", flush=True)
            yield {"way": way, "start": start, "steps": len(found), "error": found[-1]}


def recovery(instances=5):
    """Yield how many instances Gauss-Newton recovers from so many measurements; 30 x 30, rank 3."""
    for n in (171, 200, 270):
        found = []
        for seed in range(instances):
            rng = np.random.default_rng(seed)
            M = planted(30, 30, 3, 1.0, rng)
            A = rng.standard_normal((n, 900))
            problem = MatrixSensing(A=A, y=A @ M.ravel(), matrix_shape=(30, 30), rank=3)
            x = RGN(max_iter=1000).solve(problem).x
            found.append(bool(np.linalg.norm(x - M) <= 1e-6 * np.linalg.norm(M)))
        print(f"{n} measurements: {sum(found)} of {instances} exact", flush=True)
        yield {"measurements": n, "exact": sum(found), "instances": instances}


def comparison(options):
    """Yield a row for each side of each case."""
    print(f"{'case':26}{'side':28}{'error':>9}{'CPU s':>9}{'ratio':>9}")
    for case, problem, truth in cases(options.large):
        calls = sides(problem, truth)
        times, found = {name: [] for name in calls}, {}
        calls["skrand rgn"]()
        for turn in range(options.repeats):
            for name, call in calls.items():
                # The slow ones once: their time is no matter of a few percent.
                if turn and times[name][0] > 1:
                    continue
                start = time.process_time()
                M = call()
                times[name].append(time.process_time() - start)
                found[name] = float(np.linalg.norm(M - truth) / np.linalg.norm(truth))
        base = statistics.median(times["skrand rgn"])
        for name in calls:
            seconds = statistics.median(times[name])
            print(f"{case:26}{name:28}{found[name]:9.1e}{seconds:9.3f}{seconds / base:9.1f}")
            yield {
                "case": case,
                "side": name,
                "error": found[name],
                "seconds": seconds,
                "ratio": seconds / base,
            }


PARTS = {
    "rows": comparison,
    "descent": lambda options: descent(),
    "recovery": lambda options: recovery(),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--large", action="store_true", help="100 x 100 as well")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", help="write the table here")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    tables = {name: list(PARTS[name](options)) for name in options.only}
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"schema": SCHEMA, **tables}, file, indent=1)


if __name__ == "__main__":
    main()
