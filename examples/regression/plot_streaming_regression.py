"""
Regression on a stream of rows
==============================

Two million rows arrive a few thousand at a time, drift while they do, and are gone at once. What
stays is a summary whose size does not depend on their number: the Gram matrix, from which the exact
answer follows, or a sketch, which is several times cheaper to keep and says how far its answer may
be from the exact one.
"""

import time

import matplotlib.pyplot as plt
import numpy as np

from skrand import SketchedRegressor

# %%
# The stream: a chunk is made, handed over and forgotten. The means of the features wander, so that
# no part of the stream looks like another.

D, CHUNK, CHUNKS = 40, 20_000, 100
truth = np.random.default_rng(0).standard_normal(D)


def rows(i):
    rng = np.random.default_rng([1, i])
    X = rng.standard_normal((CHUNK, D)) + 5 * np.sin(i / 15 + np.arange(D))
    return X, X @ truth + 3 + 2 * rng.standard_normal(CHUNK)


# %%
# Three models follow it. The third is split: one process sees the even chunks and another the odd
# ones. ``row_offset`` tells each where its rows belong, and `merge` puts the two together.

models = {
    "solver='chol' (exact)": SketchedRegressor(),
    "solver='sketch'": SketchedRegressor(solver="sketch", sketch_size=1600, random_state=0),
}
halves = [SketchedRegressor(), SketchedRegressor()]
seconds = dict.fromkeys(models, 0.0)
seen, errors = [], {name: [] for name in models}
for i in range(CHUNKS):
    X, y = rows(i)
    for name, model in models.items():
        start = time.process_time()
        model.partial_fit(X, y)
        seconds[name] += time.process_time() - start
    halves[i % 2].partial_fit(X, y, row_offset=i * CHUNK)
    if i % 4 == 3:
        seen.append((i + 1) * CHUNK)
        for name, model in models.items():
            errors[name].append(np.linalg.norm(model.coef_ - truth))

exact, sketched = models.values()
merged = halves[0].merge(halves[1])
print("largest difference of merged and single stream:", np.abs(merged.coef_ - exact.coef_).max())
inside = np.abs(sketched.coef_ - exact.coef_) <= sketched.coef_error_
print(f"exact coefficients inside the sketch's 95 % error bars: {inside.sum()} of {D}")

# %%
# Left, the distance from the coefficients that made the data: the exact one falls with the number
# of rows; that of the sketch stays where 1600 rows of sketch leave it. Right, the error bars that
# the sketch gives its coefficients, around the exact ones.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for name, line in errors.items():
    left.loglog(seen, line, label=f"{name}, {seconds[name]:.1f} s")
left.loglog(
    seen,
    errors["solver='chol' (exact)"][0] * np.sqrt(seen[0] / np.array(seen)),
    "k:",
    label="one over the root of the rows",
)
left.set(xlabel="rows seen", ylabel="distance from the true coefficients")
left.set_title("A stream of 2 million rows")
left.legend(loc="lower left", bbox_to_anchor=(0, 0.55))
order = np.argsort(exact.coef_)
right.errorbar(
    np.arange(D),
    (sketched.coef_ - exact.coef_)[order],
    yerr=sketched.coef_error_[order],
    fmt="o",
    ms=3,
    capsize=2,
)
right.axhline(0, color="k", lw=1)
right.set_title("Error bars of the sketch")
right.set(xlabel="coefficient, by size", ylabel="sketch minus exact, with 95 % intervals")
plt.show()
