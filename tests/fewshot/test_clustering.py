"""The general objective: against NumPy, k-means and the theory of its bound."""

import numpy as np
import pytest
from scipy.special import softmax, xlogy
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from skrand._ext import fewshot as _kernels
from skrand.fewshot import TransductiveLabelling
from skrand.fewshot import graph as graph_module
from skrand.fewshot import objective as objective_module
from skrand.fewshot.graph import Graph, nearest_others, neighbour_graph
from skrand.fewshot.labels import class_sums
from skrand.fewshot.metrics import SquaredEuclidean
from skrand.fewshot.rules import probabilities
from skrand.fewshot.solvers import Auto, Clustering, Prototype, Spreading


def episode(
    rng, ways=5, shots=1, queries=15, noise=1.0, d=12, dtype=np.float64, concentration=None
):
    """Return an overlapping episode and the classes of its rows."""
    centres = rng.standard_normal((ways, d))
    counts = np.full(ways, queries)
    if concentration:
        counts = rng.multinomial(ways * queries, rng.dirichlet(np.full(ways, concentration)))
    truth = np.concatenate([np.repeat(np.arange(ways), shots), np.repeat(np.arange(ways), counts)])
    X = centres[truth] + noise * rng.standard_normal((len(truth), d))
    X -= X.mean(axis=0)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    y = truth.copy()
    y[ways * shots :] = -1
    order = rng.permutation(len(y))
    problem = TransductiveLabelling(X=X[order].astype(dtype), y=y[order], n_classes=ways)
    return problem, truth[order]


def objective(problem, Z, M, T, coupling, weight, W=None, prior=None, strength=0.0):
    """Return the objective as its docstring has it."""
    X, q, s = problem.X.astype(float), problem.queries, problem.support
    D = ((X[:, None] - M) ** 2).sum(axis=2) / T
    value = (Z[q] * D[q]).sum() + xlogy(Z[q], Z[q]).sum() + weight * (Z[s] * D[s]).sum()
    if W is not None:
        value -= 0.5 * coupling * (W * (Z @ Z.T)).sum()
    if prior is not None:
        mass = Z[q].sum(axis=0)
        value += strength * (mass * np.log(mass / (len(q) * prior))).sum()
    return value


@pytest.mark.parametrize("prior", ["free", "relaxed"])
@pytest.mark.parametrize("laplacian", [0.0, 0.7])
def test_reported_objective_is_that_of_the_answer(laplacian, prior):
    problem, _ = episode(np.random.default_rng(0))
    solver = Clustering(temperature=0.2, laplacian=laplacian, class_prior=prior, prior_strength=0.3)
    solution = solver.solve(problem)
    W = neighbour_graph(problem.X, 5).matrix().toarray()
    expected = objective(
        problem,
        solution.x,
        solution.extra["prototypes"],
        0.2,
        laplacian * 5,
        2.0,
        W if laplacian else None,
        np.full(5, 0.2) if prior == "relaxed" else None,
        0.3,
    )
    assert solution.extra["objective"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("temperature", [1 / 15, 1 / 8, 1.0])
@pytest.mark.parametrize("n_neighbors", [3, 10])
@pytest.mark.parametrize("laplacian", [0.0, 0.7, 5.0])
def test_objective_never_rises(laplacian, n_neighbors, temperature):
    rng = np.random.default_rng(1)
    falls = 0.0
    for k in range(200):
        problem, _ = episode(rng, shots=1 + k % 5, concentration=2.0 if k % 2 else None)
        prior = ["free", "relaxed", "balanced"][k % 3]
        solver = Clustering(
            temperature=temperature,
            laplacian=laplacian,
            n_neighbors=n_neighbors,
            class_prior=prior,
            max_iter=20,
        )
        values = np.array([r["objective"] for r in solver.solve(problem).history])
        steps = np.diff(values)
        # Forced class masses are kept to 1e-10 of the rows, no better.
        slack = 1e-8 if prior == "balanced" else 1e-12
        assert steps.max(initial=0.0) <= slack * np.abs(values).max()
        falls += values[0] - values[-1]
    assert falls > 0


def test_converged_labels_are_a_fixed_point():
    problem, _ = episode(np.random.default_rng(2))
    solution = Clustering(temperature=0.3, tol=1e-10, max_iter=5000).solve(problem)
    assert solution.converged
    M, q = solution.extra["prototypes"], problem.queries
    W = neighbour_graph(problem.X, 5).matrix().toarray()
    D = ((problem.X[:, None] - M) ** 2).sum(axis=2)
    expected = softmax(-D / 0.3 + 3.5 * W @ solution.x, axis=1)[q]
    np.testing.assert_allclose(solution.x[q], expected, atol=1e-8)
    Z = solution.x.copy()
    Z[problem.support] *= 2.0
    np.testing.assert_allclose(M, (Z.T @ problem.X) / Z.sum(axis=0)[:, None], rtol=1e-12)


def test_cold_limit_is_k_means_with_the_support_kept():
    problem, _ = episode(np.random.default_rng(3), shots=3)
    solver = Clustering(temperature=1e-6, laplacian=0.0, support_weight=1.0, tol=0.0, max_iter=30)
    labels = solver.solve(problem).x.argmax(axis=1)
    M = problem.means
    for _ in range(30):
        nearest = ((problem.X[:, None] - M) ** 2).sum(axis=2).argmin(axis=1)
        nearest = np.where(problem.y >= 0, problem.y, nearest)
        M = np.stack([problem.X[nearest == c].mean(axis=0) for c in range(5)])
    assert np.array_equal(labels, nearest)
    # scikit-learn's k-means moves the support, too: from here it may go on, but not up.
    again = KMeans(5, init=M, n_init=1).fit(problem.X)
    assert again.inertia_ <= ((problem.X - M[nearest]) ** 2).sum() + 1e-12


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_priors_bind_as_they_should(dtype):
    problem, _ = episode(np.random.default_rng(4), noise=1.5, concentration=1.0, dtype=dtype)
    masses = {}
    for strength in (1e-6, 0.3, 3.0, 1e8):
        solver = Clustering(class_prior="relaxed", prior_strength=strength, temperature=0.2)
        masses[strength] = solver.solve(problem).x[problem.queries].sum(axis=0)
    free = Clustering(temperature=0.2).solve(problem)
    balanced = Clustering(class_prior="balanced", temperature=0.2).solve(problem)
    mass = balanced.x[problem.queries].sum(axis=0, dtype=np.float64)
    np.testing.assert_allclose(mass, 15.0, rtol=1e-6)
    spread = {s: np.ptp(m) for s, m in masses.items()}
    assert spread[1e-6] > spread[0.3] > spread[3.0] > spread[1e8]
    np.testing.assert_allclose(masses[1e-6], free.x[problem.queries].sum(axis=0), atol=1e-2)
    np.testing.assert_allclose(masses[1e8], mass, atol=1e-2)
    shares = np.array([0.4, 0.3, 0.1, 0.1, 0.1])
    solver = Clustering(class_prior=shares, prior_strength=1e8, temperature=0.2)
    np.testing.assert_allclose(
        solver.solve(problem).x[problem.queries].sum(axis=0), 75 * shares, rtol=1e-3
    )


def test_kullback_leibler_metric_against_numpy():
    rng = np.random.default_rng(5)
    truth = np.repeat(np.arange(3), 12)
    X = rng.dirichlet(np.ones(6), 3)[truth] * 8 + 0.5
    X = np.stack([rng.dirichlet(row) for row in X])
    y = np.where(np.arange(36) % 12 < 2, truth, -1)
    problem = TransductiveLabelling(X=X, y=y, n_classes=3)
    solver = Clustering(
        metric="kullback-leibler", temperature=0.5, laplacian=0.0, tol=1e-12, max_iter=2000
    )
    solution = solver.solve(problem)
    M = solution.extra["prototypes"]
    D = xlogy(X, X).sum(axis=1)[:, None] - X @ np.log(M).T
    np.testing.assert_allclose(solution.x[y < 0], softmax(-D / 0.5, axis=1)[y < 0], atol=1e-10)
    value = (solution.x[y < 0] * D[y < 0] / 0.5).sum() + xlogy(solution.x, solution.x).sum()
    value += 2 * (solution.x[y >= 0] * D[y >= 0] / 0.5).sum()
    assert solution.extra["objective"] == pytest.approx(value, rel=1e-9)
    with pytest.raises(ValueError, match="without negative entries"):
        solver.solve(TransductiveLabelling(X=X - 0.5, y=y, n_classes=3))
    with pytest.raises(ValueError, match="of sum 1"):
        solver.solve(TransductiveLabelling(X=2 * X, y=y, n_classes=3))


def test_mahalanobis_metric_uses_the_base_classes():
    rng = np.random.default_rng(6)
    # Classes differ along the first axis only; the second is noise, ten times as large.
    spread = np.array([0.3, 8.0])
    truth = np.repeat([0, 1], 30)
    X = np.c_[truth * 2.0, np.zeros(60)] + spread * rng.standard_normal((60, 2))
    y = np.where(np.arange(60) % 30 < 2, truth, -1)
    y_base = np.repeat(np.arange(5), 40)
    X_base = 4 * rng.standard_normal((5, 2))[y_base] + spread * rng.standard_normal((200, 2))
    problem = TransductiveLabelling(X=X, y=y, n_classes=2, X_base=X_base, y_base=y_base)
    right = {
        metric: np.mean(
            Clustering(metric=metric, laplacian=0.0).solve(problem).x.argmax(axis=1) == truth
        )
        for metric in ("sqeuclidean", "mahalanobis")
    }
    assert right["mahalanobis"] > 0.95 > right["sqeuclidean"]


def test_order_of_rows_and_classes_does_not_matter():
    problem, _ = episode(np.random.default_rng(7))
    rng = np.random.default_rng(8)
    rows, classes = rng.permutation(len(problem.y)), rng.permutation(5)
    y = np.where(problem.y >= 0, classes[problem.y], -1)
    other = TransductiveLabelling(X=problem.X[rows], y=y[rows], n_classes=5)
    for solver in (Auto(), Clustering(), Prototype(), Spreading()):
        one, two = solver.solve(problem).x, solver.solve(other).x
        np.testing.assert_allclose(two[:, classes], one[rows], atol=1e-9)


@pytest.mark.parametrize("prior", ["free", "balanced"])
def test_rows_sorted_by_class_give_the_same_answer(monkeypatch, prior):
    problem, _ = episode(np.random.default_rng(3), ways=7, shots=2, queries=500, noise=1.5)
    solver, seen = Clustering(temperature=0.2, class_prior=prior, tol=1e-6), []
    plain = solver.solve(problem)
    monkeypatch.setattr(objective_module, "CACHED", 0)
    one, two = (
        clone(solver)
        .set_params(n_jobs=jobs)
        .solve(problem, callback=lambda record: seen.append(record["x"]()))
        for jobs in (1, 2)
    )
    assert one.n_iter == plain.n_iter
    np.testing.assert_allclose(one.x, plain.x, atol=1e-9)
    np.testing.assert_allclose(one.extra["disagreement"], plain.extra["disagreement"], rtol=1e-9)
    np.testing.assert_array_equal(seen[one.n_iter - 1], one.x)
    np.testing.assert_array_equal(two.x, one.x)
    new = [probabilities(a.extra["rule"], problem.X[::50] + 0.01) for a in (plain, one)]
    np.testing.assert_allclose(*new, atol=1e-9)


def test_sorted_rows_have_their_neighbours_near_them(monkeypatch):
    problem, _ = episode(np.random.default_rng(3), ways=7, shots=2, queries=500, noise=0.3)
    monkeypatch.setattr(objective_module, "CACHED", 0)
    labelling = objective_module.Labelling(problem, problem.graph(5), 1.0)
    labelling.assign(*SquaredEuclidean(problem).scores(problem.means), 10.0, linked=False)

    def distance():
        indptr, indices, _ = labelling.links
        return np.abs(np.repeat(np.arange(len(problem.X)), np.diff(indptr)) - indices).mean()

    before, Z = distance(), labelling.Z.copy()
    labelling.sort_by_class()
    assert distance() < 0.3 * before
    np.testing.assert_array_equal(labelling.answer(), Z)
    np.testing.assert_array_equal(labelling.last_answer(), Z)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_threads_change_no_bit(dtype):
    problem, _ = episode(np.random.default_rng(9), queries=1200, dtype=dtype)
    for solver in (Clustering(), Clustering(class_prior="balanced"), Auto()):
        one, two = (solver.set_params(max_iter=3, n_jobs=jobs).solve(problem) for jobs in (1, 2))
        assert one.x.tobytes() == two.x.tobytes()
        assert one.history == two.history


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("k", [3, 16, 37])
def test_where_a_row_lies_changes_no_bit(k, dtype):
    rng = np.random.default_rng(14)
    rows = rng.dirichlet(np.ones(k), 5).astype(dtype)
    answers = []
    for shift in range(9):
        room = np.empty(rows.size + shift, dtype)
        Z = room[shift:].reshape(rows.shape)
        Z[:] = rows
        moved = _kernels.assign(
            4 * rows[::-1].copy(),
            1.5,
            np.zeros(k, dtype),
            np.full(5, -1, np.int32),
            *(None, None, None),
            0.0,
            Z,
            Z,
            0,
            None,
        )
        answers.append((Z.tobytes(), moved, _kernels.entropy(Z)))
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize(("dtype", "tol"), [(np.float64, 1e-14), (np.float32, 5e-6)])
def test_sweep_is_the_damped_softmax(dtype, tol):
    rng = np.random.default_rng(15)
    n, k, c = 40, 21, 2.5
    old = rng.dirichlet(np.full(k, 0.05), n).astype(dtype)
    scores = 20 * rng.standard_normal((n, k)).astype(dtype)
    W = (rng.random((n, n)) < 0.1).astype(dtype)
    graph = Graph(
        np.concatenate([[0], np.cumsum(W.sum(axis=1))]).astype(np.int64),
        np.nonzero(W)[1].astype(np.int32),
        np.full(int(W.sum()), 1.7, dtype),
    )
    offset = rng.standard_normal(k).astype(dtype)
    out, sums = np.empty_like(old), np.empty(k)
    labels = np.full(n, -1, np.int32)
    moved = _kernels.assign(scores, 0.7, offset, labels, *graph, c, old, out, 0, sums)
    z = old.astype(np.float64)
    logits = 0.7 * scores.astype(np.float64) + offset + 1.7 * W @ z + c * np.log(z + 1e-30)
    expected = softmax(logits / (1 + c), axis=1)
    np.testing.assert_allclose(out, expected, atol=tol)
    np.testing.assert_allclose(sums, expected.sum(axis=0), atol=n * tol)
    assert moved == pytest.approx(np.maximum(expected - z, 0).sum(), abs=n * tol)
    value = float(xlogy(expected, expected).sum())
    assert _kernels.entropy(expected.astype(dtype)) == pytest.approx(value, abs=n * tol)


@pytest.mark.parametrize("n", [30, 5000])
def test_class_sums_are_those_of_a_loop(n):
    rng = np.random.default_rng(15)
    X, codes = rng.standard_normal((n, 3)).astype(np.float32), rng.integers(4, size=n)
    expected = [X[codes == k].sum(axis=0, dtype=np.float64) for k in range(5)]
    np.testing.assert_allclose(class_sums(X, codes, 5), expected, rtol=0, atol=1e-12 * n)


@pytest.mark.parametrize("wrong", [-2, 3])
def test_problem_refuses_classes_that_it_does_not_have(wrong):
    with pytest.raises(ValueError, match=r"y must hold classes from 0 to 2, and -1 .* Got -?\d"):
        TransductiveLabelling(X=np.eye(5), y=np.array([0, 1, 2, -1, wrong]), n_classes=3)


def test_graph_is_symmetric_normalised_and_right():
    X = np.random.default_rng(10).standard_normal((60, 4))
    W = neighbour_graph(X, 4).matrix().toarray()
    D = ((X[:, None] - X) ** 2).sum(axis=2)
    np.fill_diagonal(D, np.inf)
    A = np.zeros((60, 60))
    A[np.arange(60)[:, None], np.argsort(D, axis=1)[:, :4]] = 1.0
    A = A + A.T
    root = np.sqrt(A.sum(axis=1))
    np.testing.assert_allclose(W, A / root / root[:, None], atol=1e-12)
    assert np.linalg.eigvalsh(W).min() >= -1 - 1e-12


def test_large_and_small_graphs_agree(monkeypatch):
    X = np.random.default_rng(11).standard_normal((300, 12))
    small = neighbour_graph(X, 5).matrix().toarray()
    monkeypatch.setattr("skrand.fewshot.graph.DENSE", 100)
    np.testing.assert_allclose(neighbour_graph(X, 5).matrix().toarray(), small, atol=1e-12)


@pytest.mark.parametrize("package", ["pynndescent", "hnswlib"])
def test_approximate_search_finds_nearly_all_neighbours(monkeypatch, package):
    pytest.importorskip(package)
    monkeypatch.setattr(graph_module, "find_spec", lambda name: name == package)
    X, k = load_digits().data, 4
    exact = nearest_others(X, k)
    monkeypatch.setattr(graph_module, "APPROXIMATE", 1500)
    found = nearest_others(X, k)
    assert found.shape == (len(X), k)
    assert not (found == np.arange(len(X))[:, None]).any()
    right = [len(set(a) & set(b)) for a, b in zip(found.tolist(), exact.tolist(), strict=True)]
    assert np.mean(right) >= 0.97 * k
    np.testing.assert_array_equal(nearest_others(X, k), found)
    # Far more equal rows than neighbours.
    assert len(set(nearest_others(np.zeros((1600, 3)), k)[0])) == k


def test_balance_is_believed_where_it_holds():
    X, digit = load_digits(return_X_y=True)
    rng = np.random.default_rng(12)
    beliefs = {True: [], False: []}
    for balanced in (True, False):
        for _ in range(15):
            classes = rng.permutation(10)[:5]
            counts = [15] * 5 if balanced else [45, 15, 9, 4, 2]
            rows, y = [], []
            for c, (cls, count) in enumerate(zip(classes, counts, strict=True)):
                rows += list(rng.permutation(np.flatnonzero(digit == cls))[: count + 5])
                y += [c] * 5 + [-1] * count
            F = X[rows] - X[rows].mean(axis=0)
            F /= np.linalg.norm(F, axis=1, keepdims=True)
            problem = TransductiveLabelling(X=F, y=np.array(y), n_classes=5)
            beliefs[balanced].append(Auto().solve(problem).extra["balance"])
    assert np.mean(beliefs[True]) > 0.7
    assert np.mean(beliefs[False]) < 0.1


def test_balance_is_doubted_where_neighbours_say_little():
    # Classes overlap so much that few neighbours are of one class; their means are well known.
    rng = np.random.default_rng(13)
    for counts, believed in (([15] * 5, True), ([45, 15, 9, 4, 2], False)):
        beliefs = []
        for _ in range(10):
            centres = rng.standard_normal((5, 100))
            centres *= 3 / np.linalg.norm(centres, axis=1, keepdims=True)
            truth = np.concatenate([np.repeat(np.arange(5), 20), np.repeat(np.arange(5), counts)])
            X = centres[truth] + rng.standard_normal((len(truth), 100))
            y = np.where(np.arange(len(truth)) < 100, truth, -1)
            problem = TransductiveLabelling(X=X - X.mean(axis=0), y=y, n_classes=5)
            beliefs.append(Auto().solve(problem).extra["balance"])
        assert (np.mean(beliefs) > 0.7) if believed else (np.mean(beliefs) < 0.15)
