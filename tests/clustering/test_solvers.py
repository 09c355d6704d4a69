"""Solvers against published examples, scikit-learn and exact optimality conditions."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import ElasticNet, orthogonal_mp

from skrand.clustering import (
    Graph,
    GraphSolver,
    SubspaceClustering,
    clustering_accuracy,
    symmetric_affinity,
)
from skrand.clustering.solvers import (
    ADSSC,
    EKSS,
    KSS,
    LRSC,
    LSR,
    SSC,
    SSCOMP,
    TSC,
    Auto,
    EnSC,
    Sampled,
)
from skrand.clustering.solvers.auto import _graphs
from skrand.clustering.solvers.ensc import elastic_net_representation
from skrand.clustering.solvers.lsr import least_squares_representation
from skrand.clustering.solvers.omp import orthogonal_pursuit
from skrand.clustering.subspaces import Subspaces, unit_rows
from skrand.datasets import make_union_of_subspaces
from skrand.linalg.products import largest_products

SELF_EXPRESSIVE = [LSR(), ADSSC(), EnSC(), SSC(), SSCOMP(n_nonzero=4), TSC(), LRSC()]
OTHERS = [KSS(), EKSS(n_runs=10), Auto(), Sampled(n_samples=400)]


def name(solver):
    return solver.name


def rows(n=120, D=30, seed=0):
    X, _ = make_union_of_subspaces(n, D, dims=4, n_clusters=5, noise=0.3, random_state=seed)
    return unit_rows(X)


@pytest.mark.parametrize("solver", [SSC(), EnSC(), SSCOMP(n_nonzero=3)], ids=name)
def test_six_planes_example(solver):
    """Three lines and planes of the reference implementation's introduction."""
    X = np.array(
        [
            [1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            [1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 1.0, 0.2, 0.0, 0.0, 0.0],
            [0.0, 0.0, 0.2, 1.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 0.0, 1.0, 0.5, 0.0],
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0],
        ]
    ).T
    labels = solver.solve(SubspaceClustering(X=X, n_clusters=3, min_component=0.0), rng=0).x
    np.testing.assert_array_equal(labels, [0, 0, 1, 1, 2, 2, 2])


@pytest.mark.parametrize("solver", [*SELF_EXPRESSIVE, *OTHERS], ids=name)
@pytest.mark.parametrize("seed", [0, 1])
def test_base_case_is_exact(solver, seed):
    X, y = make_union_of_subspaces(900, 100, dims=4, n_clusters=6, noise=0.1, random_state=seed)
    solution = solver.solve(SubspaceClustering(X=X, n_clusters=6), rng=seed)
    assert clustering_accuracy(y, solution.x) == 1.0
    np.testing.assert_array_equal(solution.extra["subspaces"].dims, 4)


@pytest.mark.parametrize("seed", [9, 15, 25])
def test_nearly_parallel_rows_find_their_subspace(seed):
    """Two of them have links to each other, and for the rest to noise."""
    X, y = make_union_of_subspaces(2000, 100, n_clusters=10, noise=0.1, random_state=seed)
    problem = SubspaceClustering(X=X, normalize=True, n_clusters=10)
    assert clustering_accuracy(y, SSCOMP(n_refits=0).solve(problem, rng=0).x) < 1.0
    solution = SSCOMP().solve(problem, rng=0)
    assert clustering_accuracy(y, solution.x) == 1.0
    assert not solution.extra["outliers"].any()
    np.testing.assert_array_equal(solution.extra["subspaces"].dims, 5)


def test_least_squares_coefficients_are_those_of_each_row_alone():
    X, lam = rows(40), 0.7
    C = least_squares_representation(SubspaceClustering(X=X, n_clusters=5), lam, 39).toarray()
    for i in range(40):
        others = np.delete(X, i, axis=0)
        c = np.linalg.solve(others @ others.T + lam * np.eye(39), others @ X[i])
        # C is that of the columns' problem, transposed: the affinity is the same.
        np.testing.assert_allclose(np.delete(C[:, i], i), c, atol=1e-10)


@pytest.mark.parametrize("tall", [True, False])
def test_least_squares_by_either_factor(tall):
    X = rows(60, 30 if tall else 100)
    C = least_squares_representation(SubspaceClustering(X=X, n_clusters=5), 1.0, 59).toarray()
    H = X @ np.linalg.solve(X.T @ X + np.eye(X.shape[1]), X.T)
    expected = H / (1 - np.diag(H))
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(C, expected, atol=1e-10)


def test_pursuit_chooses_what_scikit_learn_does():
    X = rows(150)
    C = orthogonal_pursuit(X, 5, 0.0)
    for i in range(150):
        dictionary = X.T.copy()
        dictionary[:, i] = 0.0
        with np.errstate(all="ignore"):
            expected = orthogonal_mp(dictionary, X[i], n_nonzero_coefs=5)
        np.testing.assert_allclose(C[[i]].toarray()[0], expected, atol=1e-9)


@pytest.mark.parametrize("copies", [3, 12])
def test_pursuit_tells_atoms_apart_that_are_one_in_single_precision(copies):
    rng = np.random.default_rng(0)
    X = np.repeat(rows(40), copies, axis=0)
    X = unit_rows(X + 1e-5 * rng.standard_normal(X.shape))
    C = orthogonal_pursuit(X, 2, 0.0).toarray()
    for i in range(len(X)):
        chosen, residual = [], X[i]
        for _ in range(2):
            products = np.abs(X @ residual)
            products[i] = 0.0
            chosen.append(products.argmax())
            fit = np.linalg.lstsq(X[chosen].T, X[i], rcond=None)[0]
            residual = X[i] - fit @ X[chosen]
        np.testing.assert_array_equal(np.flatnonzero(C[i]), np.sort(chosen))


@pytest.mark.parametrize("tau", [0.5, 0.9, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_elastic_net_is_optimal_among_all_rows(tau, dtype):
    X = rows(200).astype(dtype)
    gamma, tol = 20.0, 1e-3
    result = elastic_net_representation(X, tau, gamma, tol=tol)
    assert result.converged
    C, X = result.coefficients.toarray(), X.astype(np.float64)
    assert not np.diag(C).any()
    G = np.abs(X @ X.T)
    np.fill_diagonal(G, 0)
    alpha = G.max(axis=1) / (tau * gamma)
    delta = (X - C @ X) / alpha[:, None]
    correlation = delta @ X.T
    np.fill_diagonal(correlation, 0)
    off = C == 0
    assert np.abs(correlation[off]).max() <= tau * (1 + 1.1 * tol)
    stationary = tau * np.sign(C) + (1 - tau) * C
    np.testing.assert_allclose(correlation[~off], stationary[~off], atol=tau * tol)
    # scikit-learn's loss is divided by the number of features.
    i, D = 3, X.shape[1]
    others = np.delete(np.arange(200), i)
    peer = ElasticNet(
        alpha=alpha[i] / D, l1_ratio=tau, fit_intercept=False, tol=1e-10, max_iter=100_000
    ).fit(X[others].T, X[i])

    def objective(c):
        fit = ((X[i] - c @ X[others]) ** 2).sum() / (2 * alpha[i])
        return tau * np.abs(c).sum() + (1 - tau) / 2 * (c**2).sum() + fit

    assert objective(C[i, others]) <= objective(peer.coef_) * (1 + 1e-5)


def test_low_rank_coefficients_minimise_the_nuclear_norm_problem():
    X, tau = rows(50), 4.0
    graph = LRSC(tau=tau, n_neighbors=50).graph(
        SubspaceClustering(X=X, n_clusters=5), np.random.default_rng(0), lambda state: False
    )
    U, s, _ = np.linalg.svd(X, full_matrices=False)
    C = (U * np.maximum(1 - 1 / (tau * s**2), 0)) @ U.T

    def objective(C):
        return np.linalg.norm(C, "nuc") + tau / 2 * np.linalg.norm(X - C @ X) ** 2

    rng = np.random.default_rng(0)
    for size in (1e-3, 1e-1):
        assert objective(C) <= objective(C + size * rng.standard_normal(C.shape))
    np.fill_diagonal(C, 0)
    np.testing.assert_allclose(graph.representation.toarray(), C, atol=1e-10)


def test_kss_never_raises_its_objective():
    X, _ = make_union_of_subspaces(300, 30, dims=3, n_clusters=5, noise=0.5, random_state=0)
    labels = np.random.default_rng(0).integers(0, 5, 300)
    previous = np.inf
    for steps in range(1, 8):
        problem = SubspaceClustering(X=X, n_clusters=5, subspace_dim=3, initial=labels)
        solution = KSS(max_iter=steps).solve(problem, rng=0)
        assert solution.residual <= previous * (1 + 1e-12)
        previous = solution.residual


def test_dimensions_in_any_order():
    dims = [1, 2, 4, 6]
    X, y = make_union_of_subspaces(400, 40, dims=dims, n_clusters=4, noise=0.05, random_state=0)
    problem = SubspaceClustering(X=X, n_clusters=4, subspace_dim=(6, 1, 2, 4))
    solution = ADSSC().solve(problem, rng=0)
    assert clustering_accuracy(y, solution.x) == 1.0
    for k, d in enumerate(solution.extra["subspaces"].dims):
        assert dims[np.bincount(y[solution.x == k]).argmax()] == d


def test_largest_dimensions_are_told_by_the_gap():
    dims = list(range(1, 11))
    X, y = make_union_of_subspaces(1000, 100, dims=dims, n_clusters=10, noise=0.1, random_state=0)
    subspaces = Subspaces.fit(X, y, 10)
    np.testing.assert_array_equal(subspaces.dims, dims)


@pytest.mark.parametrize("affine", [False, True])
def test_distances_to_subspaces(affine):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 12)) + 3.0, rng.integers(0, 3, 60)
    subspaces = Subspaces.fit(X, y, 3, (1, 2, 4), affine=affine)
    residuals = subspaces.residuals(X)
    for k, U in enumerate(subspaces.bases):
        np.testing.assert_allclose(U.T @ U, np.eye(U.shape[1]), atol=1e-12)
        centred = X - subspaces.means[k] if affine else X
        outside = centred - centred @ U @ U.T
        np.testing.assert_allclose(residuals[:, k], (outside**2).sum(axis=1), atol=1e-10)
    np.testing.assert_array_equal(subspaces.assign(X), residuals.argmin(axis=1))


@pytest.mark.parametrize("n", [8, 30, 31, 50])
def test_groups_of_any_shape_get_their_leading_directions(n):
    X = np.random.default_rng(0).standard_normal((n, 6)) * 2.0 ** -np.arange(6) @ np.eye(6, 30)
    for rank, rows in ((6, X), (3, X * (np.arange(30) < 3))):
        (U,) = Subspaces.fit(rows, np.zeros(n, dtype=int), 1, 4).bases
        assert np.allclose(U.T @ U, np.eye(4), atol=1e-12)
        wanted = np.linalg.svd(rows)[2][: min(rank, 4)]
        assert np.allclose(np.linalg.norm(wanted @ U, axis=1), 1, atol=1e-12)


def test_auto_tries_graphs_from_few_links_to_many():
    X, _ = make_union_of_subspaces(400, 40, dims=4, n_clusters=4, noise=0.5, random_state=0)
    C = least_squares_representation(SubspaceClustering(X=X), 1.0, 50)
    links = [graph.affinity.nnz / 400 for graph in _graphs(C, np.inf, 1)[0]]
    assert 4 <= links[0] <= 6
    assert 15 < links[-1] <= 30
    assert links == sorted(links)


def test_a_solver_in_ten_lines():
    class NearestDirections(GraphSolver):
        name = "nearest-directions"

        def graph(self, problem, rng, monitor):
            X = problem.directions
            return Graph(symmetric_affinity(largest_products(X, X, 5)))

    X, y = make_union_of_subspaces(200, 40, dims=3, n_clusters=4, random_state=0)
    solution = NearestDirections().solve(SubspaceClustering(X=X, n_clusters=4), rng=0)
    assert clustering_accuracy(y, solution.x) == 1.0
    assert sp.issparse(solution.extra["affinity"])
