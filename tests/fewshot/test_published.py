"""The published methods: their fixed points, what they suppose, and the Gaussian head."""

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import multivariate_normal
from sklearn.datasets import load_digits

from skrand import TransductiveFewShot
from skrand.fewshot import NormalInverseWishart, TransductiveLabelling
from skrand.fewshot.rules import probabilities
from skrand.fewshot.solvers import (
    BDCSPN,
    NIW,
    PTMAP,
    TIM,
    AlphaTIM,
    LaplacianShot,
    Paddle,
    Prototype,
)

ALL = [AlphaTIM, BDCSPN, LaplacianShot, NIW, PTMAP, Paddle, Prototype, TIM]


def episode(seed, counts=(15,) * 5, shots=1, ways=5):
    """Return an episode of digits and the classes of its queries."""
    X, digit = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    support, queries = [], []
    for c, count in zip(rng.permutation(10)[:ways], counts, strict=True):
        order = rng.permutation(np.flatnonzero(digit == c))
        support.append(order[:shots])
        queries.append(order[shots : shots + count])
    rows = np.concatenate(support + queries)
    truth = np.repeat(np.arange(ways), [len(q) for q in queries])
    F = X[rows] - X[rows].mean(axis=0)
    F /= np.linalg.norm(F, axis=1, keepdims=True)
    y = np.concatenate([np.repeat(np.arange(ways), shots), np.full(len(truth), -1)])
    return TransductiveLabelling(X=F, y=y, n_classes=ways), truth


def accuracy(solver, counts, n=30):
    right = []
    for seed in range(n):
        problem, truth = episode(seed, counts)
        Z = solver.solve(problem).x[problem.queries]
        right.append(np.mean(Z.argmax(axis=1) == truth))
    return np.mean(right)


@pytest.mark.parametrize("solver", [BDCSPN, LaplacianShot, PTMAP, Paddle, TIM])
def test_balanced_queries_help(solver):
    assert accuracy(solver(), (15,) * 5) > accuracy(Prototype(), (15,) * 5) + 0.03


@pytest.mark.parametrize("solver", [PTMAP, TIM])
def test_methods_that_suppose_balance_fall_below_the_prototype_without_it(solver):
    counts = (45, 15, 9, 4, 2)
    assert accuracy(solver(), counts) < accuracy(Prototype(), counts) - 0.05


@pytest.mark.parametrize("solver", ALL)
def test_the_rule_left_behind_agrees_with_the_batch(solver):
    problem, _ = episode(1, shots=5)
    solution = solver().solve(problem)
    P = probabilities(solution.extra["rule"], problem.X[problem.queries])
    same = P.argmax(axis=1) == solution.x[problem.queries].argmax(axis=1)
    assert same.mean() >= 0.95


def test_pt_map_masses_are_equal_and_its_prototypes_a_fixed_point():
    problem, _ = episode(2)
    solution = PTMAP(rate=1.0, max_iter=2000, tol=1e-10).solve(problem)
    Z = solution.x
    np.testing.assert_allclose(Z[problem.queries].sum(axis=0), 15, rtol=1e-5)
    means = (Z.T @ problem.X) / Z.sum(axis=0)[:, None]
    np.testing.assert_allclose(solution.extra["prototypes"], means, atol=1e-6)


def test_paddle_fixed_point():
    problem, _ = episode(3)
    solution = Paddle(temperature=0.2, tol=1e-11, max_iter=5000).solve(problem)
    Z, M, q = solution.x, solution.extra["prototypes"], problem.queries
    np.testing.assert_allclose(M, (Z.T @ problem.X) / Z.sum(axis=0)[:, None], atol=1e-8)
    D = ((problem.X[q][:, None] - M) ** 2).sum(axis=2)
    share = Z[q].mean(axis=0)
    np.testing.assert_allclose(Z[q], softmax(np.log(share) - D / 0.2, axis=1), atol=1e-7)


def test_laplacian_shot_fixed_point():
    problem, _ = episode(4)
    solution = LaplacianShot(rectify=False, laplacian=0.3, tol=1e-12, max_iter=5000).solve(problem)
    q = problem.queries
    Q = problem.X[q]
    D = ((Q[:, None] - Q) ** 2).sum(axis=2)
    np.fill_diagonal(D, np.inf)
    W = np.zeros((75, 75))
    W[np.arange(75)[:, None], np.argsort(D, axis=1)[:, :3]] = 1.0
    unary = ((Q[:, None] - problem.means) ** 2).sum(axis=2)
    expected = softmax(-unary + 0.3 * W @ solution.x[q], axis=1)
    np.testing.assert_allclose(solution.x[q], expected, atol=1e-9)


def _information(problem, M, alpha, T, supervision):
    """Return what alpha-TIM minimises."""
    S, Q = problem.X[problem.support], problem.X[problem.queries]
    p = softmax(-((Q[:, None] - M) ** 2).sum(axis=2) / T, axis=1)
    known = softmax(-((S[:, None] - M) ** 2).sum(axis=2) / T, axis=1)
    own = known[np.arange(len(S)), problem.y[problem.support]]
    conditional = np.mean((1 - (p**alpha).sum(axis=1)) / (alpha - 1))
    marginal = (1 - (p.mean(axis=0) ** alpha).sum()) / (alpha - 1)
    return conditional - marginal - supervision * np.mean(np.log(own))


def test_alpha_tim_descends_its_loss():
    problem, _ = episode(5)
    before = _information(problem, problem.means, 2.0, 0.1333, 1.0)
    after = AlphaTIM(max_iter=200, tol=0.0).solve(problem).extra["prototypes"]
    best = _information(problem, after, 2.0, 0.1333, 1.0)
    assert best < before - 0.05
    # Near a stationary point: a numerical gradient is small.
    rng = np.random.default_rng(0)
    direction = rng.standard_normal(after.shape)
    direction /= np.linalg.norm(direction)
    h = 1e-5
    far = AlphaTIM(max_iter=3000, tol=0.0, step=0.003).solve(problem).extra["prototypes"]
    slope = [
        (
            _information(problem, M + h * direction, 2.0, 0.1333, 1.0)
            - _information(problem, M - h * direction, 2.0, 0.1333, 1.0)
        )
        / (2 * h)
        for M in (problem.means, far)
    ]
    assert abs(slope[1]) < 0.1 * abs(slope[0]) + 1e-3


def test_tim_increases_the_information():
    problem, _ = episode(6)

    def information(M):
        Q = problem.X[problem.queries]
        p = softmax(-((Q[:, None] - M) ** 2).sum(axis=2) / 0.1333, axis=1)
        m = p.mean(axis=0)
        return -(m * np.log(m)).sum() + (p * np.log(p)).sum(axis=1).mean()

    assert information(TIM().solve(problem).extra["prototypes"]) > information(problem.means) + 0.1


# The Normal-Inverse-Wishart head


@pytest.fixture(scope="module")
def base():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((5, 5))
    y = np.repeat(np.arange(40), 12)
    centres = rng.standard_normal((60, 5)) * 2.0
    X = centres[y] + rng.standard_normal((480, 5)) @ A
    return X, y, centres[40:], A, rng


def test_posterior_equals_a_dense_gaussian_computation(base):
    X, y, centres, A, _ = base
    head = NormalInverseWishart(within_shrinkage=0.2, between_shrinkage=0.3).fit(X, y)
    rng = np.random.default_rng(1)
    counts = np.array([1, 2, 4])
    shots = [centres[k] + rng.standard_normal((n, 5)) @ A for k, n in enumerate(counts)]
    T = np.stack([head.project(s).sum(axis=0) for s in shots])
    posterior = head.posterior(counts.astype(float), T)
    new = rng.standard_normal((6, 5))
    logs = posterior.log_likelihood(head.project(new))
    S, B, m0 = head.within_, head.between_, head.mean_
    dense = np.empty((6, 3))
    for k, rows in enumerate(shots):
        precision = np.linalg.inv(B) + len(rows) * np.linalg.inv(S)
        V = np.linalg.inv(precision)
        mean = V @ (np.linalg.solve(B, m0) + np.linalg.solve(S, rows.sum(axis=0)))
        dense[:, k] = multivariate_normal(mean, S + V).logpdf(new)
    np.testing.assert_allclose(softmax(logs, axis=1), softmax(dense, axis=1), rtol=0, atol=1e-10)
    np.testing.assert_allclose(head.projection_.T @ S @ head.projection_, np.eye(5), atol=1e-10)


def test_parts_of_the_base_give_what_all_of_it_gives(base):
    X, y, *_ = base
    whole = NormalInverseWishart().fit(X, y)
    parts = NormalInverseWishart()
    for start in range(0, 40, 8):
        rows = (y >= start) & (y < start + 8)
        parts.partial_fit(X[rows], y[rows])
    for name in ("mean_", "within_", "between_", "ratio_"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-10)
    assert parts.n_classes_seen_ == 40
    assert parts.n_samples_seen_ == 480
    again = parts.fit(X, y)
    assert again.n_classes_seen_ == 40


def test_hierarchy_finds_the_covariances():
    rng = np.random.default_rng(2)
    y = np.repeat(np.arange(3000), 4)
    B, S = np.diag([4.0, 1.0, 0.25]), np.diag([1.0, 0.5, 2.0])
    X = rng.multivariate_normal(np.ones(3), B, 3000)[y]
    X = X + rng.multivariate_normal(np.zeros(3), S, 12_000)
    head = NormalInverseWishart(within_shrinkage=0.0, between_shrinkage=0.0).fit(X, y)
    np.testing.assert_allclose(head.mean_, 1.0, atol=0.15)
    np.testing.assert_allclose(head.within_, S, atol=0.06)
    np.testing.assert_allclose(head.between_, B, atol=0.25)


def test_probabilities_are_calibrated_on_the_base(base):
    X, y, centres, A, _ = base
    head = NormalInverseWishart(within_shrinkage=0.0).fit(X, y).calibrate(X, y)
    # The model is true here, so its own probabilities need little change.
    assert 0.6 < head.factor_ < 1.5
    rng = np.random.default_rng(3)
    truth = np.concatenate([np.arange(20), np.repeat(np.arange(20), 50)])
    rows = centres[truth] + rng.standard_normal((1020, 5)) @ A
    marked = np.r_[truth[:20], np.full(1000, -1)]
    problem = TransductiveLabelling(X=rows, y=marked, n_classes=20)
    P = NIW(head=head, max_iter=1).solve(problem).x[20:]
    confidence, right = P.max(axis=1), P.argmax(axis=1) == truth[20:]
    assert abs(confidence.mean() - right.mean()) < 0.08


def test_niw_solver_learns_from_base_classes():
    rng = np.random.default_rng(4)
    scale = np.r_[np.ones(3), np.full(15, 4.0)]
    spread = np.r_[np.full(3, 2.0), np.full(15, 0.1)]
    y_base = np.repeat(np.arange(40), 15)
    X_base = (rng.standard_normal((40, 18)) * spread)[y_base]
    X_base = X_base + rng.standard_normal((600, 18)) * scale
    right = {"niw": [], "prototype": []}
    for _ in range(10):
        truth = np.concatenate([np.arange(5), np.repeat(np.arange(5), 15)])
        X = (rng.standard_normal((5, 18)) * spread)[truth] + rng.standard_normal((80, 18)) * scale
        y = np.r_[truth[:5], np.full(75, -1)]
        for solver in right:
            params = {"base": (X_base, y_base)} if solver == "niw" else {}
            if solver == "niw":
                solver_ = NIW(within_shrinkage=0.1, between_shrinkage=0.1)
            else:
                solver_ = solver
            model = TransductiveFewShot(solver_, preprocess=None, **params).fit(X, y)
            right[solver].append(np.mean(model.transduction_[5:] == truth[5:]))
    assert np.mean(right["niw"]) > np.mean(right["prototype"]) + 0.15


@pytest.mark.parametrize("head", ["fitted", NormalInverseWishart()])
def test_niw_refuses_what_is_no_fitted_head(head):
    problem, _ = episode(7)
    with pytest.raises(ValueError, match="None or a fitted NormalInverseWishart"):
        NIW(head=head).solve(problem)


def test_niw_errors(base):
    X, y, *_ = base
    problem, _ = episode(8)
    with pytest.raises(ValueError, match="5 features, the rows have 64"):
        NIW(head=NormalInverseWishart().fit(X, y)).solve(problem)
    with pytest.raises(ValueError, match="at least 2 classes and a class with 2 rows"):
        NormalInverseWishart().fit(X[:3], [0, 1, 2])
    with pytest.raises(ValueError, match="4 features, the rows before had 5"):
        NormalInverseWishart().fit(X, y).partial_fit(X[:, :4], y)
    with pytest.raises(ValueError, match="3 labels for the 480 rows"):
        NormalInverseWishart().fit(X, [0, 1, 2])
    with pytest.raises(ValueError, match="'within_shrinkage' parameter"):
        NormalInverseWishart(within_shrinkage=2.0).fit(X, y)
