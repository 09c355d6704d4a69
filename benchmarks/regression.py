"""SketchedRegressor against scikit-learn and SciPy: ratios of CPU time on one thread, and accuracy.

    python benchmarks/regression.py [--quick] [--json FILE]

Both sides run in this process, in turn; data are made outside the timer; medians are compared. A
time counts only beside the accuracy it bought: the relative excess of the residual over the best
possible, which is known, and the backward error our solvers report. The worst ratio is printed as
well as the best.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import json
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from sklearn.linear_model import LinearRegression, Ridge

from skrand import SketchedRegressor

SHAPES = [(2_000, 10), (20_000, 10), (20_000, 60), (300_000, 50), (100_000, 200), (50_000, 500)]
QUICK = SHAPES[:4]
#: At a condition number of 10 alone: gelsd takes half a minute on it.
LARGEST = (50_000, 1000)
CONDITIONS = [1e1, 1e10]
OURS = ["auto", "chol", "pne", "sap", "spir", "lapack"]
SPARSE = ["auto", "chol", "sap", "spir"]


class Gelsd:
    """SciPy's lstsq on centred data: the LAPACK driver, at LAPACK's own tolerance."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Gelsd:
        """Fit, as LinearRegression does but without its cut of small singular values."""
        mean = X.mean(axis=0)
        self.coef_ = scipy.linalg.lstsq(X - mean, y - y.mean(), lapack_driver="gelsd")[0]
        self.intercept_ = y.mean() - mean @ self.coef_
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Predict."""
        return X @ self.coef_ + self.intercept_


def make_data(n: int, d: int, condition: float, noise: float = 1e-4, seed: int = 0):
    """Return X of known condition, y, and the norm of the best residual."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * np.logspace(0, -np.log10(condition), d)
    X = X @ np.linalg.qr(rng.standard_normal((d, d)))[0] + rng.standard_normal(d)
    basis = scipy.linalg.qr(X - X.mean(axis=0), mode="economic")[0]
    residual = rng.standard_normal(n)
    for _ in range(2):
        residual -= residual.mean()
        residual -= basis @ (basis.T @ residual)
    fit = X @ rng.standard_normal(d)
    residual *= noise * np.linalg.norm(fit - fit.mean()) / np.linalg.norm(residual)
    return X, fit + residual, float(np.linalg.norm(residual))


def make_sparse(n: int = 400_000, d: int = 300, seed: int = 0):
    """Return CSR data whose columns come in nearly equal pairs (condition number 1e6), and y."""
    rng = np.random.default_rng(seed)
    A = sp.random_array((n, d // 2), density=0.04, format="csc", rng=rng)
    A.data -= 0.5
    B = A.copy()
    B.data = A.data + np.repeat(10 ** -np.linspace(0, 6, d // 2), np.diff(A.indptr)) * (
        rng.standard_normal(A.nnz)
    )
    X = sp.hstack([A, B], format="csr")
    return sp.csr_array(X), X @ rng.standard_normal(d) + 1e-3 * rng.standard_normal(n)


def measure(models: dict, X, y, repeats: int) -> dict[str, float]:
    """Fit all models in turn, `repeats` times after a warm-up; return median CPU seconds."""
    times: dict[str, list[float]] = {name: [] for name in models}
    for repeat in range(repeats + 1):
        for name, model in models.items():
            start = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(X, y)
            if repeat > 0:
                times[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def ours(names: list[str], **params) -> dict:
    """Return one estimator a solver."""
    return {
        name: SketchedRegressor(solver=name, n_jobs=1, random_state=0, **params) for name in names
    }


def race(case: str, models: dict, X, y, best: float | None, repeats: int) -> list[dict]:
    """Return a row for every contestant on one data set; `best` is the least residual if known."""
    seconds = measure(models, X, y, repeats)
    residual = {name: float(np.linalg.norm(y - model.predict(X))) for name, model in models.items()}
    best = min(residual.values()) if best is None else best
    peers = [name for name, model in models.items() if not isinstance(model, SketchedRegressor)]
    return [
        {
            "case": case,
            "solver": name,
            "seconds": seconds[name],
            **{f"over {peer}": seconds[peer] / seconds[name] for peer in peers},
            "excess_residual": residual[name] / best - 1,
            "backward_error": getattr(model, "backward_error_", None),
            "path": getattr(model, "solver_path_", None),
            "passes": getattr(model, "n_passes_", None),
            "converged": getattr(model, "converged_", None),
        }
        for name, model in models.items()
    ]


def cases(quick: bool):
    """Yield name, contestants, X, y and the least residual."""
    for n, d in QUICK if quick else SHAPES:
        for condition in CONDITIONS:
            X, y, best = make_data(n, d, condition)
            peers = {"LinearRegression": LinearRegression(), "gelsd": Gelsd()}
            yield f"{n} x {d}, {condition:.0e}", peers | ours(OURS), X, y, best
    if not quick:
        n, d = LARGEST
        X, y, best = make_data(n, d, 1e1)
        some = {"LinearRegression": LinearRegression()} | ours(["auto", "chol"])
        yield f"{n} x {d}, {1e1:.0e}", some, X, y, best
    n, d = (20_000, 60) if quick else (100_000, 100)
    X, y, best = make_data(n, d, 1e1)
    peers = {"LinearRegression": LinearRegression(), "gelsd": Gelsd()}
    yield f"{n} x {d}, Fortran order", peers | ours(OURS), np.asfortranarray(X), y, best
    # In single precision the data are other data: the least residual is not known.
    X, y = X.astype(np.float32), y.astype(np.float32)
    yield f"{n} x {d}, float32", peers | ours(OURS), X, y, None
    X, y, best = make_data(n, d, 1e1)
    peers = {name: Ridge(alpha=1.0, solver=name) for name in ("cholesky", "svd")}
    yield f"{n} x {d}, ridge", peers | ours(OURS, alpha=1.0), X, y, None
    X, y = make_sparse(*((40_000, 100) if quick else ()))
    peers = {"LinearRegression": LinearRegression(tol=1e-12)}
    yield f"sparse {X.shape[0]} x {X.shape[1]}, 1e+06", peers | ours(SPARSE), X, y, None


def peak_memory(solver: str, n: int = 200_000, d: int = 100) -> float:
    """Return the memory that a fit adds in a fresh process, in multiples of the data; Linux."""
    # Not getrusage: its maximum goes back to before exec, to the memory of the parent.
    code = (
        "import numpy as np\n"
        "from skrand import SketchedRegressor\n"
        "def peak():\n"
        "    lines = open('/proc/self/status').read().splitlines()\n"
        "    return next(int(line.split()[1]) for line in lines if line.startswith('VmHWM'))\n"
        f"X = np.random.default_rng(0).standard_normal(({n}, {d}))\n"
        "X += 1\n"
        "y = X.sum(axis=1)\n"
        f"model = SketchedRegressor(solver={solver!r}, n_jobs=1, random_state=0)\n"
        "model.fit(X[:2000], y[:2000])\n"
        "before = peak()\n"
        "model.fit(X, y)\n"
        "print(1024 * (peak() - before) / X.nbytes)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(run.stdout)


def main() -> None:
    """Run the grid and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the smaller shapes only")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    for case in cases(arguments.quick):
        print(f"\n{case[0]}")
        for row in race(*case, arguments.repeats):
            rows.append(row)
            ratios = [f"{value:6.2f}x {key}" for key, value in row.items() if "over " in key]
            backward = row["backward_error"]
            print(
                f"  {row['solver']:<17}{', '.join(ratios)}, excess {row['excess_residual']:.1e}"
                f"{'' if backward is None else f', backward {backward:.1e}'}"
                f"  {' > '.join(row['path'] or [])}"
                f"{'' if row['converged'] in (None, True) else '  NOT CONVERGED'}",
                flush=True,
            )
    auto = [row for row in rows if row["solver"] == "auto"]
    print()
    for key in ("over LinearRegression", "over gelsd"):
        known = [row for row in auto if key in row]
        worst, best = (pick(known, key=lambda row: row[key]) for pick in (min, max))
        print(
            f"auto {key}: worst {worst[key]:.2f}x at {worst['case']}, "
            f"best {best[key]:.2f}x at {best['case']}"
        )
    slowest = {}
    for row in auto:
        rivals = [r for r in rows if r["case"] == row["case"] and r["converged"]]
        slowest[row["case"]] = row["seconds"] / min(r["seconds"] for r in rivals)
    case = max(slowest, key=slowest.get)
    print(f"auto takes at most {slowest[case]:.2f} of the time of the best solver, at {case}")
    memory = {solver: peak_memory(solver) for solver in OURS}
    print("memory added by a fit, in multiples of the data:", end="")
    print("".join(f"  {solver} {share:.2f}" for solver, share in memory.items()))
    if arguments.json:
        result = {"rows": rows, "memory": memory}
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
