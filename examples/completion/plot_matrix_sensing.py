"""
A matrix from few measurements, and the price of symmetry
=========================================================

A 30 x 30 matrix of rank 3 has 900 entries but only 171 degrees of freedom, and a few hundred random
measurements determine it. How gradient descent finds it depends on how the matrix is written.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge

from skrand import MatrixSensingRegressor, make_solver

# %%
# Random measurements of a projection.


def measure(n, seed=0):
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((30, 3)))[0]
    X = rng.standard_normal((n, 30, 30))
    M = basis @ basis.T
    return X, np.tensordot(X, M), M


# %%
# Six columns where three would do, as when the rank is not known. A callback keeps the distance
# from the truth. Descent on one factor slows down like 1/T; on two factors it is linear, the slower
# the smaller its start; and rewriting the factors once, when the residual has become a tenth, takes
# that dependence away.


class Distance:
    def __init__(self, truth):
        self.truth, self.values = truth, []

    def setup(self, estimator, context): ...
    def teardown(self, estimator, context): ...
    def on_fit_task_begin(self, estimator, context): ...

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        error = np.linalg.norm(fitted_estimator.coef_matrix_ - self.truth)
        self.values.append(error / np.linalg.norm(self.truth))
        return self.values[-1] < 1e-10


def run(solver, **params):
    X, y, M = measure(900)
    distance = Distance(M)
    model = MatrixSensingRegressor(6, solver=solver, random_state=0, **params)
    with warnings.catch_warnings():
        # Some of these do not converge: that is the point.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.set_callbacks(distance).fit(X, y)
    return distance.values


def descent(**params):
    return make_solver("matrix-sensing", "gd", tol=1e-15, max_iter=800, **params)


curves = {"one factor": run(descent(), parameterization="symmetric")}
for scale in (0.7, 0.2):
    curves[f"two factors, start {scale}"] = run(descent(rebalance=False, init_scale=scale))
for scale in (0.7, 0.01):
    curves[f"rewritten once, start {scale}"] = run(descent(init_scale=scale))
curves["Gauss-Newton"] = run("rgn")

# %%
# How many measurements are needed, with the rank known.

counts = [120, 171, 200, 230, 260, 300, 400, 600, 900]
errors = {"MatrixSensingRegressor": [], "Ridge": []}
for n in counts:
    ours, theirs = [], []
    for seed in range(5):
        X, y, M = measure(n, seed)
        ours.append(np.linalg.norm(MatrixSensingRegressor(3).fit(X, y).coef_matrix_ - M))
        ridge = Ridge(1e-6, fit_intercept=False).fit(X.reshape(n, -1), y)
        theirs.append(np.linalg.norm(ridge.coef_.reshape(30, 30) - M))
    errors["MatrixSensingRegressor"].append(np.median(ours) / np.sqrt(3))
    errors["Ridge"].append(np.median(theirs) / np.sqrt(3))

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for name, values in curves.items():
    left.semilogy(
        np.arange(1, len(values) + 1),
        values,
        label=name,
        lw=3 if values is curves["Gauss-Newton"] else 1.5,
    )
left.set(xlabel="iteration", ylabel="relative error", title="Six columns for a matrix of rank 3")
left.set_xlim(-20, 1250)
left.legend(fontsize="small", loc="lower right")
for name, values in errors.items():
    right.semilogy(counts, values, "o-", label=name)
right.axvline(171, color="0.7", linestyle="--")
right.text(160, 1e-9, "171 degrees of freedom", color="0.4", rotation=90, ha="right", va="center")
right.set(xlabel="measurements", ylabel="relative error", title="Rank 3 known; median of 5")
right.set_xlim(50)
right.legend(loc="center right")
plt.show()
