"""The way from data through graph and spectrum to subspaces."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize

from skrand.clustering import (
    SubspaceClustering,
    doubly_stochastic_projection,
    spectral_clustering,
)
from skrand.clustering.graph import symmetric_affinity
from skrand.clustering.solvers.lsr import least_squares_representation
from skrand.datasets import make_union_of_subspaces
from skrand.linalg import block_chebyshev_eigsh
from skrand.linalg.products import largest_products


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 5, 3), (700, 1300, 9)])
def test_largest_products(dtype, shape):
    n, m, q = shape
    rng = np.random.default_rng(0)
    A, B = (rng.standard_normal((k, 20)).astype(dtype) for k in (n, m))
    product = A @ B.T
    product[np.arange(n), np.arange(n)] = 0
    kept = np.zeros_like(product)
    top = np.argsort(-np.abs(product), axis=1)[:, :q]
    np.put_along_axis(kept, top, np.take_along_axis(product, top, 1), 1)
    one, two = (largest_products(A, B, q, threads=threads) for threads in (1, 2))
    np.testing.assert_allclose(one.toarray(), kept, atol=1e-5 if dtype == np.float32 else 1e-12)
    assert one.has_sorted_indices
    assert (one != two).nnz == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("q", [1, 7, 60, 600])
@pytest.mark.parametrize("largest", [1, 3, 10**6])
def test_of_equal_products_the_first_stay(dtype, q, largest):
    rng = np.random.default_rng(0)
    A, B = np.ones((9, 1), dtype=dtype), rng.integers(0, largest + 1, (1101, 1)).astype(dtype)
    if largest == 3:
        # Each row sees larger and larger products: all that was kept has to go, again and again.
        B = np.sort(B, axis=0)
    B *= rng.choice([-1, 1], B.shape).astype(dtype)
    found = largest_products(A, B, q)
    for i in range(9):
        product = B[:, 0].copy()
        product[i] = 0
        first = np.argsort(-np.abs(product), kind="stable")[:q]
        first = np.sort(first[product[first] != 0])
        row = slice(*found.indptr[i : i + 2])
        np.testing.assert_array_equal(found.indices[row], first)
        np.testing.assert_array_equal(found.data[row], product[first])


def dense_projection(C, eta):
    """Maximise over all symmetric doubly stochastic matrices by SciPy's SLSQP."""
    n = len(C)
    upper = np.triu_indices(n)

    def full(a):
        A = np.zeros((n, n))
        A[upper] = a
        return A + A.T - np.diag(np.diag(A))

    answer = minimize(
        lambda a: eta / 2 * (full(a) ** 2).sum() - (C * full(a)).sum(),
        np.full(len(upper[0]), 1 / n),
        bounds=[(0, None)] * len(upper[0]),
        constraints={"type": "eq", "fun": lambda a: full(a).sum(axis=1) - 1},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    return full(answer.x)


@pytest.mark.parametrize("eta", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("seed", range(3))
def test_projection_is_that_of_all_pairs(seed, eta):
    rng = np.random.default_rng(seed)
    C = sp.random_array((8, 8), density=0.3, rng=rng)
    C = sp.csr_array(C + C.T)
    C.setdiag(0)
    C.eliminate_zeros()
    result = doubly_stochastic_projection(C, eta)
    A = result.matrix.toarray()
    assert result.converged
    assert (A >= 0).all()
    np.testing.assert_array_equal(A, A.T)
    np.testing.assert_allclose(A.sum(axis=1), 1, atol=1e-6)
    assert result.gap < 1e-6
    np.testing.assert_allclose(A, dense_projection(C.toarray(), eta), atol=2e-5)


def test_projection_with_many_pairs_that_are_not_stored():
    X, _ = make_union_of_subspaces(1500, 50, dims=4, n_clusters=4, noise=0.5, random_state=0)
    C = least_squares_representation(SubspaceClustering(X=X), 1.0, 5)
    C, eta = symmetric_affinity(C) * 0.5, 0.05
    result = doubly_stochastic_projection(C, eta, tol=1e-6)
    assert result.converged
    assert result.n_iter <= 70
    assert result.matrix.nnz > 15 * C.nnz
    a = result.dual
    every = np.maximum(a[:, None] + a + C.toarray(), 0.0) / eta
    np.testing.assert_allclose(result.matrix.toarray(), every, atol=1e-9)


@pytest.mark.parametrize("eta", [0.01, 0.1, 1.0])
def test_projection_does_not_depend_on_where_it_starts(eta):
    C = sp.csr_array(sp.random_array((60, 60), density=0.2, rng=np.random.default_rng(0)))
    C = sp.csr_array(C + C.T)
    cold = doubly_stochastic_projection(C, eta)
    for other in (eta / 3, 3 * eta):
        start = doubly_stochastic_projection(C, other).dual
        before = start.copy()
        warm = doubly_stochastic_projection(C, eta, start=start)
        assert warm.converged
        assert np.array_equal(start, before)
        np.testing.assert_allclose(warm.matrix.toarray(), cold.matrix.toarray(), atol=1e-6)


def perfect_graph(rng, K, m):
    """K components of m points, each a random graph in its own right."""
    blocks = [rng.uniform(size=(m, m)) * (rng.uniform(size=(m, m)) < 0.2) for _ in range(K)]
    blocks = [B + B.T + np.eye(m, k=1) + np.eye(m, k=-1) for B in blocks]
    return sp.block_diag([sp.coo_array(B) for B in blocks], format="csr")


def test_all_of_a_multiple_eigenvalue():
    rng = np.random.default_rng(0)
    V = np.linalg.qr(rng.standard_normal((200, 200)))[0]
    values = np.concatenate([np.ones(12), np.linspace(0.9, -1, 188)])
    A = (V * values) @ V.T
    result = block_chebyshev_eigsh(A, 13, tol=1e-8, rng=0)
    assert result.converged
    np.testing.assert_allclose(result.values, values[:13], atol=1e-9)
    assert (
        np.linalg.norm(V[:, :12] @ (V[:, :12].T @ result.vectors[:, :12]) - result.vectors[:, :12])
        < 1e-6
    )


def test_components_are_the_groups():
    rng = np.random.default_rng(0)
    graph = perfect_graph(rng, 12, 40)
    order = rng.permutation(480)
    found = spectral_clustering(graph[order][:, order], rng=0)
    assert found.embedding.n_clusters == 12
    truth = order // 40
    assert len(set(zip(found.labels.tolist(), truth.tolist(), strict=True))) == 12


def test_small_components_are_set_aside():
    rng = np.random.default_rng(0)
    graph = sp.block_diag([perfect_graph(rng, 4, 50), np.ones((2, 2)), [[1.0]]], format="csr")
    found = spectral_clustering(graph, 4, rng=0)
    np.testing.assert_array_equal(np.flatnonzero(found.labels < 0), [200, 201, 202])
    assert len(set(zip(found.labels[:200].tolist(), np.arange(200) // 50, strict=True))) == 4
