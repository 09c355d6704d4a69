"""
What rows without a label are worth
===================================

One label a class, and more and more rows without one: a batch shows where classes lie, so its
labels get better the larger it is. The nearest prototype, which looks at each row on its own, gains
nothing.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

from skrand import TransductiveFewShot
from skrand.fewshot import EpisodeSampler, evaluate_episodes

# %%
# Five classes of handwritten digits, one label each, from 1 to 120 queries a class.

X, y = load_digits(return_X_y=True)
estimators = {
    "prototype": TransductiveFewShot("prototype"),
    "label-spreading": TransductiveFewShot("label-spreading"),
    "clustering": TransductiveFewShot("clustering"),
    "auto": TransductiveFewShot(),
}
sizes = [1, 2, 5, 10, 20, 40, 80, 120]
means, widths = {name: [] for name in estimators}, {name: [] for name in estimators}
for size in sizes:
    sampler = EpisodeSampler(n_query=size, n_episodes=40, random_state=0)
    for scores in evaluate_episodes(estimators, X, y, sampler):
        means[scores.name].append(100 * scores.mean)
        widths[scores.name].append(100 * scores.interval)

# %%
# With 95 % intervals.

figure, axes = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
for number, name in enumerate(estimators):
    style = {"lw": 2.5, "color": "k"} if name == "auto" else {"lw": 1.2}
    places = [size * 1.04 ** (number - 1.5) for size in sizes]
    axes.errorbar(places, means[name], widths[name], marker="o", capsize=3, label=name, **style)
axes.set(
    xscale="log",
    xticks=sizes,
    xticklabels=sizes,
    xlabel="rows without a label, a class",
    ylabel="accuracy on them, %",
    title="digits, five classes with one label each",
)
axes.legend()
plt.show()
