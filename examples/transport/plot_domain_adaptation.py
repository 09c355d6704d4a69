"""
Data that moved: domain adaptation by optimal transport
=======================================================

A classifier was trained on two moons; the data it now meets are rotated and carry no labels.
Transporting the training points to the new ones, with their labels, repairs it. How much to
regularise is a question for the data: the smallest value is not the best.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons
from sklearn.neighbors import KNeighborsClassifier

from skrand import OTAdapter, SinkhornNewtonOT

# %%
# Labelled source points, and unlabelled target points: the same moons, rotated by 35 degrees.

angle = np.deg2rad(35)
rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
X, y = make_moons(300, noise=0.05, random_state=0)
X_new, y_new = make_moons(260, noise=0.05, random_state=1)
X_new = X_new @ rotation.T

plain = KNeighborsClassifier(1).fit(X, y).score(X_new, y_new)

# %%
# One transport for each regularisation, from nearly exact to very smooth.

regs = np.logspace(-2.5, 0.5, 13)
scores = []
for reg in regs:
    transport = SinkhornNewtonOT(reg=reg, tol=1e-6)
    adapter = OTAdapter(KNeighborsClassifier(1), transport=transport).fit(X, y, Xt=X_new)
    scores.append(adapter.score(X_new, y_new))
best = regs[int(np.argmax(scores))]

# %%
# Left, the source with its labels and the target without; middle, the source where the best plan
# put it; right, the accuracy on the target for all regularisations.

moved = SinkhornNewtonOT(reg=best, target=X_new, tol=1e-6).fit(X).transform(X)
figure, (before, after, curve) = plt.subplots(1, 3, figsize=(12, 3.9), layout="constrained")
for axes, points, title in (
    (before, X, "before"),
    (after, moved, f"transported, reg = {best:.2g}"),
):
    axes.scatter(*X_new.T, color="0.75", s=14, label="target, no labels")
    for label, color in enumerate(("tab:blue", "tab:red")):
        axes.scatter(*points[y == label].T, color=color, s=12, label=f"source, class {label}")
    axes.set(title=title, xlim=(-1.4, 2.4), ylim=(-1.4, 2.1), xticks=[], yticks=[])
before.legend(loc="lower left", ncols=2, fontsize="small", columnspacing=0.8, handletextpad=0.1)
curve.semilogx(regs, scores, "D-", label="with transport")
curve.axhline(plain, ls="--", color="0.4", label="without")
curve.set(
    xlabel="regularisation", ylabel="accuracy on the target", title="Accuracy by regularisation"
)
curve.legend()
plt.show()
