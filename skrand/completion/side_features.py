"""Factors of rows and columns without an entry, from features of theirs."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array

__all__ = ["check_features", "describe"]

#: Penalties that leave-one-out chooses from, for features of variance 1.
_PENALTIES = 10.0 ** np.arange(-3, 5)


def check_features(name: str, features: Any, size: float) -> np.ndarray | None:
    """Return features as a float64 array of `size` rows (any number if infinite), or None."""
    if features is None:
        return None
    features = check_array(features, dtype=np.float64, input_name=name)
    if np.isfinite(size) and len(features) != size:
        raise ValueError(f"{name} must have {size:.0f} rows, as shape says. Got {len(features)}.")
    return features


def describe(
    features: np.ndarray | None, counts: np.ndarray, factor: np.ndarray, bias: np.ndarray
) -> np.ndarray:
    """Fill in factors and biases where there was no entry; return where they are known now.

    By ridge regression of factors and biases on features, over the rows that have entries, each
    weighted by their number. Leave-one-out chooses the penalty.
    """
    seen = counts > 0
    if features is None:
        return seen
    if not seen.all():
        scaler, model = StandardScaler().fit(features[seen]), RidgeCV(_PENALTIES)
        targets = np.column_stack([factor, bias]).astype(np.float64)
        model.fit(scaler.transform(features[seen]), targets[seen], sample_weight=counts[seen])
        found = model.predict(scaler.transform(features[~seen]))
        factor[~seen], bias[~seen] = found[:, :-1], found[:, -1]
    return np.ones(len(seen), dtype=bool)
