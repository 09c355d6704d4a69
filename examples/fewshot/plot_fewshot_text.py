"""
A text classifier from five examples a class
============================================

Short messages about five subjects, five of them labelled a subject. What the other 275 have in
common shows what words belong together, so labelling them all at once does better than a classifier
that has seen 25 messages.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import LabelSpreading

from skrand import TransductiveFewShot

# %%
# Messages made of a subject's words and of words that say nothing.

SUBJECTS = {
    "kitchen": "oven recipe flour butter knife salt boil simmer plate spice bake stir dough pan",
    "garden": "soil seed prune rose compost water leaf spade bloom hedge root mulch weed pot",
    "music": "chord tempo violin drum melody choir rhythm tune piano bass note score verse",
    "sailing": "sail anchor harbour mast wind tide rudder deck knot buoy hull crew chart current",
    "repair": "screw drill wire leak pipe hammer switch paint glue saw bolt socket hinge tape",
}
COMMON = ["the", "new", "old", "today", "please", "need", "help", "good", "time", "work", "again"]
COMMON += ["very", "some", "more", "first", "after"]

rng = np.random.default_rng(0)
texts, truth = [], []
for label, (_, words) in enumerate(SUBJECTS.items()):
    for _ in range(60):
        own = rng.choice(words.split(), size=3)
        other = rng.choice(" ".join(SUBJECTS.values()).split(), size=1)
        texts.append(" ".join([*own, *other, *rng.choice(COMMON, size=6)]))
        truth.append(label)
truth = np.array(truth)
y = np.full(len(truth), -1)
for label in range(5):
    y[rng.choice(np.flatnonzero(truth == label), 5, replace=False)] = label
hidden = y == -1

# %%
# Word counts, weighted and projected to thirty dimensions.

counts = TfidfVectorizer().fit_transform(texts)
X = TruncatedSVD(30, random_state=0).fit_transform(counts)

model = TransductiveFewShot().fit(X, y)
right = {
    "LogisticRegression\n(labelled only)": np.mean(
        LogisticRegression(C=10).fit(X[~hidden], y[~hidden]).predict(X[hidden]) == truth[hidden]
    ),
    "LabelSpreading": np.mean(
        LabelSpreading("knn").fit(X, y).transduction_[hidden] == truth[hidden]
    ),
    "nearest prototype": np.mean(
        TransductiveFewShot("prototype").fit(X, y).transduction_[hidden] == truth[hidden]
    ),
    "TransductiveFewShot": np.mean(model.transduction_[hidden] == truth[hidden]),
}

# %%
# Left, the messages in the plane of their first two principal components: large points have a
# label, colours are what was found, crosses are mistakes. Right, the accuracy.

plane = PCA(2).fit_transform(X)
figure, (points, bars) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
wrong = model.transduction_ != truth
points.scatter(*plane.T, c=model.transduction_, cmap="tab10", s=14, alpha=0.7)
points.scatter(*plane[wrong].T, marker="x", c="k", s=30, label="mistake")
points.scatter(
    *plane[~hidden].T, c=y[~hidden], cmap="tab10", s=110, edgecolors="k", label="labelled"
)
points.set(title="300 messages, 25 labelled", xticks=[], yticks=[])
points.legend(loc="best")
bars.barh(list(right), list(right.values()), color=["0.7", "0.7", "0.7", "C0"])
for row, value in enumerate(right.values()):
    bars.text(value - 0.01, row, f"{value:.0%}", va="center", ha="right")
bars.set(
    title="accuracy on the messages without a label", xlabel="share that is right", xlim=(0, 1)
)
plt.show()
