"""
Queries that are not balanced
=============================

Published transductive methods suppose that a batch holds equally many rows of every class. Here the
batch becomes less and less balanced: shares are drawn from a Dirichlet distribution whose parameter
falls. Methods that suppose balance fall below the plain nearest prototype. Solver "auto" compares
what the batch looks like with balance forced and without, and does not.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

from skrand import TransductiveFewShot
from skrand.fewshot import EpisodeSampler, evaluate_episodes

# %%
# Episodes of handwritten digits: five classes, one label each, 75 rows to label.

X, y = load_digits(return_X_y=True)
estimators = {
    "prototype": TransductiveFewShot("prototype"),
    "pt-map": TransductiveFewShot("pt-map"),
    "tim": TransductiveFewShot("tim"),
    "clustering, no prior": TransductiveFewShot("clustering"),
    "auto": TransductiveFewShot(),
}
priors = ["balanced", ("dirichlet", 10.0), ("dirichlet", 4.0), ("dirichlet", 2.0)]
priors.append(("dirichlet", 1.0))
means, widths = {name: [] for name in estimators}, {name: [] for name in estimators}
for prior in priors:
    sampler = EpisodeSampler(n_episodes=40, query_prior=prior, random_state=0)
    for scores in evaluate_episodes(estimators, X, y, sampler):
        means[scores.name].append(100 * scores.mean)
        widths[scores.name].append(100 * scores.interval)

# %%
# With 95 % intervals.

labels = ["balanced", *(f"Dirichlet({prior[1]:g})" for prior in priors[1:])]
figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
for number, name in enumerate(estimators):
    style = {"lw": 2.5, "color": "k"} if name == "auto" else {"lw": 1.2}
    places = [place + 0.05 * (number - 2) for place in range(len(labels))]
    axes.errorbar(places, means[name], widths[name], marker="o", capsize=3, label=name, **style)
axes.set_xticks(range(len(labels)), labels)
axes.set(xlabel="shares of the classes in the batch", ylabel="accuracy on the queries, %")
axes.set_title("digits, five classes with one label each")
axes.legend()
plt.show()
