"""Mixtures of low-rank Gaussians: density, sampling, denoising, and EM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
from scipy.special import logsumexp

from skrand.linalg.threads import single_threaded_blas

__all__ = ["LowRankGaussians", "MixtureFit", "fit_low_rank_gaussians", "leading_directions"]

#: The noise variance is kept above this share of the data's variance, or the density would have no
#: bound on data that lie in the subspaces exactly.
_NOISE_FLOOR = 1e-10
#: Responsibilities below this add nothing to a covariance in double precision.
_NEGLIGIBLE = 1e-16


@dataclass(frozen=True, eq=False, kw_only=True)
class LowRankGaussians:
    """The density ``sum_k weights_k N(0, U_k diag(variances_k) U_k^T + noise I)``.

    Parameters
    ----------
    weights : ndarray of shape (n_clusters,)
        Shares of the components; their sum is one.
    bases : list of ndarray of shape (n_features, dim_k)
        Orthonormal columns U_k.
    variances : list of ndarray of shape (dim_k,)
        Variances along them, in addition to the noise.
    noise : float
        Variance of the noise in every direction.

    References
    ----------
    P. Wang, H. Zhang, Z. Zhang, S. Chen, Y. Ma, Q. Qu, "Diffusion Models Learn Low-Dimensional
    Distributions via Subspace Clustering", 2024, arXiv:2409.02426.
    """

    weights: np.ndarray
    bases: list[np.ndarray]
    variances: list[np.ndarray]
    noise: float

    def joint_log_density(self, X: np.ndarray) -> np.ndarray:
        """Return the log of weight times density of each component; of shape (n, n_clusters)."""
        X = np.asarray(X, dtype=np.float64)
        d = X.shape[1]
        squared = np.einsum("ij,ij->i", X, X)
        out = np.empty((len(X), len(self.weights)))
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights)
        for k, (U, variance) in enumerate(zip(self.bases, self.variances, strict=True)):
            with single_threaded_blas():
                along = (X @ U) ** 2
            total = variance + self.noise
            # The energy off the subspace and along it apart: no cancellation in the latter.
            off = np.maximum(squared - along.sum(axis=1), 0.0)
            logdet = float(np.log(total).sum()) + (d - len(total)) * np.log(self.noise)
            # Of a point that is too far away for numbers, something finite and larger than all.
            with np.errstate(over="ignore"):
                form = (along / total).sum(axis=1) + off / self.noise
            form = np.minimum(form, np.sqrt(np.finfo(np.float64).max))
            out[:, k] = log_weights[k] - 0.5 * (d * np.log(2 * np.pi) + logdet + form)
        return out

    def responsibilities(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the posterior of the components, of shape (n, n_clusters), and log densities."""
        joint = self.joint_log_density(X)
        log_density = logsumexp(joint, axis=1)
        return np.exp(joint - log_density[:, None]), log_density

    def noised(self, scale: float, noise: float) -> LowRankGaussians:
        """Return the density of ``scale x + noise e`` for x of this one and e standard normal."""
        return LowRankGaussians(
            weights=self.weights,
            bases=self.bases,
            variances=[scale**2 * variance for variance in self.variances],
            noise=scale**2 * self.noise + noise**2,
        )

    def denoise(self, X: np.ndarray, noise: float, scale: float = 1.0) -> np.ndarray:
        """Return the posterior mean of x given ``scale x + noise e``, e standard normal.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Noisy points.
        noise : float
            Positive standard deviation of what was added.
        scale : float, default=1.0
            What the clean points were multiplied by.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
        """
        X = np.asarray(X, dtype=np.float64)
        noisy = self.noised(scale, noise)
        posterior, _ = noisy.responsibilities(X)
        # The gain is that of the noise in all directions, and more along the subspaces.
        base = scale * self.noise / noisy.noise
        out = base * X
        for U, variance, share in zip(self.bases, self.variances, posterior.T, strict=True):
            gain = scale * (variance + self.noise) / (scale**2 * variance + noisy.noise) - base
            with single_threaded_blas():
                out += share[:, None] * (((X @ U) * gain) @ U.T)
        return out

    def sample(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw n points; also return the component of each. Points are sorted by component."""
        counts = rng.multinomial(n, self.weights / self.weights.sum())
        labels = np.repeat(np.arange(len(counts)), counts)
        X = np.sqrt(self.noise) * rng.standard_normal((n, len(self.bases[0])))
        start = 0
        for count, U, variance in zip(counts, self.bases, self.variances, strict=True):
            coordinates = rng.standard_normal((count, len(variance))) * np.sqrt(variance)
            X[start : start + count] += coordinates @ U.T
            start += count
        return X, labels


class MixtureFit(NamedTuple):
    """What :func:`fit_low_rank_gaussians` found.

    Parameters
    ----------
    model : LowRankGaussians
        The mixture.
    log_likelihood_path : list of float
        Mean log-likelihood of the points at each iteration of the best start; never decreases.
    n_iter : int
        Iterations of the best start.
    converged : bool
        Whether the last of them gained less than the tolerance.
    """

    model: LowRankGaussians
    log_likelihood_path: list[float]
    n_iter: int
    converged: bool


def leading_directions(
    X: np.ndarray, weights: np.ndarray, dim: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the leading eigenvectors and eigenvalues of ``X^T diag(weights) X``, and its trace.

    Cost: ``n d r + r^3`` flops, r the smaller of d and the number of weights that count.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Points.
    weights : ndarray of shape (n,)
        Non-negative.
    dim : int
        How many, from 0 to d. Directions beyond the points' span complete the basis.

    Returns
    -------
    U : ndarray of shape (d, dim)
        Orthonormal columns, of falling eigenvalue.
    eigenvalues : ndarray of shape (dim,)
    trace : float
    """
    if dim == 0:
        return np.zeros((X.shape[1], 0)), np.zeros(0), float((weights * (X**2).sum(axis=1)).sum())
    used = np.flatnonzero(weights > _NEGLIGIBLE * weights.max(initial=0.0))
    A = np.sqrt(weights[used])[:, None] * X[used]
    m, d = A.shape
    trace = float(np.einsum("ij,ij->", A, A))
    if m >= d:
        values, vectors = scipy.linalg.eigh(
            A.T @ A, subset_by_index=[d - dim, d - 1], check_finite=False
        )
        return vectors[:, ::-1], np.maximum(values[::-1], 0.0), trace
    # Fewer points than dimensions: orthogonalise what they span, and complete it if need be.
    _, singular, Vt = scipy.linalg.svd(A, full_matrices=m < dim, check_finite=False)
    values = np.zeros(dim)
    values[: min(dim, m)] = singular[:dim] ** 2
    return Vt[:dim].T, values, trace


def fit_low_rank_gaussians(
    X: np.ndarray,
    dims: Sequence[int],
    *,
    labels: np.ndarray | None = None,
    n_init: int = 10,
    tol: float = 1e-7,
    max_iter: int = 300,
    rng: np.random.Generator,
    callback: Callable[[int, float, float, LowRankGaussians], bool] | None = None,
) -> MixtureFit:
    """Fit a mixture of low-rank Gaussians by expectation-maximisation.

    The noise variance is shared and fitted too. It starts large, as no subspace explains the data
    yet, and falls as they do: memberships harden on their own.

    Cost: ``n d sum(dims)`` flops for the expectations and up to ``K n d min(n, d)`` for the
    covariances, an iteration and start. Memory: ``n (K + max(dims))`` numbers.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Points.
    dims : sequence of int
        Dimension of each component, each below n_features.
    labels : ndarray of shape (n_samples,), default=None
        Where to start; None is `n_init` random starts, of which the likeliest answer is kept.
    n_init : int, default=10
        Random starts.
    tol : float, default=1e-7
        Gain of the mean log-likelihood, per feature, at which to stop.
    max_iter : int, default=300
        Most iterations of a start.
    rng : numpy.random.Generator
        Draws the starts.
    callback : callable, default=None
        ``callback(iteration, log_likelihood, gain, model)``, true to stop.

    Returns
    -------
    MixtureFit
    """
    X = np.asarray(X, dtype=np.float64)
    best, stopped = None, False

    def watch(*state: Any) -> bool:
        nonlocal stopped
        stopped = callback is not None and callback(*state)
        return stopped

    with single_threaded_blas():
        for _ in range(n_init if labels is None else 1):
            start = (
                _random_start(X, dims, rng)
                if labels is None
                else np.eye(len(dims))[np.asarray(labels)]
            )
            fit = _expectation_maximisation(X, dims, start, tol, max_iter, watch)
            if best is None or fit.log_likelihood_path[-1] > best.log_likelihood_path[-1]:
                best = fit
            if stopped:
                break
    return best


def _random_start(X: np.ndarray, dims: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """Return the memberships in subspaces through random points and their neighbours in angle.

    Each next point is drawn by what the subspaces before leave of it.
    """
    squared = np.einsum("ij,ij->i", X, X)
    norms = np.sqrt(np.maximum(squared, np.finfo(float).tiny))
    off = np.empty((len(X), len(dims)))
    rest = squared.copy()
    for k, dim in enumerate(dims):
        total = rest.sum()
        seed = rng.choice(len(X), p=rest / total if total > 0 else None)
        cosine = np.abs(X @ X[seed]) / norms
        near = np.argsort(-cosine, kind="stable")[: dim + 1]
        weights = np.zeros(len(X))
        weights[near] = 1.0 / np.maximum(squared[near], np.finfo(float).tiny)
        U = leading_directions(X, weights, dim)[0]
        off[:, k] = np.maximum(squared - ((X @ U) ** 2).sum(axis=1), 0.0)
        rest = np.minimum(rest, off[:, k])
    return np.eye(len(dims))[off.argmin(axis=1)]


def _expectation_maximisation(
    X: np.ndarray,
    dims: Sequence[int],
    posterior: np.ndarray,
    tol: float,
    max_iter: int,
    callback: Callable[[int, float, float, LowRankGaussians], bool],
) -> MixtureFit:
    path: list[float] = []
    converged, n_iter = False, 0
    model = _maximise(X, posterior, dims)
    posterior, log_density = model.responsibilities(X)
    path.append(float(log_density.mean()))
    while n_iter < max_iter and not converged:
        model = _maximise(X, posterior, dims)
        posterior, log_density = model.responsibilities(X)
        path.append(float(log_density.mean()))
        n_iter += 1
        gain = path[-1] - path[-2]
        converged = gain <= tol * X.shape[1]
        if callback(n_iter, path[-1], gain, model):
            break
    return MixtureFit(model, path, n_iter, converged)


def _maximise(X: np.ndarray, posterior: np.ndarray, dims: Sequence[int]) -> LowRankGaussians:
    """Return the likeliest mixture for given memberships (Tipping and Bishop, 1999)."""
    n, d = X.shape
    sizes = posterior.sum(axis=0)
    bases, spectra, off = [], [], 0.0
    for weights, size, dim in zip(posterior.T, sizes, dims, strict=True):
        U, values, trace = leading_directions(X, weights, dim)
        bases.append(U)
        spectra.append(values / max(size, np.finfo(float).tiny))
        off += max(trace - float(values.sum()), 0.0)
    power = float(np.einsum("ij,ij->", X, X)) / X.size
    floor = max(_NOISE_FLOOR * power, np.finfo(float).tiny)
    noise = max(_pooled_noise(np.repeat(sizes, dims), np.hstack(spectra), off, n * d), floor)
    return LowRankGaussians(
        weights=sizes / n,
        bases=bases,
        variances=[np.maximum(values - noise, 0.0) for values in spectra],
        noise=noise,
    )


def _pooled_noise(sizes: np.ndarray, values: np.ndarray, off: float, total: float) -> float:
    """Return the likeliest noise variance, to which directions that do not exceed it belong."""
    order = np.argsort(values, kind="stable")
    freedom = total - float(sizes.sum())
    noise = off / freedom
    for size, value in zip(sizes[order], values[order], strict=True):
        if value >= noise:
            break
        off, freedom = off + size * value, freedom + size
        noise = off / freedom
    return noise
