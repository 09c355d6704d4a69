"""
How many points does a subspace take?
=====================================

A diffusion model of data on a union of subspaces learns them, or fails to, as a mixture of low-rank
Gaussians does: that is the density whose ideal denoiser it is. How many points that takes depends
on the dimension of the subspaces and hardly on the space around them.
"""

import matplotlib.pyplot as plt
import numpy as np

from skrand import LowRankGaussianMixture


def sample(n_each, dim, seed, n_features=48):
    """Draw points from two random subspaces; also return their bases."""
    rng = np.random.default_rng(seed)
    bases = [np.linalg.qr(rng.standard_normal((n_features, dim)))[0] for _ in range(2)]
    return np.vstack([rng.standard_normal((n_each, dim)) @ U.T for U in bases]), bases


def error(found, true):
    """Return the largest distance of a true projector to the nearest one found."""
    return max(min(np.linalg.norm(U @ U.T - V @ V.T, 2) for V in found) for U in true)


# %%
# The share of five runs that find both subspaces, for dimensions 1 to 8.

dims, counts = np.arange(1, 9), np.arange(1, 21)
share = np.zeros((len(counts), len(dims)))
for column, dim in enumerate(dims):
    for row, n_each in enumerate(counts):
        for seed in range(5):
            X, bases = sample(n_each, dim, seed)
            model = LowRankGaussianMixture(2, subspace_dim=int(dim), random_state=seed).fit(X)
            share[row, column] += (error(model.bases_, bases) < 1e-3) / 5

# %%
# The fitted density denoises: the posterior mean goes to the subspaces as fast as they are known.

X, bases = sample(60, 4, 0)
model = LowRankGaussianMixture(2, subspace_dim=4, random_state=0).fit(X)
noises = np.logspace(-2, 0.7, 20)
rng = np.random.default_rng(1)
left = []
for noise in noises:
    noisy = X + noise * rng.standard_normal(X.shape)
    left.append(np.linalg.norm(model.denoise(noisy, noise) - X) / np.linalg.norm(noisy - X))

figure, (grid, curve) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
extent = (0.5, dims[-1] + 0.5, 0.5, counts[-1] + 0.5)
image = grid.imshow(share, origin="lower", aspect="auto", extent=extent, cmap="viridis")
grid.plot(dims, dims, "w--", label="as many points as dimensions")
grid.set(xlabel="dimension of a subspace", ylabel="points on each", title="Both subspaces found")
grid.yaxis.get_major_locator().set_params(integer=True)
grid.legend(loc="upper left", facecolor="0.3", labelcolor="w")
figure.colorbar(image, ax=grid, label="share of runs")
curve.semilogx(noises, left, "o-", label="posterior mean")
curve.axhline(np.sqrt(4 / 48), ls="--", color="0.4", label="projection on the true subspace")
curve.set(xlabel="standard deviation of the noise", ylabel="error left / noise added")
curve.set_title("Denoised: 60 points on each, dimension 4")
curve.legend()
plt.show()
