"""The rows of ``skrand demo`` for subspaces and manifold linearization."""

from __future__ import annotations

from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skrand.clustering.estimator import SubspaceClusterer
from skrand.clustering.linearizer import ManifoldLinearizer
from skrand.clustering.metrics import clustering_accuracy
from skrand.testing import DemoResult, run_demo

__all__ = ["manifold_linearizer", "subspace_clusterer"]


def manifold_linearizer() -> DemoResult:
    """Cluster digits, and new ones by what was learnt; labels only choose the parameters."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=500, random_state=0)
    scoring = make_scorer(clustering_accuracy)
    linearizer = ManifoldLinearizer(10, n_components=32, max_iter=5, random_state=0)
    ours = GridSearchCV(
        make_pipeline(Normalizer(), linearizer),
        {"manifoldlinearizer__balance": [None, "uniform"]},
        scoring=scoring,
        cv=2,
    )
    theirs = GridSearchCV(
        make_pipeline(Normalizer(), KMeans(10, n_init=10, random_state=0)),
        {"kmeans__init": ["k-means++", "random"]},
        scoring=scoring,
        cv=2,
    )
    return run_demo(
        ours,
        theirs,
        (X_train, y_train),
        (X_test, y_test),
        task="cluster images and new ones",
        data=f"digits, {X_train.shape[0]} x {X_train.shape[1]}",
        certified="rate reduced by {model.coding_rate_reduction_:.1f} nats a point",
    )


def subspace_clusterer() -> DemoResult:
    """Describe digits by distances to subspaces found without labels, then classify.

    scikit-learn's KMeans describes them by distances to as many centres.
    """
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=700, random_state=0)
    counts = [10, 20]
    ours = GridSearchCV(
        make_pipeline(
            Normalizer(),
            SubspaceClusterer(random_state=0),
            LogisticRegression(C=100, max_iter=2000),
        ),
        {
            "subspaceclusterer__n_clusters": counts,
            "subspaceclusterer__solver": ["adssc", "tsc"],
        },
        cv=2,
    )
    theirs = GridSearchCV(
        make_pipeline(
            Normalizer(),
            KMeans(n_init=10, random_state=0),
            LogisticRegression(C=100, max_iter=2000),
        ),
        {"kmeans__n_clusters": counts},
        cv=2,
    )
    return run_demo(
        ours,
        theirs,
        (X_train, y_train),
        (X_test, y_test),
        task="distances to clusters, then classify",
        data=f"digits, {X_train.shape[0]} x {X_train.shape[1]}",
        certified="share outside the subspaces {model.residual_:.2f}",
        step=-2,
    )
