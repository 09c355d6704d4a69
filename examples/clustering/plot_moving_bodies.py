"""
Bodies that move
================

Follow points of a rigid body through a film taken from afar, and write the places of each point in
all frames as one row: the rows of the body lie in an affine subspace of three dimensions at most,
whatever the body's shape and motion, so in a linear one of four (Costeira and Kanade, 1998). Points
sort themselves into bodies by how they move; where they are tells little, since bodies overlap.

Here three bodies tumble before a background that the camera pans over, and one track in twenty
went astray: the tracker lost its point and followed something else. No rigid motion explains these:
they are far from the subspace of every body, as ``transform`` measures. k-means sees where tracks
are, and sorts them by place.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans

from skrand import SubspaceClusterer
from skrand.clustering import clustering_accuracy

FRAMES, POINTS, BODIES = 24, 60, 4
COLORS = ("darkgray", "tab:blue", "tab:orange", "tab:green")
rng = np.random.default_rng(3)
time = np.linspace(0, 1, FRAMES)


def rotation(axis, angle):
    """The matrix that turns by an angle about an axis."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def tracks(points, centre, turns, path):
    """Places of points, seen from afar, in all frames: one row a point, x and y of each frame."""
    first, second = rng.normal(size=(2, 3))
    frames = [
        (points @ rotation(first, turns * t) @ rotation(second, turns * t**2))[:, :2] + centre + at
        for t, at in zip(time, path, strict=True)
    ]
    return np.stack(frames, axis=1)


def wander(size):
    """A smooth way from where one is."""
    waves = np.sin(np.pi * np.outer(time, [0.5, 1, 1.5]))
    return size * waves @ rng.normal(size=(3, 2))


background = rng.uniform(-1, 1, (POINTS, 3)) * [1.8, 1.4, 0.5]
scene = [tracks(background, (0, 0), 0.1, wander(0.2))]
for centre in ((-0.5, -0.3), (0, 0.4), (0.5, -0.3)):
    body = rng.normal(size=(POINTS, 3))
    body *= 0.5 / np.linalg.norm(body, axis=1, keepdims=True)
    scene.append(tracks(body, centre, 2.5, wander(0.3)))
paths = np.concatenate(scene)
paths += 0.004 * rng.normal(size=paths.shape)
truth = np.repeat(np.arange(BODIES), POINTS)
lost = rng.choice(len(paths), len(paths) // 20, replace=False)
paths[lost] += np.cumsum(0.1 * rng.normal(size=(len(lost), FRAMES, 2)), axis=1)
truth[lost] = -1

X = paths.reshape(len(paths), -1)
model = SubspaceClusterer(BODIES, subspace_dim=4, random_state=0).fit(X)
means = KMeans(BODIES, n_init=10, random_state=0).fit(X)

distances = model.transform(X).min(axis=1)
found = np.where(distances > 5 * np.median(distances), -1, model.labels_)
rigid = truth >= 0
accuracies = [
    clustering_accuracy(truth[rigid], labels[rigid]) for labels in (model.labels_, means.labels_)
]
named, wrongly = np.count_nonzero(found[~rigid] < 0), np.count_nonzero(found[rigid] < 0)
by_subspaces = f"by subspaces: {accuracies[0]:.0%} right"
panels = {
    "bodies as they are\ncrosses: tracks gone astray": truth,
    f"{by_subspaces}\nfound astray: {named} of {len(lost)}, {wrongly} others": found,
    f"by k-means: {accuracies[1]:.0%} right\n": means.labels_,
}
figure, axes = plt.subplots(1, 3, figsize=(11, 4.2), sharex=True, sharey=True, layout="constrained")
for axis, (title, labels) in zip(axes, panels.items(), strict=True):
    # A group has the color of the body that most of its points are of, as far as there are enough.
    table = np.array([np.bincount(truth[rigid & (labels == k)], minlength=4) for k in range(4)])
    for k, color in zip(*linear_sum_assignment(-table), strict=True):
        members = labels == k
        axis.plot(*paths[members].transpose(2, 1, 0), color=COLORS[color], lw=0.4, alpha=0.4)
        axis.scatter(*paths[members, -1].T, color=COLORS[color], s=12)
    axis.plot(*paths[labels < 0].transpose(2, 1, 0), color="k", lw=0.4, alpha=0.4)
    axis.scatter(*paths[labels < 0, -1].T, color="k", marker="x", s=18, linewidth=1)
    axis.set(title=title, xticks=[], yticks=[], aspect="equal")
axes[1].set_xlabel(
    "lines: the ways of points through the film; dots: where they are in its last frame"
)
plt.show()
