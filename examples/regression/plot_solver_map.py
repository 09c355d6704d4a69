"""
Which solver is the fastest, where
==================================

The shape of the data, their condition number and how many entries are stored decide which exact
solver is the fastest. Here all of them run on a grid of cases, in one process; a cell has the
colour of the one that took the least CPU time among those whose answer was verified, and says how
many times as long ``solver="auto"`` took, which does not know the condition number beforehand.

These are small data, so that the map is drawn in seconds; ``benchmarks/regression.py`` has larger
ones. Machines differ: run it on yours.
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from skrand import make_solver
from skrand.regression import LeastSquares

COLORS = {
    "chol": "#88ccee",
    "pne": "#ddcc77",
    "spir": "#cc6677",
    "sap": "#cc99cc",
    "lapack": "#999999",
}
ROWS, COLUMNS = (1_000, 4_000, 12_000), (20, 100, 400)

# %%
# Dense data of a given condition number: singular values that fall by equal ratios. Sparse data:
# twenty entries in a row, and half of the columns nearly repeat the other half.

rng = np.random.default_rng(0)


def dense(n, d, condition):
    basis = np.linalg.qr(rng.standard_normal((n, d)))[0]
    rotation = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return basis * np.geomspace(1, 1 / condition, d) @ rotation


def sparse(n, d, condition):
    indptr = np.arange(0, 10 * n + 1, 10)
    indices = rng.integers(d // 2, size=10 * n)
    values = rng.standard_normal((2, 10 * n))
    B, C = (sp.csr_array((row, indices, indptr), shape=(n, d // 2)) for row in values)
    return sp.hstack([B, B + C / condition], format="csr")


# %%
# The shorter of two times of each solver that can, and whose answer is as accurate as asked for.
# Those that expect ten times the work of the cheapest are left out.


def one_thread(name):
    solver = make_solver("least-squares", name)
    return solver.set_params(n_jobs=1) if "n_jobs" in solver.get_params() else solver


def race(A):
    b = rng.standard_normal((A.shape[0], 1))
    problem = LeastSquares(A=A, b=b)
    solvers = [one_thread(name) for name in COLORS]
    costs = {s: s.cost(problem) for s in solvers if s.supports(problem) is None}
    costs = {solver: cost for solver, cost in costs.items() if cost is not None}
    solvers = [solver for solver in costs if costs[solver] <= 10 * min(costs.values())]
    seconds = {}
    for solver in [*solvers, one_thread("auto")] * 2:
        problem = LeastSquares(A=A, b=b)
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of those that cannot do it
            solution = solver.solve(problem, rng=0)
        taken = time.process_time() - start
        if solution.converged:
            seconds[solver.name] = min(taken, seconds.get(solver.name, np.inf))
    auto = seconds.pop("auto")
    best = min(seconds, key=seconds.get)
    return list(COLORS).index(best), auto / seconds[best]


panels = {
    "dense, condition 10": (dense, COLUMNS, 1e1),
    "dense, condition 1e7": (dense, COLUMNS, 1e7),
    "dense, condition 1e12": (dense, COLUMNS, 1e12),
    "sparse, condition 1e7": (sparse, (40, 100, 300), 1e7),
}
figure, axes = plt.subplots(1, 4, figsize=(12, 3.8), layout="constrained", sharey=True)
for axis, (title, (make, columns, condition)) in zip(axes, panels.items(), strict=True):
    winners = np.empty((len(ROWS), len(columns)))
    for i, n in enumerate(ROWS):
        for j, d in enumerate(columns):
            winners[i, j], ratio = race(make(n, d, condition))
            axis.text(j, i, f"auto\n{ratio:.1f}x", ha="center", va="center", fontsize=9)
    axis.imshow(winners, cmap=ListedColormap(COLORS.values()), vmin=0, vmax=4, aspect="auto")
    axis.set_xticks(range(len(columns)), [f"{d:,}" for d in columns])
    axis.set_yticks(range(len(ROWS)), [f"{n:,}" for n in ROWS])
    axis.invert_yaxis()
    axis.set(xlabel="columns", title=title)
axes[0].set_ylabel("rows")
patches = [Patch(color=color, label=name) for name, color in COLORS.items()]
figure.legend(
    handles=patches, loc="outside lower center", ncols=len(COLORS), title="fastest solver"
)
plt.show()
