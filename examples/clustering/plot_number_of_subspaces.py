"""
How many subspaces
==================

The normalised graph of rows near K subspaces has K eigenvalues near 1. Their plain gaps mislead
where noise lowers all of them; the gap relative to what is left, ``(v_k - v_(k+1)) / max(0.01, 1 -
v_(k+1))``, is what ``n_clusters="auto"`` looks for. It tries graphs of several densities and takes
the clearest answer.

On the left is how far the eigenvalues are from 1, for three numbers of subspaces at one level of
noise: the step is where the number is. On the right is the number found for twelve as the noise
grows: it soon is too small, and so is the gap, which says that the answer means little.
"""

import matplotlib.pyplot as plt
import numpy as np

from skrand import SubspaceClusterer
from skrand.datasets import make_union_of_subspaces

figure, axes = plt.subplot_mosaic([["left", "found"], ["left", "gap"]], figsize=(9, 4))
figure.set_layout_engine("constrained")
left = axes["left"]
for K, marker in zip((5, 10, 15), "os^", strict=True):
    X, _ = make_union_of_subspaces(60 * K, 100, dims=4, n_clusters=K, noise=0.2, random_state=K)
    model = SubspaceClusterer("auto", random_state=0).fit(X)
    distances = np.maximum(1 - model.eigenvalues_, 1e-12)
    label = f"{K} subspaces, found {model.n_clusters_}"
    left.semilogy(np.arange(1, len(distances) + 1), distances, marker + "-", label=label)
left.set(xlabel="number of the eigenvalue", ylabel="1 - eigenvalue", title="Spectra of graphs")
left.xaxis.get_major_locator().set_params(integer=True)
left.set_ylim(bottom=1e-17)
left.legend(loc="lower right")

noises = np.array([0.2, 0.5, 0.8, 1.2, 1.6, 2.0])
found, gaps = [], []
for noise in noises:
    X, _ = make_union_of_subspaces(600, 60, dims=3, n_clusters=12, noise=noise, random_state=0)
    model = SubspaceClusterer("auto", random_state=0).fit(X)
    found.append(model.n_clusters_)
    gaps.append(model.eigengap_)
axes["found"].plot(noises, found, "o-", color="C3")
axes["found"].axhline(12, color="0.6", linestyle="--", zorder=0)
axes["found"].set(ylabel="clusters found", ylim=(0, 13.5), title="Twelve subspaces in noise")
axes["gap"].plot(noises, gaps, "o-", color="C3")
axes["gap"].set(xlabel="noise over signal", ylabel="relative gap", ylim=(0, 1.05))
plt.show()
