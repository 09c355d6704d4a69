"""
State-space features of series: why the system is perturbed before it is diagonalised
=====================================================================================

HiPPO-LegS is a linear system whose states are the coefficients of the past of its input in Legendre
polynomials. A diagonal system would be the cheapest to run, but its eigenvectors are numerically
dependent. S4D drops the low-rank part that makes them so. What is left has lightly damped modes,
and a wave that meets one of them comes out hundreds of times too large. Perturbing the matrix by
1e-4 and then diagonalising keeps the transfer function at every frequency.

Left: what the worst read-out of unit norm sees of a wave. Middle: a slow signal with a small wave
at one of S4D's modes added, and what a state makes of it. Right: from which of two photographs a
scan line comes, by logistic regression on :class:`skrand_features.PTDStateSpaceFeatures` and on
others.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrand.linalg import approx_diagonalize, diagonal_scan
from skrand_features import PTDStateSpaceFeatures

INK, GREY = "#1f2430", "#9aa3ad"
EXACT, S4D, PTD = "#9aa3ad", "#d1495b", "#3a6ea5"
ORDER = 32

# %%
# Three systems
# -------------
# The exact one has a closed form; S4D keeps the normal part of the matrix and half of the input.

k = np.arange(ORDER)
B = np.sqrt(2.0 * k + 1.0)
A = -np.tril(np.outer(B, B), -1) - np.diag(k + 1.0)
eigen = approx_diagonalize(A, 1e-4, rng=0)
frequencies, vectors = np.linalg.eigh(-1j * (A + np.outer(B, B) / 2 + np.eye(ORDER) / 2))
systems = {
    "low-rank part dropped (S4D)": (-0.5 + 1j * frequencies, vectors, B / 2, S4D),
    "perturbed, then diagonalised": (eigen.values, eigen.vectors, B, PTD),
}

omega = np.unique(np.concatenate([np.logspace(-1, 3.2, 3000), np.abs(frequencies)]))
s = 1j * omega[:, np.newaxis]
exact = B * np.cumprod(np.hstack([1 / (s + 1), (s - k[:-1]) / (s + k[:-1] + 2)]), axis=1)
gains = {}
for name, (values, V, b, _) in systems.items():
    gains[name] = np.linalg.norm((np.linalg.solve(V, b + 0j) / (s - values)) @ V.T, axis=1)

# %%
# A slow signal and a wave at one of S4D's modes
# ----------------------------------------------

timescale = 2000.0
mode = np.sort(frequencies[frequencies > 0])[-1]
t = np.arange(6000)
slow = np.sin(2 * np.pi * t / 4000.0)
series = slow + 0.1 * np.sin(mode * t / timescale)
shown = 0
ends = np.arange(1500, len(t) + 1, 4)


def state(values, V, b, u):
    """Return one state at the ends of the series cut off there."""
    weights = np.expm1(values / timescale) / values * np.linalg.solve(V, b + 0j)
    padded = np.zeros((len(ends), len(t)))
    for row, end in zip(padded, ends, strict=True):
        row[len(t) - end :] = u[:end]
    return diagonal_scan(padded, np.exp(values / timescale), weights, V[[shown]])[:, 0]


traces = {name: state(*system[:3], series) for name, system in systems.items()}
clean = state(*systems["perturbed, then diagonalised"][:3], slow)

# %%
# Scan lines of two photographs
# -----------------------------
# Standardised, so that brightness and contrast tell nothing; lines below the cut are held out.

length = 256
lines, labels, rows = [], [], []
for label, photo in enumerate(("china.jpg", "flower.jpg")):
    grey = load_sample_image(photo).mean(axis=2)
    windows = np.lib.stride_tricks.sliding_window_view(grey, length, axis=1)[:, ::64]
    lines.append(windows.reshape(-1, length))
    labels.append(np.full(len(lines[-1]), label))
    rows.append(np.repeat(np.arange(len(windows)), windows.shape[1]))
X, y, rows = np.vstack(lines), np.concatenate(labels), np.concatenate(rows)
X = (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)
test = rows >= 300

makers = {
    "the pixels": None,
    "random Fourier features": RBFSampler(gamma=1 / length, n_components=48, random_state=0),
    "states at the end": PTDStateSpaceFeatures(16, random_state=0),
    "RMS of the states": PTDStateSpaceFeatures(16, pooling="rms", random_state=0),
}
accuracy = {}
for name, features in makers.items():
    model = make_pipeline(features, StandardScaler(), LogisticRegression(max_iter=2000))
    accuracy[name] = model.fit(X[~test], y[~test]).score(X[test], y[test])

# %%
# The picture
# -----------

plt.rcParams.update({"font.size": 10, "axes.edgecolor": GREY, "text.color": INK})
figure, (left, middle, right) = plt.subplots(
    1, 3, figsize=(15, 4.8), layout="constrained", width_ratios=[1.2, 1.2, 1]
)
figure.suptitle(
    f"A memory of {ORDER} Legendre coefficients, run as a diagonal system",
    fontsize=15,
    weight="bold",
)

left.loglog(omega, np.linalg.norm(exact, axis=1), color=EXACT, lw=5, alpha=0.6, label="exact")
for name, (*_, color) in systems.items():
    style = {"ls": "--", "lw": 1.8, "zorder": 3} if color == PTD else {"lw": 1.0}
    left.loglog(omega, gains[name], color=color, label=name, **style)
left.set(xlabel="angular frequency x timescale", ylabel="gain to all states", ylim=(0.02, 90))
left.set_title("how much of a wave comes out")
left.legend(frameon=False, loc="upper left")

middle.plot(ends, clean, color=EXACT, lw=5, alpha=0.6, label="without the wave")
for name, (*_, color) in systems.items():
    style = {"ls": "--", "lw": 1.8, "zorder": 3} if color == PTD else {"lw": 0.8}
    middle.plot(ends, traces[name], color=color, label=name, **style)
middle.set(xlabel="step", ylabel="state 0: a running mean", ylim=(-0.4, 0.72))
middle.set_title("a slow signal and a wave a tenth as large")
middle.legend(frameon=False, loc="upper right", fontsize=9)

names = list(accuracy)
bars = right.barh(names, list(accuracy.values()), color=[GREY, GREY, PTD, PTD])
right.bar_label(bars, [f"{value:.0%}" for value in accuracy.values()], padding=4)
right.axvline(0.5, color=INK, lw=0.8, ls=":")
right.set(xlim=(0, 1.12), xlabel="accuracy on lines held out (chance: dotted)", xticks=[0, 0.5, 1])
right.invert_yaxis()
right.set_title("which photograph is this scan line from?")
for axes in (left, middle, right):
    axes.spines[["top", "right"]].set_visible(False)

plt.show()
