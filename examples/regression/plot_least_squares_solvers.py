"""
Which least-squares solver: error against time
==============================================

Every solver of the task ``least-squares``, beside scikit-learn and SciPy, on the same data: how
long it took and how far its fit is from the best one. Top left is where one wants to be:
fast *and* right. Where the data are well conditioned, a Cholesky factorisation is there; where
they are not, it is a preconditioned one, and what scikit-learn returns is not the solution.
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
import scipy.linalg
from sklearn.linear_model import LinearRegression

from skrand import SketchedRegressor

# %%
# Data of known condition number, whose best fit is known too: the noise is made orthogonal to
# everything that the columns can express.


def make_data(condition, n=10_000, d=100, noise=1e-3, seed=0):
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
    return X, fit + residual, fit


class Lstsq:
    """SciPy's lstsq, centred as LinearRegression does it."""

    def fit(self, X, y):
        mean = X.mean(axis=0)
        self.coef_ = scipy.linalg.lstsq(X - mean, y - y.mean())[0]
        self.intercept_ = y.mean() - mean @ self.coef_
        return self

    def predict(self, X):
        return X @ self.coef_ + self.intercept_


names = ["auto", "chol", "pne", "sap", "spir", "lapack", "sketch"]
models = {name: SketchedRegressor(solver=name, random_state=0) for name in names}
models |= {"LinearRegression": LinearRegression(), "SciPy lstsq": Lstsq()}

# %%
# Fit each of them twice and keep the shorter time.

markers = dict(zip(models, "*ospPDvXd", strict=True))
figure, panels = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained", sharey=True)
for panel, condition in zip(panels, [1e1, 1e10], strict=True):
    X, y, fit = make_data(condition)
    for number, (name, model) in enumerate(models.items()):
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # chol says that it cannot do the second panel
                model.fit(X, y)
            seconds.append(time.perf_counter() - start)
        error = np.linalg.norm(model.predict(X) - fit) / np.linalg.norm(fit)
        style = {"marker": markers[name], "color": f"C{number}", "label": name, "s": 70}
        if name == "auto":
            style |= {"s": 260, "color": "none", "edgecolor": "k", "linewidth": 1.2, "zorder": 3}
            panel.set_title(f"condition number {condition:.0e}: auto takes {model.solver_}")
        panel.scatter(1e3 * min(seconds), max(error, 1e-16), **style)
    panel.set(xscale="log", yscale="log", xlabel="time to fit, ms")
    panel.margins(0.15, 0.15)
    panel.grid(alpha=0.3)
panels[0].set_ylabel("relative error of the fit")
panels[0].invert_yaxis()
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center")
figure.suptitle("10 000 rows, 100 columns: up is accurate, left is fast")
plt.show()
