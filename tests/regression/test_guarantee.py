"""Guarantees of sketched answers, held against exact ones over many seeds."""

import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn.exceptions import ConvergenceWarning

from skrand import SketchedRegressor
from skrand.exceptions import (
    IncompatibleSolverError,
    InvalidParameterError,
    RankWarning,
    SketchQualityWarning,
)
from skrand.linalg import SRHT, CountSketch, SparseSign
from skrand.regression import LeastSquares
from skrand.regression.guarantee import rows_for_linf, rows_for_residual
from skrand.regression.solvers import SketchAndSolve

N, D = 3000, 12
FAMILIES = ["gaussian", "rademacher", "srht", "sparse-sign"]


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    # A few rows matter far more than the others, and columns differ in scale and are correlated.
    A = rng.standard_normal((N, D)) * rng.standard_t(2, (N, 1))
    A = A @ (np.eye(D) + 0.5 * rng.standard_normal((D, D))) * np.logspace(0, 4, D)
    b = A @ (rng.standard_normal((D, 1)) / np.logspace(0, 4, D)[:, None])
    return LeastSquares(A=A, b=b + 10 * rng.standard_normal((N, 1)))


@pytest.fixture(scope="module")
def exact(problem):
    scale = np.linalg.norm(problem.A, axis=0)
    x = np.linalg.lstsq(problem.A / scale, problem.b)[0] / scale[:, None]
    return x, np.linalg.norm(problem.b - problem.A @ x)


def at_most(share, n):
    """Return a count that a binomial variable of this mean exceeds once in 10,000 times."""
    return stats.binom.isf(1e-4, n, share)


@pytest.mark.parametrize("delta", [0.5, 0.1])
def test_rows_for_the_residual_are_exact_for_normal_entries(problem, exact, delta):
    x, best = exact
    m, n = rows_for_residual(D, 1, 0.3, delta), 300
    excess = []
    for seed in range(n):
        answer = SketchAndSolve(sketch="gaussian", sketch_size=m).solve(problem, rng=seed)
        excess.append((np.linalg.norm(problem.A @ (answer.x - x)) / best) ** 2)
    failures = np.count_nonzero(np.array(excess) > 0.3)
    # Neither more nor fewer than promised: the rule is a law, not a bound.
    assert stats.binomtest(failures, n, delta).pvalue > 1e-4


@pytest.mark.parametrize("sketch", FAMILIES)
def test_residual_guarantee_holds(problem, exact, sketch):
    _, best = exact
    solver = SketchAndSolve(sketch=sketch, guarantee="residual", epsilon=0.25, delta=0.05)
    failures = 0
    for seed in range(100):
        answer = solver.solve(problem, rng=seed)
        failures += np.linalg.norm(problem.b - problem.A @ answer.x) ** 2 > 1.25 * best**2
    assert failures <= at_most(0.05, 100)
    assert answer.extra["sketch_size"] == rows_for_residual(D, 1, 0.25, 0.05) < N / 10


@pytest.mark.parametrize("sketch", ["auto", "gaussian", "srht"])
def test_linf_guarantee_holds(problem, exact, sketch):
    x, best = exact
    bound = 1.5 / np.sqrt(D) * best * np.linalg.norm(np.linalg.pinv(problem.A, rcond=1e-14), 2)
    solver = SketchAndSolve(sketch=sketch, guarantee="linf", epsilon=1.5, delta=0.05)
    answers = [solver.solve(problem, rng=seed) for seed in range(50)]
    assert all(answer.converged for answer in answers)
    assert sum(np.abs(a.x - x).max() > bound for a in answers) <= at_most(0.05, 50)
    assert answers[0].extra["sketch_size"] == rows_for_linf(D, 1, 1.5, 0.05)


@pytest.mark.parametrize("sketch", FAMILIES)
def test_error_bars_cover(problem, exact, sketch):
    x, _ = exact
    hits, ratios, n = [], [], 150
    for seed in range(n):
        answer = SketchAndSolve(sketch=sketch, sketch_size=6.0).solve(problem, rng=seed)
        hits.append(np.abs(answer.x - x).ravel() <= answer.extra["coef_error"][0])
        truth = np.linalg.norm(problem.A @ (answer.x - x))
        ratios.append(answer.extra["error_estimate"][0] / truth)
    hits = np.array(hits)
    # Coefficients of one answer are not independent, so the mean is less certain than it looks.
    assert 0.92 <= hits.mean() <= 0.98
    # Every single coefficient, too.
    assert hits.mean(axis=0).min() >= 0.88
    assert 0.75 < np.quantile(ratios, 0.05) < np.quantile(ratios, 0.95) < 1.35


def test_error_bars_with_intercept_weights_and_targets(problem):
    rng = np.random.default_rng(1)
    X, Y = problem.A, np.column_stack([problem.b, problem.b**2])
    weights = rng.integers(0, 4, N).astype(float)
    whole = SketchedRegressor().fit(X, Y, weights)
    assert whole.coef_error_ is None
    assert whole.sketch_size_ is None
    hits = []
    for seed in range(60):
        model = SketchedRegressor(solver="sketch", random_state=seed).fit(X, Y, weights)
        assert model.coef_error_.shape == model.coef_.shape
        hits.append(np.abs(model.coef_ - whole.coef_) <= model.coef_error_)
    assert 0.90 <= np.mean(hits) <= 0.99


def test_a_sketch_as_large_as_the_data_is_exact(problem):
    model = SketchedRegressor(solver="sketch", sketch_size=N).fit(problem.A, problem.b.ravel())
    assert model.error_estimate_ == 0
    assert not model.coef_error_.any()


def indicators(rows):
    """Return data of which every column lives on two rows, which CountSketch may cancel."""
    rng = np.random.default_rng(2)
    X = np.zeros((rows, 40))
    for part in (slice(0, 40), slice(40, 80)):
        X[part] = np.diag(rng.uniform(1, 2, 40))
    return X, rng.standard_normal(rows)


def test_lost_directions_are_reported_and_sketched_again():
    X, y = indicators(2000)
    outcomes = set()
    for seed in range(20):
        model = SketchedRegressor(
            solver="sketch",
            sketch="countsketch",
            sketch_size=400,
            fit_intercept=False,
            random_state=seed,
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(X, y)
        kinds = {w.category for w in caught}
        text = " ".join(str(w.message) for w in caught)
        if not kinds:
            assert model.sketch_size_ == 400
            outcomes.add("held")
            continue
        assert SketchQualityWarning in kinds
        assert "A sketch of 400 rows lost directions" in text
        assert model.sketch_size_ == 800
        if model.converged_:
            assert "Another of 800 rows did not, and gave the answer" in text
            best = SketchedRegressor(fit_intercept=False).fit(X, y).objective_
            assert model.objective_ < 1.5 * best
        else:
            assert ConvergenceWarning in kinds
            assert "Another of 800 rows lost some too" in text
        outcomes.add(model.converged_)
    assert True in outcomes


def test_sketches_with_many_entries_keep_all_directions():
    X, y = indicators(2000)
    for sketch in ("sparse-sign", "srht", "gaussian"):
        for seed in range(10):
            SketchedRegressor(solver="sketch", sketch=sketch, random_state=seed).fit(X, y)


def test_rank_deficient_data_are_no_fault_of_the_sketch(problem):
    X = np.column_stack([problem.A, problem.A[:, 0], np.ones(N)])
    with pytest.warns(RankWarning) as caught:
        model = SketchedRegressor(solver="sketch", random_state=0).fit(X, problem.b.ravel())
    assert {w.category for w in caught} == {RankWarning}
    assert model.rank_ == D


def test_given_operators_are_not_replaced():
    X, y = indicators(2000)
    operator = CountSketch(45, random_state=0)
    model = SketchedRegressor(solver="sketch", sketch=operator, fit_intercept=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    texts = {w.category: str(w.message) for w in caught}
    assert texts.keys() == {SketchQualityWarning, ConvergenceWarning, RankWarning}
    assert "A sketch of 45 rows lost" in texts[SketchQualityWarning]
    assert "It was given, so no other was tried" in texts[SketchQualityWarning]
    assert "lost directions" in texts[ConvergenceWarning]
    assert not model.converged_


def test_missed_guarantees_are_reported_and_auto_goes_on():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((60_000, 150))
    y = X[:, 0] + rng.standard_normal(60_000)
    wish = {"guarantee": "residual", "epsilon": 0.5, "delta": 0.9}
    best = SketchedRegressor().fit(X, y).objective_
    missed = None
    for seed in range(5):
        model = SketchedRegressor(solver="sketch", random_state=seed, **wish)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(X, y)
        assert model.converged_ == (not caught)
        # The estimate that decides is good to some ten per cent here.
        if abs(model.objective_ / best - 1.5) > 0.1:
            assert model.converged_ == (model.objective_ < 1.5 * best)
        if not model.converged_:
            missed = seed
            assert caught[0].category is ConvergenceWarning
            assert "could not be verified: epsilon is about" in str(caught[0].message)
    assert missed is not None
    model = SketchedRegressor(random_state=missed, **wish).fit(X, y)
    assert model.solver_path_[0] == "sketch"
    assert model.solver_ != "sketch"
    assert model.objective_ == pytest.approx(best)


def test_streams_take_the_rows_of_the_guarantee(problem):
    params = {"solver": "sketch", "random_state": 1, "epsilon": 0.5}
    for guarantee, rule in (("residual", rows_for_residual), ("linf", rows_for_linf)):
        model = SketchedRegressor(guarantee=guarantee, **params)
        model.partial_fit(problem.A, problem.b.ravel())
        assert model.sketch_size_ == min(rule(D, 1, 0.5, 0.01), N)
    whole = SketchedRegressor(guarantee="residual", **params).fit(problem.A, problem.b.ravel())
    np.testing.assert_allclose(whole.coef_error_ > 0, True)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"guarantee": "best"}, InvalidParameterError, "one of .*'exact', 'linf', 'residual'"),
        ({"guarantee": "residual"}, InvalidParameterError, r"'epsilon'.*\(0, 1\]. Got None"),
        ({"guarantee": "residual", "epsilon": 2}, InvalidParameterError, r"\(0, 1\]. Got 2 inst"),
        ({"guarantee": "linf", "epsilon": 0}, InvalidParameterError, r"\(0, inf\). Got 0 instead"),
        ({"epsilon": 0.1}, InvalidParameterError, "None without guarantee='residual' or 'linf'"),
        ({"delta": 1}, InvalidParameterError, r"'delta' parameter .*\(0, 1\). Got 1 instead"),
        (
            {"guarantee": "exact", "solver": "sketch"},
            IncompatibleSolverError,
            r"'sketch' cannot.*for an answer that is verified\. Solvers that can: auto, .*chol",
        ),
        (
            {"guarantee": "linf", "epsilon": 1, "solver": "sketch", "sketch": "sparse-sign"},
            IncompatibleSolverError,
            "needs a dense sketch .*whole error into one coefficient, and sketch is 'sparse-sign'",
        ),
        (
            {"guarantee": "linf", "epsilon": 1, "solver": "sketch", "sketch": SparseSign(99)},
            IncompatibleSolverError,
            "needs a dense sketch .*sketch is SparseSign.99",
        ),
        (
            {"guarantee": "residual", "epsilon": 1, "solver": "sketch", "sketch": "countsketch"},
            IncompatibleSolverError,
            "cannot be given with 'countsketch'.*square of the number of columns",
        ),
        (
            {"guarantee": "residual", "epsilon": 0.1, "solver": "sketch", "sketch_size": 50},
            InvalidParameterError,
            r"'sketch_size'.*None or at least 282 with .*epsilon=0.1 and delta=0.01. Got 50",
        ),
        (
            {"guarantee": "linf", "epsilon": 1, "solver": "sketch", "sketch": SRHT(99)},
            InvalidParameterError,
            "'sketch_size' .*None or at least .* Got 99",
        ),
        ({"guarantee": "linf", "epsilon": 1, "p": 1}, InvalidParameterError, "where p is not 2"),
        ({"solver": "sketch", "sketch_size": 9}, InvalidParameterError, "at least 13, the number"),
    ],
)
def test_bad_guarantees(problem, params, error, message):
    with pytest.raises(error, match=message):
        SketchedRegressor(**params).fit(problem.A, problem.b.ravel())


def test_solvers_that_only_estimate_cannot_give_a_guarantee(problem):
    class Approximate(SketchAndSolve):
        def __init__(self, *, sketch="auto", sketch_size=None, sketch_nnz=8, n_jobs=None):
            super().__init__(sketch=sketch, sketch_size=sketch_size, n_jobs=n_jobs)

    model = SketchedRegressor(solver=Approximate(), guarantee="exact", random_state=0)
    with pytest.warns(ConvergenceWarning, match="guarantee='exact' was asked.*only estimates"):
        model.fit(problem.A, problem.b.ravel())
