"""
From how few entries a matrix comes back
========================================

A matrix of rank k has k (m + n - k) degrees of freedom, and from fewer entries it cannot be told.
How many more does an algorithm need? Each cell counts exact recoveries of 100 x 120 matrices of
rank 3: above, alternating least squares at a fixed penalty; below, the same while the penalty
falls from where the answer is zero.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp

from skrand.completion import MatrixCompletion
from skrand.completion.solvers import AlternatingLeastSquares, AlternatingMinimisation

M_ROWS, N_COLUMNS, RANK, TRIALS = 100, 120, 3, 4
OVERSAMPLING = (1.2, 1.4, 1.7, 2.0, 2.5, 3.0, 4.0)
CONDITION = (1, 10, 100)


def observe(oversampling, condition, seed):
    """Return a matrix and some of its entries, four or more in each row and column."""
    rng = np.random.default_rng(seed)
    P, Q = (np.linalg.qr(rng.standard_normal((s, RANK)))[0] for s in (M_ROWS, N_COLUMNS))
    M = (P * np.geomspace(1, 1 / condition, RANK)) @ Q.T
    M /= np.sqrt(np.mean(M**2))
    mask = np.zeros(M.size, dtype=bool)
    count = round(oversampling * RANK * (M_ROWS + N_COLUMNS - RANK))
    mask[rng.choice(M.size, count, replace=False)] = True
    mask = mask.reshape(M.shape)
    for lines in (mask, mask.T):
        for line in lines:
            empty = np.flatnonzero(~line)
            line[rng.permutation(empty)[: max(0, RANK + 1 - line.sum())]] = True
    places = np.nonzero(mask)
    return M, sp.csr_array((M[places], places), shape=M.shape)


solvers = {
    "fixed penalty (als)": AlternatingLeastSquares(max_iter=300, n_jobs=1),
    "falling penalty (am)": AlternatingMinimisation(n_jobs=1),
}
figure, axes = plt.subplots(2, 1, figsize=(7, 4.2), layout="constrained", sharex=True)
for axis, (name, solver) in zip(axes, solvers.items(), strict=True):
    share = np.zeros((len(CONDITION), len(OVERSAMPLING)))
    for i, condition in enumerate(CONDITION):
        for j, oversampling in enumerate(OVERSAMPLING):
            for seed in range(TRIALS):
                M, X = observe(oversampling, condition, seed)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    answer = solver.solve(MatrixCompletion(X=X, rank=RANK), rng=0).x.dense()
                share[i, j] += np.sqrt(np.mean((answer - M) ** 2)) < 1e-5
    print(name, (share / TRIALS).round(2).tolist())
    image = axis.imshow(share / TRIALS, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    axis.set_title(name)
    axis.set_yticks(range(len(CONDITION)), CONDITION)
    axis.set_ylabel("condition number")
axes[1].set_xticks(range(len(OVERSAMPLING)), OVERSAMPLING)
axes[1].set_xlabel("observed entries a degree of freedom")
figure.colorbar(image, ax=axes, label="share of matrices recovered")
plt.show()
