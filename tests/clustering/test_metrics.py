"""Measures of clusterings and subspaces against brute force and SciPy."""

from itertools import permutations

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp

from skrand.clustering import (
    class_bases,
    clustering_accuracy,
    principal_angles,
    subspace_coherence,
    subspace_preserving_error,
)


def best_matching(true, found):
    """Return the accuracy under the best of all one-to-one matchings, by trying them all."""
    wide = int(max(true.max(), found.max())) + 1
    return max(np.mean(np.array(order)[found] == true) for order in permutations(range(wide), wide))


@pytest.mark.parametrize(("n_true", "n_found"), [(3, 3), (2, 5), (5, 2), (1, 4)])
@pytest.mark.parametrize("seed", range(5))
def test_accuracy_is_the_best_matching(n_true, n_found, seed):
    rng = np.random.default_rng(seed)
    true, found = rng.integers(n_true, size=17), rng.integers(n_found, size=17)
    assert clustering_accuracy(true, found) == pytest.approx(best_matching(true, found))
    assert clustering_accuracy(found, true) == clustering_accuracy(true, found)
    assert clustering_accuracy(true, -3 * true + 7) == 1


def test_accuracy_refuses_unequal_lengths():
    with pytest.raises(ValueError, match="inconsistent"):
        clustering_accuracy([0, 1], [0, 1, 1])


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array, sp.coo_matrix])
def test_preserving_error_by_hand(kind):
    rng = np.random.default_rng(0)
    C = rng.normal(size=(12, 12)) * (rng.uniform(size=(12, 12)) < 0.4)
    C[3] = 0
    y = rng.integers(3, size=12)
    shares = []
    for i in range(12):
        if np.abs(C[i]).sum():
            shares.append(np.abs(C[i][y != y[i]]).sum() / np.abs(C[i]).sum())
    assert subspace_preserving_error(kind(C), y) == pytest.approx(np.mean(shares))
    assert subspace_preserving_error(kind(C * 0), y) == 0
    with pytest.raises(ValueError, match="affinity must be of shape"):
        subspace_preserving_error(kind(C), y[:5])


def test_principal_angles_are_those_of_scipy():
    rng = np.random.default_rng(1)
    bases = [rng.normal(size=(8, dim)) for dim in (1, 3, 2)]
    angles = principal_angles(bases)
    for k in range(3):
        for other in range(3):
            if k != other:
                expected = scipy.linalg.subspace_angles(bases[k], bases[other]).min()
                assert angles[k, other] == pytest.approx(expected)
    # By the cosine, as an oracle that is not SciPy's.
    Q = [np.linalg.qr(basis)[0] for basis in bases]
    cosine = np.linalg.norm(Q[1].T @ Q[2], 2)
    assert np.cos(angles[1, 2]) == pytest.approx(cosine)
    upper = [np.linalg.norm(Q[a].T @ Q[b], 2) for a, b in ((0, 1), (0, 2), (1, 2))]
    assert subspace_coherence(bases) == pytest.approx(np.mean(upper))


def test_a_tiny_angle_is_not_rounded_to_zero():
    tilted = np.array([[1.0], [1e-10]])
    assert principal_angles([np.eye(2)[:, :1], tilted])[0, 1] == pytest.approx(1e-10, rel=1e-6)


def test_class_bases_span_the_classes():
    rng = np.random.default_rng(2)
    U = np.linalg.qr(rng.normal(size=(6, 4)))[0]
    X = np.vstack([rng.normal(size=(9, 2)) @ U[:, :2].T, rng.normal(size=(9, 2)) @ U[:, 2:].T])
    bases = class_bases(X, np.repeat(["b", "a"], 9), 2)
    np.testing.assert_allclose(bases[1] @ bases[1].T, U[:, :2] @ U[:, :2].T, atol=1e-10)
    assert subspace_coherence(bases) == pytest.approx(0, abs=1e-10)
    assert class_bases(X[:1], [0], 3)[0].shape == (6, 1)
