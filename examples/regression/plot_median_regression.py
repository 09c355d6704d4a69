"""
Median regression on a million rows
===================================

Least squares follows outliers; the median does not. For a million rows the linear program behind
median regression has two million variables, which is why it has the name of being slow.
``SketchedRegressor(p=1)`` solves it in a fraction of a second: it fits a sample, fixes the signs of
the residuals that are beyond doubt, and solves for the rest. The bound on the duality gap says that
the answer is the optimum.
"""

import time

import matplotlib.pyplot as plt
import numpy as np

from skrand import SketchedRegressor

# %%
# A daily cycle, and a tenth of the readings from sensors that are stuck at a high value in the
# afternoon.

rng = np.random.default_rng(0)
n = 1_000_000
hour = rng.uniform(0, 24, n)
truth = 10 + 5 * np.sin((hour - 9) / 24 * 2 * np.pi)
reading = truth + rng.standard_normal(n)
stuck = (rng.random(n) < 0.1 * (hour > 12) + 0.05) & (hour > 10)
reading[stuck] = 40 + 3 * rng.standard_normal(stuck.sum())


def features(hour):
    """Harmonics of the day."""
    angle = np.asarray(hour)[:, None] / 24 * 2 * np.pi * np.arange(1, 6)
    return np.hstack([np.sin(angle), np.cos(angle)])


X = features(hour)

# %%
# Fit with squares, with the median, and with powers between.

models, seconds = {}, {}
for p in (2.0, 1.5, 1.0):
    start = time.process_time()
    models[p] = SketchedRegressor(p=p, random_state=0).fit(X, reading)
    seconds[p] = time.process_time() - start
    model = models[p]
    gap = "" if model.dual_gap_ is None else f", duality gap {model.dual_gap_:.0e}"
    print(f"p={p:g}: solver {model.solver_}, {seconds[p]:.2f} s, {model.n_passes_} passes{gap}")

# %%
# The median is not moved by the stuck sensors.

grid = np.linspace(0, 24, 200)
error = {
    p: np.abs(model.predict(features(grid)) - 10 - 5 * np.sin((grid - 9) / 24 * 2 * np.pi)).max()
    for p, model in models.items()
}
print({f"p={p:g}": round(float(value), 2) for p, value in error.items()})

# %%
# Solutions from a sample of the rows, each with its own certificate.

sizes, gaps, excess = [], [], []
for epsilon in (0.1, 0.03, 0.01, 0.003, 0.001):
    small = SketchedRegressor(
        p=1, solver="coreset", guarantee="residual", epsilon=epsilon, random_state=0
    ).fit(X, reading)
    sizes.append(small.sketch_size_)
    gaps.append(small.dual_gap_)
    excess.append(small.objective_ / models[1.0].objective_ - 1)

# %%
# Left: the fits. Right: how far samples of growing size are from the optimum, as certified and in
# truth.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
some = rng.choice(n, 4000, replace=False)
left.plot(hour[some], reading[some], ".", color="0.75", markersize=2, label="readings")
left.plot(grid, 10 + 5 * np.sin((grid - 9) / 24 * 2 * np.pi), "k--", label="truth")
for p, color in zip(models, ("tab:red", "tab:orange", "tab:blue"), strict=True):
    left.plot(grid, models[p].predict(features(grid)), color=color, label=f"p = {p:g}")
left.set(xlabel="hour", ylabel="reading", title="A million readings, 10 % of them stuck")
left.legend(loc="upper left")
right.loglog(sizes, gaps, "o-", color="tab:cyan", lw=6, ms=11, label="certified")
right.loglog(sizes, excess, "s-", color="k", label="true excess")
right.set(
    xlabel="rows in the sample", ylabel="relative excess of the loss", title="Solver coreset, p = 1"
)
right.legend()
plt.show()
