"""Low-rank matrices of known condition, seen through masks that leave no row short of entries."""

import numpy as np
import scipy.sparse as sp


def low_rank(m, n, k, oversampling, condition=1.0, seed=0, noise=0.0):
    """Return a matrix of unit root mean square and a CSR array of some of its entries."""
    rng = np.random.default_rng(seed)
    P, Q = (np.linalg.qr(rng.standard_normal((size, k)))[0] for size in (m, n))
    M = (P * np.geomspace(1, 1 / condition, k)) @ Q.T
    M /= np.sqrt(np.mean(M**2))
    mask = np.zeros(m * n, dtype=bool)
    mask[rng.choice(m * n, round(oversampling * k * (m + n - k)), replace=False)] = True
    mask = mask.reshape(m, n)
    for lines in (mask, mask.T):
        for line in lines:
            empty = np.flatnonzero(~line)
            line[rng.permutation(empty)[: max(0, k + 1 - line.sum())]] = True
    rows, columns = np.nonzero(mask)
    values = M[rows, columns] + noise * rng.standard_normal(len(rows))
    return M, sp.csr_array((values, (rows, columns)), shape=(m, n))


def dense(X):
    """Return a sparse array of observed entries as a dense one with NaN elsewhere."""
    out = np.full(X.shape, np.nan, dtype=X.dtype)
    entries = X.tocoo()
    out[entries.row, entries.col] = entries.data
    return out


def rmse(A, B):
    return float(np.sqrt(np.mean((A - B) ** 2)))
