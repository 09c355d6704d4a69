"""Parameter checks, worded as scikit-learn words them.

"The 'tol' parameter of SAP must be a float in the range (0, inf). Got -1 instead."
"""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Integral, Real
from typing import Any, NoReturn

import numpy as np

from skrand.exceptions import InvalidParameterError

__all__ = [
    "check_boolean",
    "check_integer",
    "check_n_jobs",
    "check_option",
    "check_real",
    "fail_parameter",
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
