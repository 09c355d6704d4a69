"""
Least squares at any condition number
=====================================

As the columns of the data become nearly dependent, scikit-learn's LinearRegression starts to drop
directions without a word, and a Cholesky factorisation stops meaning anything. ``solver="auto"``
notices from the backward error it computes, and moves on to a randomized preconditioner.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LinearRegression

from skrand import SketchedRegressor

# %%
# Data whose condition number we know: singular values from 1 down to 1 / condition, and a target
# that they explain up to noise orthogonal to them, so that the best residual is known too.


def make_data(condition, n=8_000, d=60, noise=1e-6, seed=0):
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(np.column_stack([np.ones(n), rng.standard_normal((n, d))]))[0][:, 1:]
    rotation = np.linalg.qr(rng.standard_normal((d, d)))[0]
    X = basis * np.logspace(0, -np.log10(condition), d) @ rotation
    fit = X @ rng.standard_normal(d)
    residual = rng.standard_normal(n)
    residual -= residual.mean()
    for _ in range(2):
        residual -= basis @ (basis.T @ residual)
    residual *= noise * np.linalg.norm(fit) / np.linalg.norm(residual)
    return X, fit + residual, np.linalg.norm(residual)


conditions = np.logspace(1, 13, 13)
models = {
    "LinearRegression": LinearRegression(),
    "solver='lapack'": SketchedRegressor(solver="lapack"),
    "solver='auto'": SketchedRegressor(random_state=0),
}
excess = {name: [] for name in models}
seconds = {name: [] for name in models}
chosen = []
for condition in conditions:
    X, y, best = make_data(condition)
    for name, model in models.items():
        start = time.process_time()
        model.fit(X, y)
        seconds[name].append(time.process_time() - start)
        residual = np.linalg.norm(y - model.predict(X))
        excess[name].append(max(residual / best - 1, 1e-16))
    chosen.append(models["solver='auto'"].solver_)

# %%
# Left, how much larger than the best possible the residual is; right, the time. The shaded part is
# where "auto" left Cholesky.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
styles = {"LinearRegression": "o--", "solver='lapack'": "s:", "solver='auto'": "D-"}
for name in models:
    left.loglog(conditions, excess[name], styles[name], label=name)
    right.loglog(conditions, seconds[name], styles[name], label=name)
switch = next((i for i, name in enumerate(chosen) if name != "chol"), None)
if switch is not None:
    edge = np.sqrt(conditions[switch - 1] * conditions[switch])
    for axes in (left, right):
        label = f"auto takes {chosen[-1]!r}"
        axes.axvspan(edge, conditions[-1] * 2, color="tab:green", alpha=0.15, label=label)
left.set(xlabel="condition number", ylabel="residual / best possible - 1 (1e-16: none)")
left.set_ylim(top=1e4)
left.set_title("LinearRegression is silently wrong from 1e6 on")
right.set(xlabel="condition number", ylabel="CPU seconds")
right.set_title("What it costs")
left.legend(loc="upper left", ncols=2)
plt.show()
