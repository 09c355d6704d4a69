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
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.linalg
from sklearn.linear_model import LinearRegression

from skrand import SketchedRegressor

SHAPES = [(2_000, 10), (20_000, 10), (20_000, 60), (300_000, 50), (100_000, 200), (50_000, 500)]
QUICK = SHAPES[:4]
CONDITIONS = [1e1, 1e10]
OURS = ["auto", "chol", "pne", "sap", "lapack"]


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


def race(n: int, d: int, condition: float, repeats: int) -> list[dict]:
    """Return a row for every contestant on one data set."""
    X, y, best = make_data(n, d, condition)
    models = {"LinearRegression": LinearRegression(), "scipy gelsd": Gelsd()}
    models |= {name: SketchedRegressor(solver=name, n_jobs=1, random_state=0) for name in OURS}
    times: dict[str, list[float]] = {name: [] for name in models}
    for repeat in range(repeats + 1):
        for name, model in models.items():
            start = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(X, y)
            if repeat > 0:  # the first is a warm-up
                times[name].append(time.process_time() - start)
    seconds = {name: statistics.median(values) for name, values in times.items()}
    return [
        {
            "n": n,
            "d": d,
            "condition": condition,
            "solver": name,
            "seconds": seconds[name],
            "over_linear_regression": seconds["LinearRegression"] / seconds[name],
            "over_gelsd": seconds["scipy gelsd"] / seconds[name],
            "excess_residual": float(np.linalg.norm(y - model.predict(X))) / best - 1,
            "backward_error": getattr(model, "backward_error_", None),
            "path": getattr(model, "solver_path_", None),
            "converged": getattr(model, "converged_", None),
        }
        for name, model in models.items()
    ]


def main() -> None:
    """Run the grid and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the smaller shapes only")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    print(f"{'n x d':>14} {'cond':>6}  {'solver':<17}{'vs LinReg':>10}{'vs gelsd':>10}", end="")
    print(f"{'excess':>10}{'backward':>10}  path")
    for n, d in QUICK if arguments.quick else SHAPES:
        for condition in CONDITIONS:
            for row in race(n, d, condition, arguments.repeats):
                rows.append(row)
                backward = row["backward_error"]
                print(
                    f"{f'{n} x {d}':>14} {condition:>6.0e}  {row['solver']:<17}"
                    f"{row['over_linear_regression']:>9.2f}x{row['over_gelsd']:>9.2f}x"
                    f"{row['excess_residual']:>10.1e}"
                    f"{'' if backward is None else f'{backward:.1e}':>10}"
                    f"  {' > '.join(row['path'] or [])}"
                    f"{'' if row['converged'] in (None, True) else '  NOT CONVERGED'}",
                    flush=True,
                )
    auto = [row for row in rows if row["solver"] == "auto"]
    for key in ("over_linear_regression", "over_gelsd"):
        worst, best = (pick(auto, key=lambda row: row[key]) for pick in (min, max))
        print(
            f"auto, {key.replace('_', ' ')}: worst {worst[key]:.2f}x at {worst['n']} x {worst['d']}"
            f", best {best[key]:.2f}x at {best['n']} x {best['d']}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
