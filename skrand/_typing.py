"""Names for what scikit-learn's checks accept, which no type can say: it has none of its own."""

from __future__ import annotations

from typing import Any, TypeAlias

__all__ = ["MatrixLike"]

#: Array-like, data frame or sparse matrix of shape (n_samples, n_features).
MatrixLike: TypeAlias = Any
