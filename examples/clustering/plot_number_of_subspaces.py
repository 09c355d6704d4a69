"""
How many subspaces
==================

The normalised graph of rows near K subspaces has K eigenvalues near 1. Their plain gaps mislead
where noise lowers all of them; the gap relative to what is left, ``(v_k - v_(k+1)) / (1 -
v_(k+1))``, is what ``n_clusters="auto"`` looks for. It tries graphs of several densities and takes
the clearest answer.

On the left are spectra for three numbers of subspaces at one level of noise. On the right is the
number found for twelve as the noise grows: it soon is too small, and so is the gap.
"""

import matplotlib.pyplot as plt
import numpy as np

from skrand import SubspaceClusterer
from skrand.datasets import make_union_of_subspaces

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for K in (4, 8, 16):
    X, _ = make_union_of_subspaces(50 * K, 60, dims=3, n_clusters=K, noise=0.4, random_state=K)
    model = SubspaceClusterer("auto", random_state=0).fit(X)
    print(f"{K} subspaces, found {model.n_clusters_}, relative gap {model.eigengap_:.2f}")
    left.plot(np.arange(1, len(model.eigenvalues_) + 1), model.eigenvalues_, "o-", label=f"K = {K}")
    left.axvline(model.n_clusters_ + 0.5, color="0.8", zorder=0)
left.set(xlabel="number", ylabel="eigenvalue of the normalised graph", title="Spectra")
left.legend()

noises = np.array([0.2, 0.5, 0.8, 1.2, 1.6, 2.0])
found, gaps = [], []
for noise in noises:
    X, _ = make_union_of_subspaces(600, 60, dims=3, n_clusters=12, noise=noise, random_state=0)
    model = SubspaceClusterer("auto", random_state=0).fit(X)
    found.append(model.n_clusters_)
    gaps.append(model.eigengap_)
right.plot(noises, found, "o-", label="number found")
right.axhline(12, color="0.8", zorder=0)
right.set(xlabel="noise over signal", ylabel="clusters found", title="Twelve subspaces in noise")
twin = right.twinx()
twin.plot(noises, gaps, "s--", color="C1", label="relative gap")
twin.set(ylabel="relative gap", ylim=(0, 1))
figure.legend(loc="outside lower right", ncols=2)
plt.show()
