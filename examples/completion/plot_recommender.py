"""
A recommender, and what it knows of newcomers
=============================================

Ratings are pairs of a user and a film, so cross-validation is over ratings. The ratings here are
made up: three tastes, biases, noise, and few ratings for most. A film or user without a rating is
predicted by the biases that are known, or from features of theirs; a user with a few ratings gets
factors without another fit.
"""

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp
from sklearn.model_selection import KFold, cross_val_score

from skrand import LowRankEntryRegressor

rng = np.random.default_rng(0)
users, films = 400, 300
truth = 3.5 + 0.4 * rng.standard_normal((users, 1)) + 0.5 * rng.standard_normal(films)
tastes, kinds = rng.standard_normal((users, 3)), rng.standard_normal((films, 3))
truth = truth + 0.5 * tastes @ kinds.T
popular = np.outer(rng.lognormal(size=users), rng.lognormal(size=films))
pairs = np.argwhere(rng.uniform(size=truth.shape) < popular / np.quantile(popular, 0.97))
stars = np.clip(
    np.round(2 * (truth[tuple(pairs.T)] + 0.5 * rng.standard_normal(len(pairs)))) / 2, 0.5, 5
)

folds = KFold(5, shuffle=True, random_state=0)
ranks = (1, 2, 3, 4, 6, 8)
errors = []
for rank in ranks:
    model = LowRankEntryRegressor(rank, alpha=2.0, min_value=0.5, max_value=5.0, random_state=0)
    score = cross_val_score(model, pairs, stars, cv=folds, scoring="neg_root_mean_squared_error")
    errors.append(-score.mean())
best = ranks[int(np.argmin(errors))]
print(f"{len(stars)} ratings; rank {best}: error {min(errors):.3f}, {stars.std():.3f} by the mean")

# The last fifty users are newcomers: they get factors from their first ratings.
old = pairs[:, 0] < users - 50
model = LowRankEntryRegressor(best, alpha=2.0, shape=(users - 50, films), random_state=0)
completer = model.fit(pairs[old], stars[old]).to_completer()
columns, values = model.recommend(0, 5, exclude=pairs[old][pairs[old][:, 0] == 0, 1])
print("for user 0:", dict(zip(columns.tolist(), values.round(2).tolist(), strict=True)))
given = (1, 2, 4, 8, 16, 32)
curve = []
for count in given:
    seen = np.zeros((50, films), dtype=bool)
    for row in seen:
        row[rng.choice(films, count, replace=False)] = True
    first = truth[-50:] + 0.5 * rng.standard_normal((50, films))
    filled = completer.transform(sp.csr_array((first[seen], np.nonzero(seen)), shape=seen.shape))
    curve.append(np.sqrt(np.mean((filled - truth[-50:])[~seen] ** 2)))

# What a questionnaire says of their tastes, with noise, stands in for ratings.
answers = tastes + 0.5 * rng.standard_normal(tastes.shape)
told = LowRankEntryRegressor(best, alpha=2.0, shape=truth.shape, random_state=0)
told.fit(pairs[old], stars[old], row_features=answers)
newcomers = np.argwhere(np.arange(users)[:, None] >= np.full(films, users - 50))
by_answers = np.sqrt(np.mean((told.predict(newcomers) - truth[tuple(newcomers.T)]) ** 2))
print(f"newcomers without a rating: error {by_answers:.3f} from their answers")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
left.plot(ranks, errors, "o-")
left.set(xlabel="rank", ylabel="error on held-out ratings, stars")
left.set_title("cross-validation over ratings")
right.semilogx(given, curve, "o-", base=2)
right.set_xticks(given, given)
right.axhline(by_answers, linestyle="--", color="tab:orange", label="from features, no rating")
right.legend()
right.set(xlabel="ratings of a newcomer", ylabel="error on the other films, stars")
right.set_title("newcomers")
plt.show()
