"""A union of subspaces: fitted to labelled rows, and what it says of any row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from scipy.linalg import eigh, svd
from scipy.optimize import linear_sum_assignment
from scipy.special import betainccinv

__all__ = ["Rows", "Subspaces", "UnitRows", "choose_dimension", "unit_rows"]

#: Entries of a block of rows and of its products with all bases: bounds the memory of an assignment
#: to a few times it.
_BLOCK = 2**21

#: Rows whose products are added up at a time.
_ROWS = 2**13

#: Level of the test of a row against a random direction.
_LEVEL = 0.01


def unit_rows(X: np.ndarray) -> np.ndarray:
    """Return the rows divided by their lengths; rows of zeros stay."""
    return UnitRows(X)[:]


class UnitRows:
    """The rows of an array, divided by their lengths as they are read; rows of zeros stay.

    Indexing by rows gives an array, as it does for an array. No more of them is held than is read,
    so that the array may be a memory map.

    Parameters
    ----------
    X : ndarray of shape (n, D)
        Rows.

    Attributes
    ----------
    zero : ndarray of shape (n,)
        Mask of the rows of zeros.
    """

    def __init__(self, X: np.ndarray) -> None:
        self._X = X
        lengths = np.sqrt(np.einsum("ij,ij->i", X, X, dtype=np.float64))
        self.zero = lengths == 0
        lengths[self.zero] = 1.0
        self._lengths = lengths.astype(X.dtype, copy=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of features."""
        return self._X.shape

    @property
    def dtype(self) -> np.dtype:
        """Type of the entries."""
        return self._X.dtype

    def __len__(self) -> int:
        return len(self._X)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        return self._X[rows] / self._lengths[rows, None]


#: What is read row by row.
Rows: TypeAlias = np.ndarray | UnitRows


@dataclass(frozen=True, eq=False)
class Subspaces:
    """Linear or affine subspaces of one space.

    Parameters
    ----------
    bases : list of ndarray of shape (D, d_k)
        Orthonormal columns.
    means : ndarray of shape (K, D) or None
        A point of each subspace; None if all contain the origin.
    """

    bases: list[np.ndarray]
    means: np.ndarray | None = None

    @classmethod
    def fit(
        cls,
        X: Rows,
        labels: np.ndarray,
        n_clusters: int,
        dims: int | tuple[int, ...] | None = None,
        *,
        affine: bool = False,
    ) -> Subspaces:
        """Fit one subspace to the rows of each label, by their leading principal directions.

        Parameters
        ----------
        X : ndarray or UnitRows of shape (n, D)
            Rows, read in blocks here and in the methods below.
        labels : ndarray of shape (n,)
            From 0 to n_clusters - 1; others are passed over. A label without rows gets the
            subspace {0}.
        n_clusters : int
            Number of subspaces.
        dims : int or tuple of int, optional
            Dimension of all, or of each in any order: the order in which they explain the rows best
            is taken. None: see :func:`choose_dimension`.
        affine : bool, default=False
            Whether to subtract each group's mean.
        """
        order = np.argsort(labels, kind="stable")
        starts = np.searchsorted(labels[order], np.arange(n_clusters + 1))
        bases, spectra = [], []
        means = np.zeros((n_clusters, X.shape[1]), dtype=X.dtype) if affine else None
        for k in range(n_clusters):
            rows = order[starts[k] : starts[k + 1]]
            if means is not None and len(rows):
                means[k] = _mean(X, rows)
            centre = None if means is None else means[k]
            most = max(dims) if isinstance(dims, tuple) else dims
            U, s = _group_directions(X, rows, centre, most)
            bases.append(U)
            spectra.append(s)
        if isinstance(dims, tuple):
            matched = _match_dimensions(spectra, dims)
            bases = [np.ascontiguousarray(U[:, :d]) for U, d in zip(bases, matched, strict=True)]
        return cls(bases, means)

    def reordered(self, order: np.ndarray) -> Subspaces:
        """Return the same subspaces, numbered so that the old number ``order[k]`` is k."""
        means = None if self.means is None else self.means[order]
        return Subspaces([self.bases[k] for k in order], means)

    @property
    def dims(self) -> np.ndarray:
        """Dimension of each subspace."""
        return np.array([U.shape[1] for U in self.bases], dtype=np.int64)

    def residuals(self, X: Rows) -> np.ndarray:
        """Return the squared distance of each row to each subspace, of shape (n, K)."""
        out = np.empty((len(X), len(self.bases)), dtype=X.dtype)
        for rows in self._blocks(len(X)):
            out[rows] = self._residuals(X[rows])
        return out

    def assign(self, X: Rows) -> np.ndarray:
        """Return the number of the nearest subspace for each row."""
        out = np.empty(len(X), dtype=np.int64)
        for rows in self._blocks(len(X)):
            out[rows] = self._residuals(X[rows]).argmin(axis=1)
        return out

    def nearest(self, X: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Return the nearest subspace and the squared distance to it for each row."""
        labels = np.empty(len(X), dtype=np.int64)
        distances = np.empty(len(X), dtype=X.dtype)
        for rows in self._blocks(len(X)):
            block = self._residuals(X[rows])
            labels[rows] = block.argmin(axis=1)
            distances[rows] = block.min(axis=1)
        return labels, distances

    def own_residuals(self, X: Rows, labels: np.ndarray) -> np.ndarray:
        """Return the squared distance of each row to the subspace of its label.

        Computed from the difference itself: small distances keep their digits.
        """
        out = np.zeros(len(X), dtype=X.dtype)
        for k in range(len(self.bases)):
            rows = np.flatnonzero(labels == k)
            for start in range(0, len(rows), _ROWS):
                part = rows[start : start + _ROWS]
                difference = X[part] - self.project(X[part], k)
                out[part] = np.einsum("ij,ij->i", difference, difference)
        return out

    def unexplained(self, X: Rows, labels: np.ndarray, distances: np.ndarray) -> np.ndarray:
        """Return the mask of the rows that no subspace explains better than a random direction.

        The share of a random direction's energy in a subspace of dimension d of R^D has the
        distribution Beta(d / 2, (D - d) / 2), and a row is labelled by the best of K. Where chance
        explains half of a row, the test has no power and no row is named; nor is any if the
        subspaces are affine.

        Parameters
        ----------
        X : ndarray or UnitRows of shape (n, D)
            Rows.
        labels : ndarray of shape (n,)
            The subspace of each; negative ones are not tested.
        distances : ndarray of shape (n,)
            What :meth:`own_residuals` returns.
        """
        out = np.zeros(len(X), dtype=bool)
        if self.means is not None:
            return out
        d, D = self.dims, X.shape[1]
        bars = np.ones(len(d))
        some = (d > 0) & (d < D)
        bars[some] = betainccinv(d[some] / 2, (D - d[some]) / 2, _LEVEL / len(d))
        tested = np.flatnonzero((labels >= 0) & (bars[labels] < 0.5))
        for start in range(0, len(tested), _ROWS):
            some = tested[start : start + _ROWS]
            part = X[some]
            lengths = np.einsum("ij,ij->i", part, part, dtype=np.float64)
            inside = lengths - distances[some]
            out[some] = (inside <= bars[labels[some]] * lengths) & (lengths > 0)
        return out

    def energy(self, X: Rows, labels: np.ndarray) -> float:
        """Return the sum of squared lengths, after the subtraction of the means if there are any.

        What :meth:`own_residuals` sums to if all subspaces were points.
        """
        rows = np.arange(len(X))
        centre = X.dtype.type(0) if self.means is None else _mean(X, rows).astype(X.dtype)
        moved = (part - centre for part in _parts(X, rows))
        return sum(float(np.einsum("ij,ij->", part, part, dtype=np.float64)) for part in moved)

    def coordinates(self, X: np.ndarray, k: int) -> np.ndarray:
        """Return the coordinates of rows in the basis of subspace k."""
        return (X if self.means is None else X - self.means[k]) @ self.bases[k]

    def project(self, X: np.ndarray, k: int) -> np.ndarray:
        """Return the nearest points of subspace k."""
        inside = self.coordinates(X, k) @ self.bases[k].T
        return inside if self.means is None else inside + self.means[k]

    @cached_property
    def _stacked(self) -> tuple[np.ndarray, np.ndarray]:
        """All bases side by side, and where each begins."""
        dims = self.dims
        return np.hstack(self.bases), np.concatenate([[0], np.cumsum(dims)])

    def _residuals(self, X: np.ndarray) -> np.ndarray:
        U, ends = self._stacked
        lengths = np.einsum("ij,ij->i", X, X)[:, None]
        inside = X @ U
        if self.means is None:
            out = np.repeat(lengths, len(self.bases), axis=1)
        else:
            inside -= np.concatenate(
                [mean @ basis for mean, basis in zip(self.means, self.bases, strict=True)]
            )
            out = lengths - 2 * (X @ self.means.T) + np.einsum("ij,ij->i", self.means, self.means)
        np.square(inside, out=inside)
        for k in range(len(self.bases)):
            out[:, k] -= inside[:, ends[k] : ends[k + 1]].sum(axis=1)
        return np.maximum(out, 0, out=out)

    def _blocks(self, n: int) -> Iterator[slice]:
        step = max(1, _BLOCK // max(1, len(self.bases) + sum(self._stacked[0].shape)))
        for start in range(0, n, step):
            yield slice(start, start + step)


def _parts(X: Rows, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield some rows, a block at a time."""
    for start in range(0, len(rows), _ROWS):
        yield X[rows[start : start + _ROWS]]


def _mean(X: Rows, rows: np.ndarray) -> np.ndarray:
    """Return the mean of some rows, in float64."""
    return sum(part.sum(axis=0, dtype=np.float64) for part in _parts(X, rows)) / len(rows)


def _match_dimensions(spectra: list[np.ndarray], dims: tuple[int, ...]) -> list[int]:
    """Return for each group the dimension, of those given, that leaves the least energy in all."""
    left = np.array([[float((s[d:] ** 2).sum()) for d in dims] for s in spectra])
    return [dims[j] for j in linear_sum_assignment(left)[1]]


def principal_directions(X: np.ndarray, dim: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return leading right singular vectors of X, as columns, and all its singular values.

    There are at most ``min(X.shape)`` of them; None chooses how many, see `choose_dimension`.
    """
    return _group_directions(X, np.arange(len(X)), None, dim)


def _group_directions(
    X: Rows, rows: np.ndarray, centre: np.ndarray | None, dim: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return :func:`principal_directions` of some rows of X, less a centre, copied in blocks."""
    n, D = len(rows), X.shape[1]
    if n == 0:
        return np.zeros((D, 0), dtype=X.dtype), np.zeros(0)

    def centred(part: np.ndarray) -> np.ndarray:
        return (part if centre is None else part - centre).astype(np.float64, copy=False)

    gram = np.zeros((min(n, D),) * 2)
    if n < D:
        group = centred(X[rows])
        np.matmul(group, group.T, out=gram)
    else:
        for block in map(centred, _parts(X, rows)):
            gram += block.T @ block
    # All vectors by divide and conquer take less time than a quarter of them by bisection.
    w, V = eigh(gram, driver="evd", check_finite=False)
    # The square loses half the digits of small singular values; these matter to nobody here.
    s, V = np.sqrt(np.maximum(w[::-1], 0.0)), V[:, ::-1]
    if dim is None:
        dim = choose_dimension(s, n, D, np.finfo(X.dtype).eps)
    V = V[:, :dim]
    if n < D:
        # Left singular vectors so far. Right ones of values down to 1e-4 are orthogonal to 1e-8.
        d = V.shape[1]
        if s[d - 1] > 1e-4 * s[0]:
            V = group.T @ (V / s[:d])
        else:
            V = svd(group, full_matrices=False, check_finite=False)[2][:d].T
    return np.ascontiguousarray(V).astype(X.dtype), s


def choose_dimension(s: np.ndarray, n: int, D: int, eps: float) -> int:
    """Choose how many of the singular values of an n x D matrix are signal.

    Where one falls to less than a third of the one before, that is the dimension. Otherwise those
    above the optimal threshold for unknown noise (M. Gavish, D. L. Donoho, "The Optimal Hard
    Threshold for Singular Values is 4 / sqrt(3)", IEEE Trans. Inf. Theory 60, 2014,
    arXiv:1305.5870) count.

    Parameters
    ----------
    s : ndarray
        Singular values, falling.
    n, D : int
        Shape of the matrix.
    eps : float
        Relative rounding error of its entries.

    Returns
    -------
    dim : int
        From 1 to ``max(1, min(n, D) - 1)``.
    """
    most = max(1, min(n, D) - 1)
    floor = max(s[0], np.finfo(float).tiny) * np.sqrt(max(n, D)) * 10 * max(eps, 1e-9)
    rank = max(1, int(np.count_nonzero(s > floor)))
    if rank <= most // 2 or most == 1:
        return min(rank, most)
    ratio = s[:most] / np.maximum(s[1 : most + 1], floor)
    # A gap after the first value is the mean direction of non-negative data; it says nothing.
    gap = int(ratio.argmax()) + 1
    if gap > 1 and ratio[gap - 1] > 3 and gap <= most // 2:
        return gap
    beta = min(n, D) / max(n, D)
    omega = 0.56 * beta**3 - 0.95 * beta**2 + 1.82 * beta + 1.43
    return int(np.clip(np.count_nonzero(s > omega * np.median(s)), 1, most))


@dataclass(frozen=True, eq=False)
class SubspaceStream:
    """What is kept of the rows of each subspace, so that more can be added.

    Parameters
    ----------
    counts : ndarray of shape (K,)
        Rows seen.
    means : ndarray of shape (K, D) or None
        Their means; None for linear subspaces.
    factors : list of ndarray
        For each subspace a matrix F with F^T F nearly the sum of outer products of its rows.
    """

    counts: np.ndarray
    means: np.ndarray | None
    factors: list[np.ndarray]

    @classmethod
    def start(cls, X: Rows, labels: np.ndarray, subspaces: Subspaces) -> SubspaceStream:
        """Begin with the energy of the rows along the bases of their subspaces."""
        factors = []
        for k, U in enumerate(subspaces.bases):
            rows = np.flatnonzero(labels == k)
            gram = np.zeros((U.shape[1], U.shape[1]))
            for part in _parts(X, rows):
                along = subspaces.coordinates(part, k)
                gram += along.T @ along
            w, V = eigh(gram)
            factors.append((np.sqrt(np.maximum(w, 0.0))[:, None] * (U @ V).T).astype(X.dtype))
        counts = np.bincount(labels, minlength=len(factors))
        return cls(counts, subspaces.means, factors)

    def add(self, X: Rows, labels: np.ndarray) -> SubspaceStream:
        """Return the stream with further labelled rows."""
        counts = self.counts + np.bincount(labels, minlength=len(self.counts))
        means = None if self.means is None else self.means.copy()
        factors = list(self.factors)
        for k in np.unique(labels):
            rows = X[labels == k]
            if means is not None:
                new = rows.mean(axis=0)
                share = len(rows) / counts[k]
                jump = np.sqrt(self.counts[k] * share) * (new - means[k])
                rows = np.vstack([rows - new, jump])
                means[k] += share * (new - means[k])
            both = np.vstack([factors[k], rows]).astype(np.float64)
            _, s, Vt = svd(both, full_matrices=False, check_finite=False)
            # Twice the dimension: directions that gain importance must not be forgotten at once.
            keep = 2 * len(self.factors[k]) if len(self.factors[k]) < X.shape[1] else len(s)
            factors[k] = (s[:keep, None] * Vt[:keep]).astype(X.dtype)
        return SubspaceStream(counts, means, factors)

    def subspaces(self, dims: np.ndarray) -> Subspaces:
        """Return the subspaces of the rows seen so far."""
        bases = [principal_directions(F, d)[0] for F, d in zip(self.factors, dims, strict=True)]
        return Subspaces(bases, self.means)
