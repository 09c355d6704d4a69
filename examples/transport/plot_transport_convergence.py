"""
A race to small violations: four ways through one transport problem
===================================================================

Sinkhorn's iteration gains a fixed factor a sweep, and little of it where the regularisation is
small. Newton's method on a sparse plan ends with steps that square the violation.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_images

from skrand import SinkhornNewtonOT, make_solver
from skrand.inspection import ConvergenceDisplay

# %%
# Colours of one photograph to those of another: 400 pixels each, and a regularisation of a
# hundredth of the largest cost.

rng = np.random.default_rng(0)
pixels = [image.reshape(-1, 3) / 255 for image in load_sample_images().images]
X, Y = (p[rng.choice(len(p), 400, replace=False)] for p in pixels)

# %%
# All four get the same problem and the same tolerance.

task = "entropic-transport"
solvers = {
    "Sinkhorn": make_solver(task, "sinkhorn", omega=1.0),
    "Sinkhorn, over-relaxed": make_solver(task, "sinkhorn"),
    "Sinkhorn-Newton-Sparse": make_solver(task, "sns", sparsity=0.3),
    "annealed Newton (auto)": make_solver(task, "auto"),
}
figure, axes = plt.subplots(figsize=(8.5, 4), layout="constrained")
for name, solver in solvers.items():
    model = SinkhornNewtonOT(0.01, target=Y, cost_scale="max", solver=solver).fit(X)
    ConvergenceDisplay.from_estimator(model, name=name, ax=axes)
axes.set(xscale="log", xlabel="sweeps over the costs", ylabel="violation of the marginals, L1")
axes.set_title("Two photographs' colours, 400 each, to a violation of 1e-9")
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()
