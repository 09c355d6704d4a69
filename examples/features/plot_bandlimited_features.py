"""
What a bounded box of random weights can and cannot represent
=============================================================

A shallow network whose hidden layer is drawn at random, and not trained, is a linear model on
random features: fast, convex, no learning rate. What it can represent is decided before it sees
any data, by the size of the box that the weights are drawn from. From a box that is too small the
units are all but straight lines, and adding more of them hardly helps; from one that is too large
their bends are so sharp that they no longer add up to anything smooth.

:class:`skrand_features.BandlimitedFeatures` with ``bandwidth="auto"`` finds the size by generalised
cross-validation. Top: a photograph as a function from the plane to grey levels, learnt from a
random third of its pixels. Bottom: a wave packet, and the errors along the ladder of bandwidths.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image
from sklearn.linear_model import Ridge

from skrand_features import BandlimitedFeatures

INK, GREY = "#1f2430", "#9aa3ad"
NARROW, CHOSEN, WIDE = "#3a6ea5", "#d1495b", "#e0a030"


def readout(features, X, y):
    """Fit a ridge regression on features that are already fitted."""
    alpha = 1e-6 if features.alpha_ is None else features.alpha_
    return Ridge(alpha, solver="svd").fit(features.transform(X), y)


def relative_error(y, predicted):
    return np.sqrt(np.mean((predicted - y) ** 2) / np.var(y))


# %%
# A photograph
# ------------
# Inputs are the coordinates of a pixel, in units of half the height.

photo = load_sample_image("flower.jpg")[30:390:4, 120:600:4].mean(axis=2) / 255.0
rows, columns = photo.shape
grid = np.stack(np.mgrid[0:rows, 0:columns], axis=-1).reshape(-1, 2) / (rows / 2) - 1.0
grey = photo.ravel()
seen = np.random.default_rng(0).random(len(grid)) < 1 / 3

chosen = BandlimitedFeatures(800, random_state=0).fit(grid[seen], grey[seen])
pictures = []
for factor, color in ((1 / 16, NARROW), (1, CHOSEN), (16, WIDE)):
    features = BandlimitedFeatures(800, bandwidth=factor * chosen.bandwidth_, random_state=0)
    features.fit(grid[seen])
    features = chosen if factor == 1 else features
    model = readout(features, grid[seen], grey[seen])
    painted = model.predict(features.transform(grid))
    error = relative_error(grey[~seen], painted[~seen])
    pictures.append((painted.reshape(photo.shape), features.bandwidth_, error, color))

# %%
# A wave packet
# -------------


def wave(X):
    return np.sin(10 * np.pi * X[:, 0]) * np.exp(-(X[:, 0] ** 2))


rng = np.random.default_rng(0)
X, X_new = rng.uniform(-3, 3, size=(2, 2000, 1))
y = wave(X) + 0.05 * rng.normal(size=len(X))
packet = BandlimitedFeatures(300, random_state=0).fit(X, y)
path = packet.gcv_path_
held_out = []
for bandwidth, alpha in zip(path["bandwidth"], path["alpha"], strict=True):
    features = BandlimitedFeatures(300, bandwidth=bandwidth, random_state=0).fit(X)
    model = Ridge(alpha, solver="svd").fit(features.transform(X), y)
    held_out.append(relative_error(wave(X_new), model.predict(features.transform(X_new))))

line = np.linspace(-1.7, 1.7, 1500)[:, np.newaxis]
fits = []
for bandwidth, color in ((1.0, NARROW), (packet.bandwidth_, CHOSEN), (1000.0, WIDE)):
    features = BandlimitedFeatures(300, bandwidth=bandwidth, random_state=0).fit(X)
    if color == CHOSEN:
        features = packet
    fits.append((readout(features, X, y).predict(features.transform(line)), bandwidth, color))

# %%
# The picture
# -----------

plt.rcParams.update({"font.size": 10, "axes.edgecolor": GREY, "text.color": INK})
figure = plt.figure(figsize=(13, 7.2), layout="constrained")
figure.suptitle(
    "Hidden layer drawn, not trained: the size of the box decides what it can represent",
    fontsize=15,
    weight="bold",
)
top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1.15])

frames = top.subplots(1, 4)
third = np.where(seen, grey, np.nan).reshape(photo.shape)
frames[0].imshow(third, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
frames[0].set_title(f"what is learnt from: {seen.sum():,} pixels")
names = ("too narrow", "bandwidth='auto'", "too wide")
for axes, (picture, bandwidth, error, color), name in zip(frames[1:], pictures, names, strict=True):
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
    axes.set_title(f"{name}: {bandwidth:.3g}", color=color, weight="bold")
    axes.set_xlabel(f"error on unseen pixels {error:.0%}")
for axes in frames:
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)

left, right = bottom.subplots(1, 2, width_ratios=[1.35, 1])
left.plot(line, wave(line), color=GREY, lw=4, alpha=0.5, label="target")
for (fit, bandwidth, color), name in zip(fits, names, strict=True):
    left.plot(line, fit, color=color, lw=1.3, label=f"{name}: {bandwidth:.4g}")
left.set(xlim=(-1.7, 1.7), ylim=(-1.6, 1.3), xlabel="x")
left.set_title("sin(10πx) exp(−x²) from 2,000 noisy samples, 300 tanh units")
left.legend(ncols=4, loc="lower center", frameon=False)

right.loglog(
    path["bandwidth"], np.sqrt(path["gcv"]), "o-", color=INK, label="GCV: all that fit sees"
)
right.loglog(path["bandwidth"], held_out, "s--", color=GREY, label="true error, noise-free")
right.axvline(packet.bandwidth_, color=CHOSEN, lw=2)
right.text(1.12 * packet.bandwidth_, 0.45, "chosen", color=CHOSEN, weight="bold")
flat = path["bandwidth"][path["gcv"] > 0.8].max()
right.axvspan(path["bandwidth"][0] / 1.5, flat * 1.2, color=NARROW, alpha=0.10, lw=0)
place = {"transform": right.transAxes, "va": "bottom"}
right.text(0.02, 0.04, "nothing is learnt\nfrom these boxes", color=NARROW, **place)
right.set(
    xlabel="bandwidth: half-width of the box of weights",
    ylabel="error / sd of the target",
    xlim=(path["bandwidth"][0] / 1.5, path["bandwidth"][-1] * 1.5),
)
right.set_title("the ladder of bandwidths")
right.legend(frameon=False, loc="upper right")
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)

plt.show()
