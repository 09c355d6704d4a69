"""The row pass against SciPy, the exponential against libm, and threads that change nothing."""

import numpy as np
import pytest
from scipy.special import logsumexp

from skrand._ext import transport as kernels
from skrand.transport import EntropicTransport
from skrand.transport.semidual import SemiDual


def make(n=150, m=400, seed=0, d=3):
    rng = np.random.default_rng(seed)
    X, Y = rng.uniform(size=(n, d)), rng.uniform(size=(m, d))
    a, b = rng.uniform(0.5, 1.5, n), rng.uniform(0.5, 1.5, m)
    C = ((X[:, None] - Y) ** 2).sum(axis=2)
    return X, Y, C, a / a.sum(), b / b.sum(), 0.1 * rng.standard_normal(m)


def test_exp_equals_libm():
    t = np.concatenate([np.linspace(-708, 708, 20_011), np.linspace(-1, 1, 20_000), [0.0]])
    out = np.empty_like(t)
    kernels.vector_exp(t, out)
    np.testing.assert_allclose(out, np.exp(t), rtol=1e-15)


@pytest.mark.parametrize("eps", [1.0, 1e-2, 1e-4])
@pytest.mark.parametrize("cut", [-1000.0, -60.0])
def test_row_pass_equals_logsumexp(eps, cut):
    _, _, C, a, b, g = make()
    dual = SemiDual(EntropicTransport(C=C, a=a, b=b, reg=eps))
    f = -eps * logsumexp((g - C) / eps, b=b, axis=1)
    # From zero, where the shift is of no use, and from the answer, where it is perfect.
    for guess in (np.zeros(len(a)), f):
        state = dual.state(g, eps, guess, tau=1e-12, cut=cut)
        np.testing.assert_allclose(state.f, f, rtol=1e-13, atol=1e-13)
        P = a[:, None] * b * np.exp((f[:, None] + g - C) / eps)
        np.testing.assert_allclose(state.c, P.sum(axis=0), rtol=1e-11, atol=1e-16)
        assert state.error == pytest.approx(np.abs(P.sum(axis=0) - b).sum(), rel=1e-12)
        indptr, columns, values, diagonal = state.entries
        Q = P / a[:, None]
        assert len(values) == (Q > 1e-12).sum()
        rows = np.repeat(np.arange(len(a)), np.diff(indptr))
        np.testing.assert_allclose(values, Q[rows, columns], rtol=1e-6)
        gram = Q.T @ (a[:, None] * Q)
        np.testing.assert_allclose(diagonal[: len(b)], gram.diagonal(), rtol=1e-5, atol=1e-15)
        np.testing.assert_allclose(diagonal[len(b) :], gram.sum(axis=1), rtol=1e-5, atol=1e-10)


def test_lazy_and_float32_costs():
    X, Y, C, a, b, g = make()
    stored = SemiDual(EntropicTransport(C=C, a=a, b=b, reg=0.1))
    lazy = SemiDual(EntropicTransport(X=X, Y=Y, a=a, b=b, reg=0.1))
    single = SemiDual(EntropicTransport(C=C.astype(np.float32), a=a, b=b, reg=0.1))
    want = stored.state(g, 0.1, np.zeros(len(a)))
    np.testing.assert_allclose(lazy.state(g, 0.1, np.zeros(len(a))).f, want.f, rtol=1e-13)
    np.testing.assert_allclose(single.state(g, 0.1, np.zeros(len(a))).f, want.f, rtol=1e-6)


@pytest.mark.parametrize("lazy", [True, False])
def test_same_bits_for_any_number_of_threads(lazy):
    X, Y, C, a, b, g = make(n=600, m=700)
    problem = EntropicTransport(C=None if lazy else C, X=X, Y=Y, a=a, b=b, reg=0.01)
    states = [SemiDual(problem, t).state(g, 0.01, np.zeros(len(a)), tau=1e-6) for t in (1, 2, 5)]
    for other in states[1:]:
        assert np.array_equal(states[0].f, other.f)
        assert np.array_equal(states[0].c, other.c)
        for one, two in zip(states[0].entries, other.entries, strict=True):
            assert np.array_equal(one, two)


def test_conjugate_gradients_solve_the_newton_system():
    _, _, C, a, b, g = make(n=30, m=20)
    dual = SemiDual(EntropicTransport(C=C, a=a, b=b, reg=0.1))
    state = dual.state(g, 0.1, np.zeros(len(a)), tau=0.0)
    indptr, columns, values, _ = state.entries
    Q = np.zeros(C.shape)
    Q[np.repeat(np.arange(30), np.diff(indptr)), columns] = values
    S = np.diag(state.c * 1.01) - Q.T @ (a[:, None] * Q)
    x = np.empty(20)
    kernels.conjugate_gradients(
        indptr, columns, values, a, state.c * 1.01, 1 / S.diagonal(), b, x, 1e-13, 500, 1
    )
    np.testing.assert_allclose(x, np.linalg.solve(S, b), rtol=1e-8)
