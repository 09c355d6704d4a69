"""
Surfaces under varying light
============================

Images of a matt surface, seen from one place under all directions of light, lie near a linear
subspace of few dimensions: three without shadows, about nine with attached ones. So photographs of
several surfaces under unknown lights can be sorted without labels, and each cluster's basis shows
what the surface looks like under light from a few directions.

Here the surfaces are rendered: bumps of random places and heights, with random paint. To k-means,
two surfaces under one light are nearer than one surface under two.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans

from skrand import SubspaceClusterer
from skrand.clustering import clustering_accuracy

SIDE, SURFACES, LIGHTS = 24, 6, 60
rng = np.random.default_rng(0)
grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, SIDE)] * 2), axis=-1)


def bumps(count, width):
    """A sum of round bumps of random places and heights."""
    out = np.zeros((SIDE, SIDE))
    for centre, size in zip(
        rng.uniform(-0.8, 0.8, (count, 2)), rng.normal(size=count), strict=True
    ):
        out += size * np.exp(-((grid - centre) ** 2).sum(axis=-1) / width)
    return out


def photographs():
    """Images of one surface, lit from random directions, with attached shadows and some noise."""
    height, paint = bumps(12, 0.1), np.exp(0.4 * bumps(12, 0.05))
    slopes = np.gradient(0.3 * height, 2 / (SIDE - 1))
    normals = np.stack([-slopes[1], -slopes[0], np.ones_like(height)], axis=-1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    lights = rng.normal(size=(LIGHTS, 3)) + np.array([0, 0, 1.5])
    lights[:, 2] = np.abs(lights[:, 2])
    lights /= np.linalg.norm(lights, axis=1, keepdims=True)
    images = paint * np.maximum(np.einsum("ijk,lk->lij", normals, lights), 0)
    return images.reshape(LIGHTS, -1) + 0.02 * rng.normal(size=(LIGHTS, SIDE**2))


X = np.vstack([photographs() for _ in range(SURFACES)])
y = np.repeat(np.arange(SURFACES), LIGHTS)

model = SubspaceClusterer(SURFACES, random_state=0).fit(X)
means = KMeans(SURFACES, n_init=10, random_state=0).fit(X)
accuracies = [clustering_accuracy(y, labels) for labels in (model.labels_, means.labels_)]

figure, axes = plt.subplots(SURFACES, 7, figsize=(8, 7.8), layout="constrained")
for k, row in enumerate(axes):
    members = np.flatnonzero(model.labels_ == k)
    for axis, image in zip(row[:4], X[members[:4]], strict=True):
        axis.imshow(image.reshape(SIDE, SIDE), cmap="gray", vmin=0)
    for axis, direction in zip(row[4:], model.bases_[k].T[:3], strict=False):
        axis.imshow(direction.reshape(SIDE, SIDE), cmap="RdGy")
    row[0].set_ylabel(f"cluster {k}")
for axis in axes.ravel():
    axis.set(xticks=[], yticks=[])
axes[0, 1].set_title("photographs", loc="left")
axes[0, 5].set_title("basis of the cluster")
figure.suptitle("Sorted rightly: {:.0%} by subspaces, {:.0%} by k-means".format(*accuracies))
plt.show()
