"""A random hidden layer whose weights lie in a bounded box."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import issparse
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.utils import check_random_state
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from skrand_features._parameters import is_integer, is_real, refuse

__all__ = ["BandlimitWarning", "BandlimitedFeatures"]

# Rungs of the ladder are this power of two times the data scale.
_LOWEST_RUNG = -4
_HIGHEST_RUNG = 10
# Rows that the distances behind the ladder are measured from.
_SCALE_ROWS = 128
# Root of the relative GCV score above which the features count as having explained nothing.
_UNEXPLAINED = 0.95
# A score at the top of the ladder that is this much below the one before it is still falling.
_STILL_FALLING = 0.81


class BandlimitWarning(UserWarning):
    """The target seems to need weights outside every box that was tried."""


class BandlimitedFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Random hidden layer with weights in a bounded box; only the read-out is left to train.

    Feature :math:`j` of a sample :math:`x` is

    .. math:: \sigma(w_j^\top x + b_j) = \sigma(w_j^\top (x - c_j)),

    where the weights :math:`w_j` are uniform on the box :math:`[-\lambda, \lambda]^d` and each unit
    is centred on a training sample :math:`c_j` drawn at random, so that its bend lies where there
    are data, wherever they are. A linear model on these features is a shallow neural network whose
    hidden layer is drawn and not trained.

    The half-width :math:`\lambda` of the box, the `bandwidth`, decides what such a network can
    represent: when hidden parameters are confined to a bounded set, the approximation error may
    stay above a positive bound, which is set by the part of the target's ridgelet spectrum that
    lies outside [1]_. Too wide a box is wasteful: with a given number of units the bends become too
    sharp to be combined into something smooth. Hence ``bandwidth="auto"``.

    Parameters
    ----------
    n_components : int, default=100
        Number of hidden units, that is of features made.
    bandwidth : "auto" or float, default="auto"
        Half-width of the box of weights. Its unit is one over that of `X`, so features on very
        different scales should be standardised first.

        ``"auto"`` takes it from the data. Given `y`, ridge regressions of `y` on the features are
        scored by generalised cross-validation (GCV) along a ladder of bandwidths, see Notes.
        Without `y` it is :math:`\sqrt 3 / r`, with :math:`r` the median distance between samples:
        the argument of a unit then varies with standard deviation 1 across that distance.
    activation : {"tanh", "gaussian", "cos"}, default="tanh"
        The function :math:`\sigma`: the hyperbolic tangent, :math:`\exp(-z^2)`, or the cosine. With
        the cosine the box bounds the frequencies in the literal sense.
    subsample : int or None, default=10_000
        Largest number of samples from which ``bandwidth="auto"`` is chosen; more are thinned out at
        random. None uses all of them.
    random_state : int, RandomState instance or None, default=None
        Determines the hidden layer. The same integer gives the same features bit for bit, and the
        same layer up to the factor `bandwidth` for every `bandwidth`.

    Attributes
    ----------
    bandwidth_ : float
        Half-width of the box of weights.
    random_weights_ : ndarray of shape (`n_features_in_`, n_components)
        Weights of the hidden units, in the precision of `X`.
    random_offset_ : ndarray of shape (n_components,)
        Biases of the hidden units.
    alpha_ : float or None
        The penalty that was chosen along with the bandwidth: a good `alpha` for the
        :class:`~sklearn.linear_model.Ridge` that is the read-out (with ``solver="svd"``, as the
        others lose penalties that are far below the largest singular value). None if the
        bandwidth was given or there was no `y` to choose it by.
    gcv_path_ : dict of str to ndarray, or None
        How the bandwidth was chosen, one element a rung: ``"bandwidth"``; ``"gcv"``, the least GCV
        score as a fraction of the variance of `y`; ``"alpha"``, the penalty that attains it;
        ``"dof"``, its effective degrees of freedom. None where `alpha_` is.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, when `X` has feature names that are all strings.

    Warns
    -----
    BandlimitWarning
        From ``bandwidth="auto"`` with `y`: if the best rung is the top one and the score was still
        falling there by more than 19 % while more than 1 % of the variance is unexplained, or if
        the best root-mean-square GCV error is above 0.95 of the standard deviation of `y`.

    See Also
    --------
    sklearn.kernel_approximation.RBFSampler : Cosines with Gaussian, hence unbounded, weights.
    sklearn.neural_network.MLPRegressor : The hidden layer trained as well.

    Notes
    -----
    **Narrow boxes.** On a bounded set of inputs the units of any box, however small, have all
    continuous functions in the closure of their span, since derivatives with respect to the weights
    yield all polynomials. But the coefficients that this takes grow without limit, and neither
    noise nor rounding lets a read-out find them: in practice the error stays where it is.

    **Ladder.** Its rungs are :math:`2^k \sqrt 3 / r` for :math:`k = -4, -3, \dots`. It ends where
    the argument of a unit changes by about 1 from a sample to its nearest neighbour, beyond which
    the data cannot tell a wider box; at :math:`k = 2` at the least and at :math:`k = 10` at the
    most. All rungs scale one and the same draw of weights.

    **Score.** With :math:`n` samples, centred features :math:`\Phi = U S V^\top` and centred
    :math:`y`, ridge regression with an unpenalised intercept has

    .. math:: \mathrm{GCV}(\alpha) =
       \frac{n \|y - \hat y_\alpha\|^2}{(n - 1 - \mathrm{df}_\alpha)^2}, \qquad
       \mathrm{df}_\alpha = \sum_i \frac{s_i^2}{s_i^2 + \alpha},

    so a single SVD a rung serves every :math:`\alpha`. Features with smooth activations are
    numerically rank-deficient; singular values below the rounding of the largest count as zero,
    and the grid of :math:`\alpha` ends at the square of that level. Columns of `y` are scaled to
    unit variance and averaged; a `y` of strings or booleans is taken as class labels and replaced
    by their indicators.

    **Choice.** Of all bandwidths and penalties whose score exceeds the least by no more than its
    statistical uncertainty, a factor of :math:`1 + \sqrt{2 / n}` for a mean square of :math:`n`
    residuals, the pair with the largest penalty is taken. Without noise the scores lie decades
    apart and this is the minimum. With noise many rungs are equally good at their best penalties,
    the narrow ones only at penalties so small that few read-outs can follow; the rule leaves a
    bandwidth that works with whatever regressor comes next.

    **Cost.** With :math:`n` samples, :math:`d` input features, :math:`m` components, :math:`n_s =
    \min(n, \mathtt{subsample})` and :math:`q = \min(n_s, m)`: the hidden layer takes :math:`2 m d`
    flops and :math:`m (d + 1)` numbers, a transform :math:`2 n m d` flops (for sparse `X`,
    :math:`2 m` a stored value) and :math:`n m` numbers. Choosing the bandwidth takes :math:`2 n_s m
    d` flops once and about :math:`2 n_s m q + 20 q^3` for each of the 7 to 15 rungs, in double
    precision, with :math:`3 n_s m + 4 q^2` numbers.

    References
    ----------
    .. [1] M. Li, S. Sonoda, F. Cao, Y. G. Wang, J. Liang, "How Powerful are Shallow Neural Networks
       with Bandlimited Random Weights?", Proceedings of the 40th International Conference on
       Machine Learning, PMLR 202:19960-19981, 2023. :arxiv:`2008.08427`

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from skrand_features import BandlimitedFeatures
    >>> X = np.linspace(-1, 1, 400)[:, np.newaxis]
    >>> y = np.sin(20 * np.pi * X.ravel())
    >>> narrow = BandlimitedFeatures(200, bandwidth=1.0, random_state=0)
    >>> print(f"{make_pipeline(narrow, Ridge(1e-8)).fit(X, y).score(X, y):.1f}")
    0.0
    >>> chosen = BandlimitedFeatures(200, bandwidth="auto", random_state=0)
    >>> print(f"{make_pipeline(chosen, Ridge(1e-8)).fit(X, y).score(X, y):.1f}")
    1.0
    """

    def __init__(
        self,
        n_components: int = 100,
        *,
        bandwidth: float | str = "auto",
        activation: str = "tanh",
        subsample: int | None = 10_000,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.bandwidth = bandwidth
        self.activation = activation
        self.subsample = subsample
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> BandlimitedFeatures:
        """Draw the hidden layer; with ``bandwidth="auto"``, choose the size of its box.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target by which ``bandwidth="auto"`` is chosen; not used otherwise.

        Returns
        -------
        self : BandlimitedFeatures
            The fitted transformer.
        """
        self._check_parameters()
        automatic = isinstance(self.bandwidth, str)
        checks: dict[str, Any] = {"accept_sparse": "csr", "dtype": [np.float64, np.float32]}
        if automatic and y is not None:
            X, y = validate_data(self, X, y, multi_output=True, **checks)
        else:
            X = validate_data(self, X, **checks)
        n_samples, n_features = X.shape

        seed = check_random_state(self.random_state).randint(np.iinfo(np.int64).max, dtype=np.int64)
        rng = np.random.default_rng(seed)
        directions = rng.uniform(-1.0, 1.0, size=(n_features, self.n_components))
        centres = X[rng.integers(n_samples, size=self.n_components)]
        offsets = -_row_dots(centres, directions.T)

        self.gcv_path_ = self.alpha_ = None
        if not automatic:
            bandwidth = float(self.bandwidth)
        else:
            rows = np.arange(n_samples)
            if self.subsample is not None and self.subsample < n_samples:
                rows = np.sort(rng.choice(n_samples, self.subsample, replace=False))
            sample = X[rows].astype(np.float64)
            unit, n_doublings = _data_scale(sample, rng)
            bandwidth = unit
            targets = None if y is None else _standardised_targets(y, rows)
            if targets is not None:
                rungs = np.arange(_LOWEST_RUNG, n_doublings + 1)
                arguments = safe_sparse_dot(sample, directions, dense_output=True) + offsets
                self.gcv_path_, chosen, self.alpha_ = _score_ladder(
                    arguments, targets, unit * 2.0**rungs, _ACTIVATIONS[self.activation]
                )
                bandwidth = float(self.gcv_path_["bandwidth"][chosen])
                self._warn_if_outside()

        self.bandwidth_ = bandwidth
        with np.errstate(over="ignore"):
            self.random_weights_ = (bandwidth * directions).astype(X.dtype, copy=False)
            self.random_offset_ = (bandwidth * offsets).astype(X.dtype, copy=False)
        made = self.random_weights_, self.random_offset_
        if not all(np.isfinite(part).all() for part in made):
            raise ValueError(
                f"Weights of bandwidth {bandwidth:.1e} are too large for X in {X.dtype}: scale X."
            )
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Apply the hidden layer to `X`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New data.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components)
            What the hidden units put out.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False)
        with np.errstate(over="ignore", invalid="ignore"):
            arguments = safe_sparse_dot(X, self.random_weights_, dense_output=True)
            arguments += self.random_offset_
        if not np.isfinite(arguments).all():
            raise ValueError(
                f"Products of X with weights of bandwidth {self.bandwidth_:.1e} are not finite in "
                f"{arguments.dtype}: scale X."
            )
        return _ACTIVATIONS[self.activation](arguments)

    @property
    def _n_features_out(self) -> int:
        """Number of features made, for `get_feature_names_out`."""
        return self.random_weights_.shape[1]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _check_parameters(self) -> None:
        """Refuse bad parameters, in scikit-learn's words."""
        if not is_integer(self.n_components) or self.n_components < 1:
            refuse(self, "n_components", "an int in the range [1, inf)")
        automatic = isinstance(self.bandwidth, str) and self.bandwidth == "auto"
        if not automatic and not (is_real(self.bandwidth) and 0 < self.bandwidth < math.inf):
            refuse(self, "bandwidth", "'auto' or a float in the range (0, inf)")
        if not isinstance(self.activation, str) or self.activation not in _ACTIVATIONS:
            names = ", ".join(repr(name) for name in sorted(_ACTIVATIONS))
            refuse(self, "activation", f"one of {names}")
        if self.subsample is not None and not (is_integer(self.subsample) and self.subsample >= 1):
            refuse(self, "subsample", "None or an int in the range [1, inf)")

    def _warn_if_outside(self) -> None:
        """Warn if the ladder shows that the target needs weights it does not hold."""
        ladder, scores = self.gcv_path_["bandwidth"], self.gcv_path_["gcv"]
        best = int(np.argmin(scores))
        error = math.sqrt(scores[best])
        if error > _UNEXPLAINED:
            warnings.warn(
                f"No bandwidth from {ladder[0]:.3g} to {ladder[-1]:.3g} explains the target: the "
                f"best GCV error is {error:.2f} of its standard deviation. Either it is noise, or "
                f"its spectrum lies outside what these samples and {self.n_components} components "
                "resolve; add samples or components, or set 'bandwidth'.",
                BandlimitWarning,
                stacklevel=3,
            )
        elif (
            best == len(ladder) - 1
            and scores[best] < _STILL_FALLING * scores[best - 1]
            and scores[best] > 0.01
        ):
            warnings.warn(
                f"The target's spectrum seems to lie outside the widest box tried: at bandwidth "
                f"{ladder[-1]:.3g} the GCV error is {error:.2f} of the target's standard deviation "
                f"and still falling (it is {math.sqrt(scores[best - 1]):.2f} at half of it). Set a "
                "larger 'bandwidth', or add samples.",
                BandlimitWarning,
                stacklevel=3,
            )


def _tanh(z: np.ndarray) -> np.ndarray:
    return np.tanh(z, out=z)


def _gaussian(z: np.ndarray) -> np.ndarray:
    np.square(z, out=z)
    np.negative(z, out=z)
    return np.exp(z, out=z)


def _cos(z: np.ndarray) -> np.ndarray:
    return np.cos(z, out=z)


#: Each works in place.
_ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": _tanh,
    "gaussian": _gaussian,
    "cos": _cos,
}


def _row_dots(A: Any, B: np.ndarray) -> np.ndarray:
    """Return the inner product of each row of `A`, dense or sparse, with that of `B`."""
    if issparse(A):
        return np.asarray(A.multiply(B).sum(axis=1)).ravel()
    return np.einsum("ij,ij->i", A, B, dtype=np.float64)


def _data_scale(X: Any, rng: np.random.Generator) -> tuple[float, int]:
    """Return the bandwidth that fits the median distance, and how often it may be doubled.

    The doublings lead to the bandwidth that fits the median distance to the nearest neighbour.
    """
    n_samples = X.shape[0]
    rows = np.sort(rng.choice(n_samples, min(n_samples, _SCALE_ROWS), replace=False))
    # Neither depends on the number of threads, to the last bit.
    distances = euclidean_distances(X[rows], X) if issparse(X) else cdist(X[rows], X)
    distances[np.arange(len(rows)), rows] = 0.0
    # Distances of sparse duplicates come out as rounding errors: those that count are above them.
    apart = distances > 1e-6 * distances.max(initial=0.0)
    if not apart.any():
        return 1.0, 2
    typical = float(np.median(distances[apart]))
    nearest = np.min(distances, axis=1, where=apart, initial=np.inf)
    ratio = typical / float(np.median(nearest[np.isfinite(nearest)]))
    return math.sqrt(3.0) / typical, int(np.clip(math.ceil(math.log2(ratio)), 2, _HIGHEST_RUNG))


def _standardised_targets(y: Any, rows: np.ndarray) -> np.ndarray | None:
    """Return `y` as centred columns of unit norm, or None if it tells nothing.

    Labels, that is strings and booleans, become indicator columns.
    """
    y = y.toarray() if issparse(y) else np.asarray(y)
    if y.dtype.kind == "O":
        try:
            y = y.astype(np.float64)
        except (TypeError, ValueError):
            y = y.astype(str)
    y = y[rows]
    if y.dtype.kind not in "iuf":
        columns = y.reshape(len(y), -1).T
        y = np.hstack([column[:, np.newaxis] == np.unique(column) for column in columns])
    Y = y.reshape(len(y), -1).astype(np.float64)
    largest = np.abs(Y).max(axis=0, initial=0.0)
    Y = Y / np.where(largest > 0, largest, 1.0)
    Y -= Y.mean(axis=0)
    norms = np.linalg.norm(Y, axis=0)
    varies = norms > 1e-12 * math.sqrt(len(Y))
    if len(Y) < 3 or not varies.any():
        return None
    return Y[:, varies] / norms[varies]


def _score_ladder(
    arguments: np.ndarray,
    targets: np.ndarray,
    ladder: np.ndarray,
    activation: Callable[[np.ndarray], np.ndarray],
) -> tuple[dict[str, np.ndarray], int, float]:
    """Score every bandwidth by generalised cross-validation; return path, choice and penalty.

    Parameters
    ----------
    arguments : ndarray of shape (n_samples, n_components)
        Arguments of the hidden units at bandwidth 1.
    targets : ndarray of shape (n_samples, n_outputs)
        Centred, of unit norm.
    ladder : ndarray of shape (n_rungs,)
        Bandwidths, ascending.
    activation : callable
        Works in place.
    """
    n_samples = len(targets)
    curves = []
    for bandwidth in ladder:
        features = activation(bandwidth * arguments)
        features -= features.mean(axis=0)
        s, energies, outside = _spectrum(features, targets)
        alphas = _alpha_grid(s, features.shape)
        curves.append((alphas, *_gcv(s, energies, outside, n_samples, alphas)))
    best = [int(np.argmin(scores)) for _, scores, _ in curves]
    path = {
        "bandwidth": ladder,
        "gcv": np.array([scores[i] for i, (_, scores, _) in zip(best, curves, strict=True)]),
        "alpha": np.array([alphas[i] for i, (alphas, _, _) in zip(best, curves, strict=True)]),
        "dof": np.array([dofs[i] for i, (_, _, dofs) in zip(best, curves, strict=True)]),
    }
    # Mean squares of n residuals are uncertain by a factor of about 1 + sqrt(2 / n).
    limit = path["gcv"].min() * (1.0 + math.sqrt(2.0 / n_samples))
    strongest = [alphas[scores <= limit].max(initial=0.0) for alphas, scores, _ in curves]
    chosen = int(np.argmax(strongest))
    return path, chosen, float(strongest[chosen])


def _spectrum(features: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return what GCV needs of the SVD of centred features, and of the targets in its basis.

    Neither the left factor of a tall matrix nor the right factor of a wide one is needed, so a
    triangular factor is decomposed in place of the whole.

    Returns
    -------
    s : ndarray of shape (rank,)
        Singular values that are above rounding.
    energies : ndarray of shape (rank,)
        Squared components of the targets along the left singular vectors, averaged over outputs.
    outside : float
        Squared norm of the targets outside their span, averaged over outputs.
    """
    n_samples, n_components = features.shape
    n_outputs = targets.shape[1]
    if n_samples > n_components:
        triangle = np.linalg.qr(np.hstack([features, targets]), mode="r")
        square = triangle[:n_components, :n_components]
        coordinates = triangle[:n_components, n_components:]
        outside = np.sum(triangle[n_components:, n_components:] ** 2)
    else:
        square = np.linalg.qr(features.T, mode="r").T
        coordinates = targets
        outside = 0.0
    U, s, _ = np.linalg.svd(square)
    energies = np.sum((U.T @ coordinates) ** 2, axis=1)
    kept = s > _rounding(s, features.shape)
    kept[n_samples - 1 :] = False  # Centred columns span no more than this.
    outside += energies[~kept].sum()
    return s[kept], energies[kept] / n_outputs, float(outside) / n_outputs


def _rounding(s: np.ndarray, shape: tuple[int, ...]) -> float:
    """Return the level below which a singular value is rounding error."""
    return float(np.finfo(np.float64).eps * max(shape) * s.max(initial=0.0))


def _alpha_grid(s: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the penalties to try, four a decade, from rounding level to next to no fit."""
    if not len(s):
        return np.ones(1)
    low, high = 2 * math.log10(_rounding(s, shape)), 2 * math.log10(s.max()) + 4
    return np.logspace(low, high, num=math.ceil(4 * (high - low)) + 1)


def _gcv(
    s: np.ndarray, energies: np.ndarray, outside: float, n_samples: int, alphas: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return GCV scores as a fraction of the targets' variance, and degrees of freedom.

    Written in the factors ``alpha / (s^2 + alpha)``, which lose no digits where the fit is nearly
    an interpolation.
    """
    left = alphas[:, np.newaxis] / (s**2 + alphas[:, np.newaxis])
    residual = outside + left**2 @ energies
    free = (n_samples - 1 - len(s)) + left.sum(axis=1)
    return n_samples**2 * residual / free**2, len(s) - left.sum(axis=1)
