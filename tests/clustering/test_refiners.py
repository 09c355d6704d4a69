"""Solvers that improve on labels: none worsens its objective, each repairs what it should."""

import numpy as np
import pytest

from skrand import SubspaceClusterer, make_solver
from skrand.clustering import SubspaceClustering, clustering_accuracy, conditional_coding_rate
from skrand.clustering.coding_rate import membership_of
from skrand.clustering.solvers import MCR2, LaplacianBound, MoLRG
from skrand.datasets import make_union_of_subspaces
from skrand.exceptions import InvalidParameterError

SOLVERS = [MCR2(), MCR2(balance="uniform"), MCR2(temperature=1.0), MoLRG(), LaplacianBound()]


def rough_problem(seed=0, share=0.3, noise=0.1, **options):
    X, y = make_union_of_subspaces(
        240, 20, dims=3, n_clusters=4, noise=noise, random_state=seed, **options
    )
    rng = np.random.default_rng(seed)
    rough = np.where(rng.uniform(size=len(y)) < share, rng.integers(4, size=len(y)), y)
    return SubspaceClustering(X=X, n_clusters=4, subspace_dim=3, initial=rough), y


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_repairs_labels(solver):
    problem, y = rough_problem()
    solution = solver.solve(problem, rng=0)
    assert solution.converged
    assert clustering_accuracy(y, solution.x) == 1
    assert solution.residual < 0.1


@pytest.mark.parametrize("balance", [None, "uniform", [4, 3, 2, 1]])
@pytest.mark.parametrize("temperature", [None, 2.0])
def test_coding_rate_never_rises(balance, temperature):
    problem, _ = rough_problem(share=0.5, noise=0.5)
    solver = MCR2(balance=balance, temperature=temperature, eps2=0.3)
    solution = solver.solve(problem)
    path = np.array(solution.extra["objective_path"])
    assert (np.diff(path) <= 1e-12 * path[:-1]).all()
    assert [state["objective"] for state in solution.history] == list(path[1:])
    P = solution.extra["membership"]
    if balance == "uniform":
        np.testing.assert_allclose(P.sum(axis=0), 60, atol=1e-6)
    elif balance is not None:
        np.testing.assert_allclose(P.sum(axis=0), [96, 72, 48, 24], atol=1e-6)
    elif temperature is None:
        rate = conditional_coding_rate(problem.directions, membership_of(solution.x, 4), 0.3)
        assert path[-1] == pytest.approx(rate)


@pytest.mark.parametrize("temperature", [0.03, 1.0])
@pytest.mark.parametrize("pairwise", [0.0, 5.0, 50.0])
@pytest.mark.parametrize("affine", [False, True])
def test_laplacian_energy_never_rises(temperature, pairwise, affine):
    problem, _ = rough_problem(noise=0.5)
    problem = SubspaceClustering(
        X=problem.X, n_clusters=4, subspace_dim=3, initial=problem.initial, affine=affine
    )
    solver = LaplacianBound(temperature=temperature, pairwise=pairwise, n_neighbors=5)
    path = np.array(solver.solve(problem).extra["energy_path"])
    assert (np.diff(path) <= 1e-10 * np.abs(path[:-1])).all()


def test_neighbours_repair_what_subspaces_cannot():
    """Two arcs in one plane: no subspace tells them apart, their neighbours do."""
    rng = np.random.default_rng(0)
    angle = np.r_[rng.uniform(0, 1, 60), rng.uniform(2, 3, 60)]
    X = np.c_[np.cos(angle), np.sin(angle), 0.01 * rng.normal(size=(120, 2))]
    y = np.repeat([0, 1], 60)
    rough = np.where(rng.uniform(size=120) < 0.2, 1 - y, y)
    problem = SubspaceClustering(X=X, n_clusters=2, subspace_dim=2, initial=rough)
    assert clustering_accuracy(y, LaplacianBound().solve(problem).x) == 1
    assert clustering_accuracy(y, LaplacianBound(pairwise=0).solve(problem).x) < 0.9


@pytest.mark.parametrize("seed", range(3))
def test_coding_rate_needs_no_dimensions(seed):
    """Subspaces of dimension 1 to 6, one point in four mislabelled."""
    dims = range(1, 7)
    X, y = make_union_of_subspaces(
        600, 60, dims=list(dims), n_clusters=6, noise=0.1, random_state=seed
    )
    rng = np.random.default_rng(seed)
    rough = np.where(rng.uniform(size=600) < 0.25, rng.integers(6, size=600), y)
    solution = MCR2().solve(SubspaceClustering(X=X, n_clusters=6, initial=rough))
    assert clustering_accuracy(y, solution.x) == 1
    assert sorted(solution.extra["subspaces"].dims) == list(dims)


def test_refining_in_the_estimator():
    X, y = make_union_of_subspaces(
        400, 30, dims=4, n_clusters=5, shared=3, noise=0.1, random_state=0
    )
    # Solver auto refines by itself.
    params = {"solver": "adssc", "subspace_dim": 4, "random_state": 0}
    plain = SubspaceClusterer(5, **params).fit(X)
    for name in ("mcr2", "molrg"):
        refined = SubspaceClusterer(5, refine=name, **params).fit(X)
        gain = clustering_accuracy(y, refined.labels_) - clustering_accuracy(y, plain.labels_)
        assert gain > 0.1, name
    shares = [2, 1, 1, 1, 1]
    balanced = SubspaceClusterer(5, refine="mcr2", balance=shares, eps2=0.2, random_state=0)
    assert np.bincount(balanced.fit(X).labels_).argmax() == 0


def test_density_comes_with_the_solution():
    problem, y = rough_problem()
    solution = MoLRG(n_init=3).solve(
        SubspaceClustering(X=problem.X, n_clusters=4, subspace_dim=3), rng=0
    )
    model = solution.extra["model"]
    assert clustering_accuracy(y, solution.x) == 1
    assert model.responsibilities(problem.X)[1].mean() == pytest.approx(
        solution.extra["log_likelihood"]
    )
    assert model.sample(10, np.random.default_rng(0))[0].shape == (10, 20)


@pytest.mark.parametrize("balance", ["even", [1, 2], [1, 1, 1, 0], [1, 1, 1, np.nan], object()])
def test_bad_balance(balance):
    problem, _ = rough_problem()
    with pytest.raises(InvalidParameterError, match="'balance' parameter of MCR2 must be None, 'u"):
        MCR2(balance=balance).solve(problem)


@pytest.mark.parametrize("name", ["mcr2", "molrg", "laplacian"])
def test_number_of_clusters_is_needed(name):
    problem, _ = rough_problem()
    solver = make_solver("subspace-clustering", name)
    assert "number of clusters" in solver.supports(SubspaceClustering(X=problem.X))
    # Labels tell it too.
    given = SubspaceClustering(X=problem.X, initial=problem.initial, subspace_dim=3)
    assert len(np.unique(solver.solve(given, rng=0).x)) == 4


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
@pytest.mark.parametrize("rows", [np.zeros((12, 4)), np.ones((12, 4)), np.eye(4)[:3]], ids=len)
def test_degenerate_rows(solver, rows):
    """Rows without a direction, all alike, or one a cluster: labels, and no warning."""
    solution = solver.solve(SubspaceClustering(X=rows, n_clusters=3), rng=0)
    assert solution.x.shape == (len(rows),)
    assert np.isfinite(solution.residual)
