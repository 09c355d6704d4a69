"""Displays of subspace clustering show what they say."""

import matplotlib
import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.decomposition import PCA

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from skrand import SubspaceClusterer
from skrand.datasets import make_union_of_subspaces
from skrand.inspection import AffinityDisplay, EigengapDisplay, PrincipalAnglesDisplay


@pytest.fixture(scope="module")
def model():
    X, _ = make_union_of_subspaces(120, 20, dims=2, n_clusters=3, random_state=0)
    return SubspaceClusterer(3, random_state=0).fit(X)


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_affinity_is_sorted_by_label(model):
    display = AffinityDisplay.from_estimator(model)
    order = np.argsort(model.labels_, kind="stable")
    dense = model.affinity_.toarray()[np.ix_(order, order)]
    np.testing.assert_allclose(display.image, dense)
    np.testing.assert_array_equal(display.boundaries, np.cumsum(np.bincount(model.labels_))[:-1])
    np.testing.assert_allclose(display.im_.get_array(), dense)


def test_affinity_is_binned_without_loss_of_weight():
    rng = np.random.default_rng(0)
    graph = sp.random_array((90, 90), density=0.2, rng=rng)
    display = AffinityDisplay.from_affinity(graph, rng.integers(3, size=90), max_cells=30)
    assert display.image.shape == (30, 30)
    assert display.image.sum() * 9 == pytest.approx(graph.sum())


def test_principal_angles(model):
    display = PrincipalAnglesDisplay.from_estimator(model)
    Q = model.bases_
    cosine = np.linalg.norm(Q[0].T @ Q[1], 2)
    assert np.cos(np.radians(display.angles[0, 1])) == pytest.approx(cosine)
    assert [t.get_text() for t in display.ax_.get_xticklabels()] == ["0", "1", "2"]
    named = PrincipalAnglesDisplay.from_bases(Q, names=["a", "b", "c"])
    assert [t.get_text() for t in named.ax_.get_yticklabels()] == ["a", "b", "c"]


def test_eigengap(model):
    axes = plt.figure().add_subplot()
    display = EigengapDisplay.from_estimator(model, ax=axes, color="k")
    assert display.ax_ is axes
    np.testing.assert_array_equal(display.line_.get_ydata(), model.eigenvalues_)
    assert display.line_.get_color() == "k"


def test_what_is_not_there_is_said(model):
    X, _ = make_union_of_subspaces(60, 20, dims=2, n_clusters=3, random_state=0)
    plain = SubspaceClusterer(3, solver="kss", random_state=0).fit(X)
    with pytest.raises(ValueError, match="no affinity_: its solver made no graph"):
        AffinityDisplay.from_estimator(plain)
    with pytest.raises(ValueError, match="no eigenvalues_"):
        EigengapDisplay.from_estimator(plain)
    with pytest.raises(ValueError, match="no bases_"):
        PrincipalAnglesDisplay.from_estimator(PCA(2).fit(X))
    with pytest.raises(ValueError, match="must be of shape"):
        AffinityDisplay.from_affinity(np.eye(3), [0, 1])
