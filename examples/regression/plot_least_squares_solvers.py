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


def make_data(condition, n=20_000, d=100, noise=1e-3, seed=0):
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
# Fit each of them three times and keep the shortest time.

figure, panels = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained", sharey=True)
for panel, condition in zip(panels, [1e1, 1e10], strict=True):
    X, y, fit = make_data(condition)
    for name, model in models.items():
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # chol says that it cannot do the second panel
                model.fit(X, y)
            seconds.append(time.perf_counter() - start)
        error = np.linalg.norm(model.predict(X) - fit) / np.linalg.norm(fit)
        peer = not isinstance(model, SketchedRegressor)
        style = {"marker": "s" if peer else "o", "color": "0.45" if peer else "C0"}
        if name == "auto":
            style = {"marker": "*", "color": "C3", "s": 150, "zorder": 3}
        panel.scatter(1e3 * min(seconds), max(error, 1e-16), **style)
        label = f"auto ({model.solver_})" if name == "auto" else name
        below = name in {"auto", "SciPy lstsq"}
        panel.annotate(
            label,
            (1e3 * min(seconds), max(error, 1e-16)),
            xytext=(5, -12 if below else 5),
            textcoords="offset points",
            fontsize=9,
        )
    panel.set(xscale="log", yscale="log", xlabel="time to fit [ms]")
    panel.set_title(f"condition number {condition:.0e}")
    panel.margins(0.3, 0.2)
panels[0].set_ylabel("relative error of the fit")
panels[0].invert_yaxis()
figure.suptitle("20 000 rows, 100 columns: up is accurate, left is fast")
plt.show()
