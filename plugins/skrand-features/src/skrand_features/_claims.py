"""What the source of each feature map promises, measured again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from skrand.testing import ClaimResult

__all__ = ["bandlimited", "state_space"]

_N_SAMPLES = 3000
_FREQUENCY = 10
_HALF_WIDTH = 3.0


def _wave(X: np.ndarray) -> np.ndarray:
    """Return ``sin(pi w x) exp(-x^2)``."""
    return np.sin(np.pi * _FREQUENCY * X[:, 0]) * np.exp(-(X[:, 0] ** 2))


def _held_out_error(
    n_components: int, bandwidth: float, seed: int, alpha: float | None = None
) -> float:
    """Return the root-mean-square error on new samples relative to that of predicting zero.

    The read-out is least squares by SVD, truncated at ``1e-12`` of the largest singular value, or
    ridge regression with penalty `alpha` and an intercept.
    """
    from scipy.linalg import lstsq
    from sklearn.linear_model import Ridge

    from skrand_features import BandlimitedFeatures

    X, X_new = _samples(seed)
    y, y_new = _wave(X), _wave(X_new)
    features = BandlimitedFeatures(n_components, bandwidth=bandwidth, random_state=seed)
    Z, Z_new = features.fit_transform(X), features.transform(X_new)
    if alpha is None:
        predicted = Z_new @ lstsq(Z, y, cond=1e-12)[0]
    else:
        predicted = Ridge(alpha, solver="svd").fit(Z, y).predict(Z_new)
    return float(np.linalg.norm(predicted - y_new) / np.linalg.norm(y_new))


def _samples(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the training samples and as many new ones."""
    rng = np.random.default_rng(seed)
    return tuple(rng.uniform(-_HALF_WIDTH, _HALF_WIDTH, size=(2, _N_SAMPLES, 1)))


def bandlimited() -> ClaimResult:
    """Measure what a box of weights that is too small costs, and whether GCV finds a good one.

    The target is ``sin(10 pi x) exp(-x^2)`` at 3000 uniform samples of [-3, 3]; errors are measured
    on 3000 others. About 20 seconds. The verdict is the same on [-1, 1], with cosines, and with
    biases drawn from the box in place of units centred on samples.
    """
    from skrand.testing import ClaimResult
    from skrand_features import BandlimitedFeatures

    seeds = (0, 1, 2, 3, 4)
    narrow = [_held_out_error(1600, 1.0, seed) for seed in seeds]
    wide = [_held_out_error(1600, 80.0, seed) for seed in seeds]
    ratios = []
    for seed in seeds:
        X, _ = _samples(seed)
        chosen = BandlimitedFeatures(400, random_state=seed).fit(X, _wave(X))
        path = chosen.gcv_path_
        ladder = [
            _held_out_error(400, bandwidth, seed, alpha)
            for bandwidth, alpha in zip(path["bandwidth"], path["alpha"], strict=True)
        ]
        ratios.append(_held_out_error(400, chosen.bandwidth_, seed, chosen.alpha_) / min(ladder))
    return ClaimResult(
        paper="Li, Sonoda, Cao, Wang, Liang, ICML 2023, arXiv:2008.08427",
        metric="relative RMSE on new samples, 1600 tanh units, bandwidth 80 (worst seed)",
        promised=0.02,
        measured=max(wide),
        baseline=min(narrow),
        baseline_name="bandwidth 1 (best seed)",
        holds=min(narrow) > 0.9 and max(wide) < 0.02 and max(ratios) < 2.0,
        seeds=seeds,
        note=(
            "y = sin(10 pi x) exp(-x^2), 3000 uniform samples of [-3, 3]. Bandwidth 1 must stay "
            f"above 0.9: {min(narrow):.3f} to {max(narrow):.3f}. With 400 units, bandwidth='auto' "
            f"is within {max(ratios):.2f} x of the best of its ladder (promised: 2 x)."
        ),
    )


_ORDERS = (8, 16, 32, 64)


def legs_transfer(order: int, omega: np.ndarray) -> np.ndarray:
    """Return the transfer function of HiPPO-LegS from its closed form, a row a frequency.

    State k has ``sqrt(2 k + 1) s (s - 1) ... (s - k + 1) / ((s + 1) (s + 2) ... (s + k + 1))``, the
    Laplace transform of a Legendre polynomial of ``exp(-t)``.
    """
    k = np.arange(order)
    s = 1j * np.asarray(omega)[:, np.newaxis]
    factors = np.hstack([1.0 / (s + 1.0), (s - k[:-1]) / (s + k[:-1] + 2.0)])
    return np.sqrt(2.0 * k + 1.0) * np.cumprod(factors, axis=1)


def normal_part(order: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return eigenvalues, unitary eigenvectors and input of what S4D keeps of HiPPO-LegS.

    That is the normal matrix ``A + P P^T`` with ``P_k = sqrt(k + 1/2)``, and half the input.
    """
    from skrand_features._statespace import hippo_legs

    A, B = hippo_legs(order)
    # Its symmetric part is -1/2, and the rest is skew, which a Hermitian solver takes.
    skew = A + 0.5 * np.outer(B, B) + 0.5 * np.eye(order)
    values, vectors = np.linalg.eigh(-1j * skew)
    return -0.5 + 1j * values, vectors, B / 2.0


def modal_transfer(
    values: np.ndarray, vectors: np.ndarray, B: np.ndarray, omega: np.ndarray
) -> np.ndarray:
    """Return the transfer function of a system from its eigenpairs, a row a frequency."""
    weights = np.linalg.solve(vectors, B.astype(np.complex128))
    return (weights / (1j * np.asarray(omega)[:, np.newaxis] - values)) @ vectors.T


def frequencies(order: int) -> np.ndarray:
    """Return frequencies from 0 to beyond the highest mode of S4D, dense around each of them."""
    modes = normal_part(order)[0].imag
    near = modes[modes > 0.0][:, np.newaxis] + np.linspace(-2.0, 2.0, 41)
    spread = np.logspace(-2.0, np.log10(4.0 * modes.max()), 2000)
    return np.unique(np.concatenate([[0.0], near.ravel(), spread]))


def state_space() -> list[ClaimResult]:
    """Measure how far diagonalised systems are from HiPPO-LegS, over all frequencies.

    Errors and gains are 2-norms over all states: what the worst read-out of unit norm sees. About
    one second.
    """
    from skrand.testing import ClaimResult
    from skrand_features import PTDStateSpaceFeatures
    from skrand_features._statespace import hippo_legs

    seeds = tuple(range(5))
    rows = {}
    for order in _ORDERS:
        omega = frequencies(order)
        exact = legs_transfer(order, omega)
        s4d = modal_transfer(*normal_part(order), omega)
        gains = np.linalg.norm(s4d, axis=1) / np.linalg.norm(exact, axis=1)
        worst = np.argmax(gains)
        errors, amplified = [], []
        for seed in seeds:
            bank = PTDStateSpaceFeatures(order, eps=1e-4, random_state=seed).fit(np.zeros((1, 64)))
            B = hippo_legs(order)[1]
            ours = modal_transfer(bank.eigenvalues_, bank.eigenvectors_, B, omega)
            errors.append(np.linalg.norm(ours - exact, axis=1).max())
            amplified.append(np.linalg.norm(ours[worst]) / np.linalg.norm(exact[worst]))
        rows[order] = {
            "error": max(errors),
            "dropped": np.linalg.norm(s4d - exact, axis=1).max(),
            "gain": max(amplified),
            "s4d_gain": gains[worst],
            "omega": omega[worst],
        }
    paper = "Yu, Nigmetov, Morozov, Mahoney, Erichson, ICLR 2024, arXiv:2310.01698"
    error = max(row["error"] for row in rows.values())
    dropped = {order: row["dropped"] for order, row in rows.items()}
    top = rows[_ORDERS[-1]]
    return [
        ClaimResult(
            paper=f"{paper}: perturbing before diagonalising converges at all frequencies at once",
            metric=f"largest error of the transfer function, orders {_ORDERS}, eps = 1e-4",
            promised="<= 0.05, and >= 1 without the low-rank part",
            measured=float(error),
            baseline=float(min(dropped.values())),
            baseline_name="low-rank part dropped (S4D), at the order that suits it best",
            holds=bool(error <= 0.05 and min(dropped.values()) >= 1.0),
            seeds=seeds,
            note="The exact transfer function has norm at most 1. Dropping the low-rank part: "
            + ", ".join(f"{value:.2g} at order {order}" for order, value in dropped.items())
            + ".",
        ),
        ClaimResult(
            paper=f"{paper}: S4D is not robust to noise at certain frequencies",
            metric="gain at S4D's worst frequency over that of HiPPO-LegS, order 64, eps = 1e-4",
            promised="<= 1.2, and >= 20 for S4D",
            measured=float(top["gain"]),
            baseline=float(top["s4d_gain"]),
            baseline_name="S4D",
            holds=bool(top["gain"] <= 1.2 and top["s4d_gain"] >= 20.0),
            seeds=seeds,
            note=f"A wave of angular frequency {top['omega']:.0f} over the timescale. S4D's worst "
            "gain grows with the order: "
            + ", ".join(f"{row['s4d_gain']:.3g} at {order}" for order, row in rows.items())
            + ".",
        ),
    ]
