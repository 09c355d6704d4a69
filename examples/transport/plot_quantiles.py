"""
Quantiles by transport, in one dimension and in two
===================================================

Mapping data to a normal distribution by the cheapest transport sorts them, in one dimension: that
is what a quantile transformer does. Transport regularised by entropy sorts softly, so the map is
smooth; and it is defined in any dimension, where quantiles one feature at a time leave the features
dependent.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import QuantileTransformer, scale

from skrand import SinkhornNewtonOT

# %%
# Areas of tumours are far from normal. Less regularisation follows the sample more closely; more of
# it is smoother, and pulls in the tails.

tumours = scale(load_breast_cancer().data)
area = tumours[:, [23]]
line = np.linspace(area.min() - 0.3, area.max() + 0.3, 500)[:, None]
figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
quantiles = QuantileTransformer(n_quantiles=len(area), output_distribution="normal").fit(area)
axes[0].plot(line, np.clip(quantiles.transform(line), -3.5, 3.5), color="0.7", label="quantiles")
for reg in (0.01, 0.1, 1.0):
    model = SinkhornNewtonOT(reg, random_state=0).fit(area)
    axes[0].plot(line, model.transform(line), label=f"transport, reg = {reg:g}")
axes[0].plot(area, np.full(len(area), -3.5), "k|", ms=6, alpha=0.3)
axes[0].set(xlabel="worst area, standardised", ylabel="image", title="One feature")
axes[0].legend()

# %%
# Two features that depend on each other: made normal one at a time they still do; transport makes
# them jointly normal. Colours are the ranks of the first feature, compactness, in the data.

pair = tumours[:, [5, 9]]
one_by_one = QuantileTransformer(n_quantiles=len(pair), output_distribution="normal")
jointly = SinkhornNewtonOT(0.02, random_state=0)
for ax, transformer, title in (
    (axes[1], one_by_one, "Two, one at a time"),
    (axes[2], jointly, "Two, by transport"),
):
    image = np.clip(transformer.fit_transform(pair), -3.5, 3.5)
    correlation = np.corrcoef(image.T)[0, 1]
    ax.scatter(*image.T, c=pair[:, 0].argsort().argsort(), s=8)
    ax.set(title=f"{title}: correlation {correlation:.2f}", aspect="equal")
    ax.set(xlabel="image of the mean compactness", ylabel="image of the mean fractal dimension")
plt.show()
