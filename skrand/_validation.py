"""Parameter checks, worded as scikit-learn words them.

"The 'tol' parameter of SAP must be a float in the range (0, inf). Got -1 instead."
"""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Integral, Real
from typing import Any, NoReturn

import numpy as np
import scipy.sparse as sp

from skrand.exceptions import InvalidParameterError

__all__ = [
    "check_boolean",
    "check_integer",
    "check_magnitude",
    "check_n_jobs",
    "check_numeric",
    "check_option",
    "check_predictions",
    "check_real",
    "fail_parameter",
    "refuse_overflow",
]


def fail_parameter(owner: object, name: str, allowed: str, value: Any) -> NoReturn:
    """Raise the one sentence that every bad parameter gets.

    Parameters
    ----------
    owner : object
        The estimator or solver (or its name) whose parameter it is.
    name : str
        Name of the parameter.
    allowed : str
        What is allowed, to be read after "must be".
    value : object
        The value seen.
    """
    caller = owner if isinstance(owner, str) else type(owner).__name__
    raise InvalidParameterError(
        f"The {name!r} parameter of {caller} must be {allowed}. Got {value!r} instead."
    )


def _interval(low: float, high: float, closed: str) -> str:
    left = "[" if closed in ("left", "both") else "("
    right = "]" if closed in ("right", "both") else ")"
    # Integers in full: 2**64 - 1 is a bound that somebody may have to type.
    ends = (str(end) if isinstance(end, int) else f"{end:g}" for end in (low, high))
    return f"{left}{', '.join(ends)}{right}"


def _inside(value: float, low: float, high: float, closed: str) -> bool:
    above = low <= value if closed in ("left", "both") else low < value
    below = value <= high if closed in ("right", "both") else value < high
    return above and below


def _or_options(kind: str, options: Collection[Any]) -> str:
    words = [repr(option) for option in options]
    return ", ".join(words) + f" or {kind}" if words else kind


def _is_option(value: Any, options: Collection[Any]) -> bool:
    return any(
        value is option or (isinstance(value, str) and isinstance(option, str) and value == option)
        for option in options
    )


def check_real(
    owner: object,
    name: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    closed: str = "left",
    options: Collection[Any] = (),
) -> Any:
    """Return `value` if it is a real number in the interval, or one of `options`.

    Parameters
    ----------
    owner, name
        See :func:`fail_parameter`.
    value : object
        The value seen.
    low, high : float
        Ends of the interval.
    closed : {"left", "right", "both", "neither"}, default="left"
        Which ends belong to it.
    options : collection, default=()
        Other values that are allowed, such as None or a word.
    """
    if _is_option(value, options):
        return value
    number = isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
    if not number or not _inside(value, low, high, closed):
        kind = f"a float in the range {_interval(low, high, closed)}"
        fail_parameter(owner, name, _or_options(kind, options), value)
    return float(value)


def check_integer(
    owner: object,
    name: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    options: Collection[Any] = (),
) -> Any:
    """Return `value` if it is an integer in ``[low, high]``, or one of `options`."""
    if _is_option(value, options):
        return value
    whole = isinstance(value, Integral) and not isinstance(value, (bool, np.bool_))
    if not whole or not low <= value <= high:
        closed = "left" if high == math.inf else "both"
        kind = f"an int in the range {_interval(low, high, closed)}"
        fail_parameter(owner, name, _or_options(kind, options), value)
    return int(value)


def check_option(owner: object, name: str, value: Any, options: Collection[Any]) -> Any:
    """Return `value` if it is one of `options`."""
    if not _is_option(value, options):
        words = ", ".join(sorted(repr(option) for option in options))
        fail_parameter(owner, name, f"one of {words}", value)
    return value


def check_boolean(owner: object, name: str, value: Any) -> bool:
    """Return `value` if it is a bool."""
    if not isinstance(value, (bool, np.bool_)):
        fail_parameter(owner, name, "a bool", value)
    return bool(value)


def check_n_jobs(owner: object, value: Any) -> int | None:
    """Return a thread count: None (all that OpenMP would use) or an int from 1 up.

    Negative values count back from the number of processors, as in joblib.
    """
    if value is None:
        return None
    count = check_integer(owner, "n_jobs", value, options=())
    if count == 0:
        fail_parameter(owner, "n_jobs", "None or a non-zero int", value)
    if count < 0:
        from joblib import cpu_count

        return max(1, cpu_count() + 1 + count)
    return count


def check_numeric(y: np.ndarray, name: str = "y") -> np.ndarray:
    """Return y if it holds real numbers, which scikit-learn does not ask of several targets."""
    if y.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold real numbers. Got an array of dtype {y.dtype}.")
    return y


def check_magnitude(X: Any, name: str = "X", power: float = 2.0, dtype: Any = None) -> Any:
    """Return X if sums of powers of its entries stay in the range of its precision.

    A model that squares distances cannot be fitted to entries of 1e200, and says so rather than
    return NaN. NaN and infinity are for others to find. Costs two looks at X.

    Parameters
    ----------
    X : ndarray or sparse matrix of floats
        The data.
    name : str, default="X"
        What to call it.
    power : float, default=2
        The highest power of the data that is summed.
    dtype : dtype, optional
        The precision that is computed in; that of X by default.
    """
    entries = X.data if sp.issparse(X) else X
    if entries.size == 0:
        return X
    high, low = np.fmax.reduce(entries, axis=None), np.fmin.reduce(entries, axis=None)
    largest = float(max(abs(high), abs(low)))
    # Sums and differences of entries are squared too: a few bits to spare.
    dtype = np.dtype(entries.dtype if dtype is None else dtype)
    bound = float(np.finfo(dtype).max / entries.size) ** (1.0 / power) / 64.0
    if bound < largest < math.inf:
        raise ValueError(
            f"{name} has an entry of magnitude {largest:.1e}, too large to be raised to the power "
            f"of {power:g} in {dtype}: at most {bound:.1e} is. Divide {name} by a power "
            "of ten" + (", or convert it to float64." if dtype == np.float32 else ".")
        )
    return X


def refuse_overflow(squares: np.ndarray | float, name: str = "X") -> None:
    """Raise if sums of squares of the data are not finite; for those who have them anyway."""
    if not np.isfinite(squares).all():
        raise ValueError(
            f"The sums of squares of {name} are not finite: its entries, or the sample weights, "
            f"are too large. Divide them by a power of ten."
        )


def check_predictions(y: np.ndarray) -> np.ndarray:
    """Return predictions if they are finite: those of data larger than any number are not."""
    if not np.isfinite(y).all():
        raise ValueError(
            f"Predictions are not finite: X is too large for them to be numbers of type {y.dtype}."
        )
    return y
