"""Counter-based random numbers: a function of (seed, stream, row, column), not of history.

A random matrix here is never a sequence. Its entry (i, j) is computed from the seed and from i and
j alone, so that any block of it can be made anywhere, by any number of threads, with the same
bits. Streams keep the matrices of different purposes apart under one seed.

The generator is Philox4x32-10 [1]_, which passes the usual batteries of tests and has known
answers that the test suite checks.

References
----------
.. [1] J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, "Parallel random numbers: as easy as
   1, 2, 3", SC 2011, https://doi.org/10.1145/2063384.2063405.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skrand._ext import random as _kernels
from skrand.linalg.threads import effective_n_jobs

__all__ = ["normal_matrix", "philox4x32", "sign_matrix", "split_seed"]

# Lower streams belong to the sketches.
_FIRST_FREE_STREAM = 16


def philox4x32(counters: np.ndarray, seed: int) -> np.ndarray:
    """Return Philox4x32-10 of many counters, in plain NumPy.

    Slower than the compiled kernels by a large factor; it is what they are tested against.

    Parameters
    ----------
    counters : ndarray of shape (..., 4), uint32
        The counters, least significant word first.
    seed : int
        The 64-bit key.

    Returns
    -------
    ndarray of shape (..., 4), uint32
        Four random words for each counter.
    """
    mask = np.uint64(0xFFFFFFFF)
    x0, x1, x2, x3 = np.moveaxis(np.asarray(counters, dtype=np.uint64), -1, 0)
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0 = np.uint64(0xD2511F53) * x0
        p1 = np.uint64(0xCD9E8D57) * x2
        x0 = (p1 >> np.uint64(32)) ^ x1 ^ np.uint64(k0)
        x2 = (p0 >> np.uint64(32)) ^ x3 ^ np.uint64(k1)
        x1, x3 = p1 & mask, p0 & mask
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([x0, x1, x2, x3], axis=-1).astype(np.uint32)


def normal_matrix(
    shape: tuple[int, int],
    seed: int,
    *,
    stream: int = 0,
    row_offset: int = 0,
    scale: float = 1.0,
    dtype: Any = np.float64,
    n_jobs: int | None = None,
) -> np.ndarray:
    """Return rows ``row_offset`` and on of a matrix of independent normal numbers.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    seed : int
        From 0 to ``2**64 - 1``.
    stream : int, default=0
        Matrices of different streams are independent. From 0 to ``2**31 - 1``.
    row_offset : int, default=0
        First row.
    scale : float, default=1.0
        Standard deviation.
    dtype : {float64, float32}
        A float32 matrix is the float64 one, rounded.
    n_jobs : int, optional
        Threads; the matrix does not depend on it.

    Returns
    -------
    ndarray of the given shape
        By the method of Box and Muller, one Philox call for two numbers; every number has a
        magnitude below 8.5.

    Examples
    --------
    >>> from skrand.linalg.random import normal_matrix
    >>> whole = normal_matrix((5, 3), seed=0)
    >>> bool((whole[2:] == normal_matrix((3, 3), seed=0, row_offset=2)).all())
    True
    """
    out = np.empty(shape, dtype=dtype)
    tag = _FIRST_FREE_STREAM + stream
    _kernels.fill_normal(out, seed, tag, row_offset, 0, scale, effective_n_jobs(n_jobs))
    return out


def sign_matrix(
    shape: tuple[int, int],
    seed: int,
    *,
    stream: int = 0,
    row_offset: int = 0,
    scale: float = 1.0,
    dtype: Any = np.float64,
    n_jobs: int | None = None,
) -> np.ndarray:
    """Return rows ``row_offset`` and on of a matrix of independent signs.

    Parameters
    ----------
    shape, seed, stream, row_offset, dtype, n_jobs
        As in :func:`normal_matrix`. A stream must not be used for both.
    scale : float, default=1.0
        Magnitude of the entries.

    Returns
    -------
    ndarray of the given shape
        Entries are ``scale`` or ``-scale``, with equal probability.
    """
    out = np.empty(shape, dtype=dtype)
    tag = _FIRST_FREE_STREAM + stream
    _kernels.fill_signs(out, seed, tag, row_offset, 0, scale, effective_n_jobs(n_jobs))
    return out


def split_seed(seed: int, index: int) -> int:
    """Return the `index`-th of many independent 64-bit seeds that one seed stands for."""
    counter = np.array([[index & 0xFFFFFFFF, index >> 32, 0, 0xFFFFFFFF]], dtype=np.uint32)
    words = np.empty_like(counter)
    _kernels.philox(counter, seed, words)
    return int(words[0, 0]) | int(words[0, 1]) << 32
