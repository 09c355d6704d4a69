"""
Linearised digits: from curved clouds to orthogonal subspaces
=============================================================

Images of one digit form a curved manifold, and the subspaces through the manifolds of two digits
nearly meet. ``ManifoldLinearizer`` maps random Fourier features of the images so that all images
together take many nats to encode and each cluster few. What comes out is one subspace a cluster,
nearly orthogonal to the others. No labels are used.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.preprocessing import Normalizer

from skrand import ManifoldLinearizer
from skrand.clustering import class_bases, clustering_accuracy, subspace_coherence

X, y = load_digits(return_X_y=True)
X = Normalizer().fit_transform(X)

# %%
# Clusters of equal size, by a doubly stochastic membership: there are as many of each digit.

model = ManifoldLinearizer(10, balance="uniform", random_state=0).fit(X)
Z = model.transform(X)
print(f"accuracy of the clusters: {clustering_accuracy(y, model.labels_):.3f}")

# %%
# How nearly the subspaces of the true classes meet, of dimension 3, before and after. Cosine 1
# means a shared direction.

names = ("images", "linearised")
coherence = [subspace_coherence(class_bases(data, y, 3)) for data in (X, Z)]
for name, value in zip(names, coherence, strict=True):
    print(f"mean cosine of the smallest angle, {name}: {value:.3f}")

# %%
# Cosines of all pairs, sorted by digit: before, everything is like everything; after, a digit is
# like itself and orthogonal to the others. Right, the singular values of one class: the linearised
# class still fills several dimensions, it has not collapsed to a point.

order = np.argsort(y, kind="stable")
figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
for ax, data, name, value in zip(axes, (X, Z), names, coherence, strict=False):
    image = ax.imshow(np.abs(data[order] @ data[order].T), cmap="Greys", vmin=0, vmax=1)
    ends = np.cumsum(np.bincount(y))
    centres = ends - np.bincount(y) / 2
    ax.set_xticks(centres, range(10))
    ax.set_yticks(centres, range(10))
    ax.set(xlabel="rows, by digit", ylabel="rows, by digit")
    ax.set_title(f"{name}: mean cosine {value:.2f}")
figure.colorbar(image, ax=axes[1], label="|cosine| of two rows", shrink=0.8)
for data, name in ((X, names[0]), (Z, names[1])):
    singular = np.linalg.svd(data[y == 3], compute_uv=False)[:20]
    axes[2].plot(np.arange(1, 21), singular / singular[0], "o-", label=name)
axes[2].set(xlabel="number", ylabel="singular value / largest", title='Images of "3"')
axes[2].xaxis.get_major_locator().set_params(integer=True)
axes[2].legend()
plt.show()
