"""Rows near a union of subspaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

__all__ = ["make_union_of_subspaces"]


def make_union_of_subspaces(
    n_samples: int = 1000,
    n_features: int = 100,
    *,
    dims: int | Sequence[int] = 5,
    n_clusters: int = 10,
    noise: float = 0.0,
    shared: int = 0,
    offset: float = 0.0,
    weights: Sequence[float] | None = None,
    outliers: float = 0.0,
    random_state: Any = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows from random subspaces.

    A row is a unit vector of its subspace, uniform on the sphere, plus the offset of an affine
    subspace, plus normal noise of total variance ``noise**2``.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_features : int, default=100
        Dimension of the space.
    dims : int or sequence of int, default=5
        Dimension of every subspace, or of each.
    n_clusters : int, default=10
        Number of subspaces.
    noise : float, default=0.0
        Root mean square length of the noise; the signal has length one.
    shared : int, default=0
        Directions that all subspaces have in common, of their dimensions.
    offset : float, default=0.0
        Length of the offset of each subspace, in a random direction; 0 makes them linear.
    weights : sequence of float, default=None
        Shares of the subspaces, of any sum; None is equal shares.
    outliers : float, default=0.0
        Share of the rows that are uniform on the sphere of the whole space, with label -1.
    random_state : int, RandomState instance or None, default=None
        Determines the rows.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        Rows, shuffled.
    y : ndarray of shape (n_samples,)
        Labels.

    Examples
    --------
    >>> from skrand.datasets import make_union_of_subspaces
    >>> X, y = make_union_of_subspaces(50, 20, dims=[1, 2], n_clusters=2, random_state=0)
    >>> X.shape, sorted(set(y.tolist()))
    ((50, 20), [0, 1])
    """
    rng = np.random.default_rng(check_random_state(random_state).randint(2**31))
    sizes = np.full(n_clusters, dims) if np.ndim(dims) == 0 else np.asarray(dims)
    if len(sizes) != n_clusters:
        raise ValueError(f"dims must be one int or {n_clusters}, one a cluster. Got {dims!r}.")
    if sizes.min() < max(1, shared) or sizes.max() > n_features:
        raise ValueError(
            f"dims must be from max(1, shared) = {max(1, shared)} to n_features = {n_features}. "
            f"Got {dims!r}."
        )
    common = rng.standard_normal((n_features, shared))
    bases, offsets = [], []
    for d in sizes:
        own = rng.standard_normal((n_features, d - shared))
        bases.append(np.linalg.qr(np.hstack([common, own]))[0])
        direction = rng.standard_normal(n_features)
        offsets.append(offset * direction / np.linalg.norm(direction))
    n_outliers = round(outliers * n_samples)
    share = np.ones(n_clusters) if weights is None else np.asarray(weights, dtype=float)
    ends = np.round(np.cumsum(share) / share.sum() * (n_samples - n_outliers)).astype(int)
    y = np.full(n_samples, -1)
    y[: ends[-1]] = np.repeat(np.arange(n_clusters), np.diff(ends, prepend=0))
    X = rng.standard_normal((n_samples, n_features))
    for k, U in enumerate(bases):
        rows = y == k
        signal = rng.standard_normal((np.count_nonzero(rows), U.shape[1])) @ U.T
        signal /= np.linalg.norm(signal, axis=1, keepdims=True)
        X[rows] = signal + offsets[k] + noise / np.sqrt(n_features) * X[rows]
    X[y < 0] /= np.linalg.norm(X[y < 0], axis=1, keepdims=True)
    order = rng.permutation(n_samples)
    return X[order], y[order]
