"""Parameter checks that the feature maps share, worded as scikit-learn words them."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, NoReturn

import numpy as np

from skrand.exceptions import InvalidParameterError

__all__ = ["is_integer", "is_real", "refuse"]


def is_integer(value: Any) -> bool:
    """Say whether `value` is an integer and not a bool."""
    return isinstance(value, Integral) and not isinstance(value, (bool, np.bool_))


def is_real(value: Any) -> bool:
    """Say whether `value` is a real number and not a bool."""
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))


def refuse(estimator: object, name: str, allowed: str) -> NoReturn:
    """Raise the sentence for a parameter that has another value than those `allowed`."""
    raise InvalidParameterError(
        f"The {name!r} parameter of {type(estimator).__name__} must be {allowed}. "
        f"Got {getattr(estimator, name)!r} instead."
    )
