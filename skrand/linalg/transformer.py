"""Sketching the features of a data set, as a step of a Pipeline."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.random_projection import johnson_lindenstrauss_min_dim
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skrand._typing import MatrixLike
from skrand._validation import (
    check_integer,
    check_magnitude,
    check_n_jobs,
    check_option,
    check_real,
)
from skrand.linalg.sketch import SKETCHES, make_sketch

__all__ = ["SketchTransformer"]


class SketchTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Project the features onto fewer random ones, fast, keeping distances.

    Does what :mod:`sklearn.random_projection` does, with any sketching operator and without ever
    storing it: ``X_new = X S^T`` with ``E[S^T S] = I``.

    Cost: ``2 nnz n d`` flops for the sparse sign sketch, ``n d log2(n_components)`` for "srht",
    against ``2 n d n_components`` for a stored Gaussian matrix; no memory but the result.

    Parameters
    ----------
    n_components : int or "auto", default=100
        Number of features of the result; "auto" is what the lemma of Johnson and Lindenstrauss
        asks for with `eps`.
    kind : {"gaussian", "rademacher", "srht", "countsketch", "sparse-sign"}, default="sparse-sign"
        Family of random matrices.
    nnz : int, default=8
        Entries a feature of a sparse sign sketch.
    eps : float, default=0.1
        Relative change of squared distances, for ``n_components="auto"``.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Determines the projection.

    Attributes
    ----------
    n_components_ : int
        Number of features of the result.
    sketch_ : Sketch
        The operator; ``sketch_.dense(n_features_in_)`` is the matrix S.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, if the data had names.

    References
    ----------
    N. Ailon and B. Chazelle, "The Fast Johnson-Lindenstrauss Transform and Approximate Nearest
    Neighbors", SIAM J. Comput. 39, 2009, doi:10.1137/060673096 (for "srht").

    Examples
    --------
    >>> import numpy as np
    >>> from skrand import SketchTransformer
    >>> X = np.random.default_rng(0).standard_normal((20, 5000))
    >>> X_new = SketchTransformer(500, random_state=0).fit_transform(X)
    >>> X_new.shape
    (20, 500)
    >>> bool(abs(np.linalg.norm(X_new) / np.linalg.norm(X) - 1) < 0.05)
    True
    """

    def __init__(
        self,
        n_components: str | int = 100,
        *,
        kind: str = "sparse-sign",
        nnz: int = 8,
        eps: float = 0.1,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.kind = kind
        self.nnz = nnz
        self.eps = eps
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: MatrixLike, y: None = None) -> Self:
        """Draw the projection; of the data only the shape is used.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Data.
        y : None
            Ignored.

        Returns
        -------
        self : object
        """
        check_integer(self, "n_components", self.n_components, 1, options=("auto",))
        check_option(self, "kind", self.kind, tuple(SKETCHES))
        check_integer(self, "nnz", self.nnz, 1)
        check_real(self, "eps", self.eps, 0.0, 1.0, closed="neither")
        check_n_jobs(self, self.n_jobs)
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32])
        size: Any = self.n_components
        if size == "auto":
            size = int(johnson_lindenstrauss_min_dim(X.shape[0], eps=self.eps))
            if size > X.shape[1]:
                raise ValueError(
                    f"eps={self.eps} and n_samples={X.shape[0]} lead to n_components={size}, more "
                    f"than the {X.shape[1]} features there are. Set n_components."
                )
        seed = int(check_random_state(self.random_state).randint(2**31))
        options = {"nnz": min(self.nnz, size)} if self.kind == "sparse-sign" else {}
        self.sketch_ = make_sketch(
            self.kind, size, random_state=seed, n_jobs=self.n_jobs, **options
        )
        self.n_components_ = size
        self._n_features_out = size
        return self

    def transform(self, X: MatrixLike) -> np.ndarray:
        """Project.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Data.

        Returns
        -------
        X_new : ndarray of shape (n_samples, `n_components_`)
            Dense; float32 for float32 data.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False)
        with np.errstate(over="ignore", invalid="ignore"):
            projected = np.ascontiguousarray(self.sketch_.apply(X.T).T)
        if not np.isfinite(projected).all():
            check_magnitude(X, power=1.0)
        return projected

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
