"""Accuracy, time and scale of few-shot labelling, beside scikit-learn and the published methods.

``SKRAND_DATA=DIR python benchmarks/fewshot.py [accuracy] [speed] [scale] [--episodes N] ...``

Accuracy. Every method, ours and the others', has a small grid and is tuned by one rule: the best
mean accuracy over the 5-way episodes of all sets of features but one, scored on the one left out,
in turn. Tuning and scoring draw episodes of different seeds. What was chosen for each set is
printed with the table. Rows are centred on support and queries (pooled, or each on its own, where
that is in a method's grid) and scaled to unit length, and then rotated onto their span, which
changes no method and saves time.

Sets: scikit-learn's digits; those of $SKRAND_DATA when present. Novel classes only; queries of
"emoji-shift" come from another vendor, and it is left out together with "emoji".

Time is CPU time in one process on one thread.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import json
import pathlib
import resource
import time
import warnings
from dataclasses import replace
from functools import partial

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import LabelPropagation, LabelSpreading, SelfTrainingClassifier

from skrand import TransductiveFewShot
from skrand.fewshot import EpisodeSampler, TransductiveLabelling
from skrand.fewshot.graph import Graph
from skrand.fewshot.metrics import SquaredEuclidean
from skrand.fewshot.objective import TILE, Labelling
from skrand.fewshot.solvers import (
    BDCSPN,
    PTMAP,
    TIM,
    AlphaTIM,
    Auto,
    Clustering,
    LaplacianShot,
    Paddle,
    Prototype,
    Spreading,
)
from skrand.linalg.threads import single_threaded_blas

SCHEMA = 1
PRIORS = {"balanced": "balanced", "Dirichlet(2)": ("dirichlet", 2.0)}


def datasets():
    """Return name -> rows, labels and the pool of queries (None: all), of novel classes."""
    X, y = load_digits(return_X_y=True)
    sets = {"digits": (X / 16, y, None)}
    root = pathlib.Path(os.environ.get("SKRAND_DATA", ""))
    if not (root / "debian_minilm.npz").exists():
        print("SKRAND_DATA has no feature sets: digits alone")
        return sets
    for name, k in (("debian", 20), ("wordnet", 14)):
        data = np.load(root / f"{name}_minilm.npz")
        classes = np.random.default_rng(0).permutation(np.unique(data["y"]))[:k]
        rows = np.isin(data["y"], classes)
        sets[name] = data["X"][rows].astype(float), data["y"][rows], None
    data = np.load(root / "emoji_effnet.npz")
    X, y, vendor = data["X"].astype(float), data["y"], data["vendor"]
    classes, counts = np.unique(y[vendor == "twitter"], return_counts=True)
    novel = np.isin(y, classes[(counts >= 20) & (classes != "country-flag")])
    rows = novel & (vendor == "twitter")
    sets["emoji"] = X[rows], y[rows], None
    rows = novel & np.isin(vendor, ("twitter", "google"))
    sets["emoji-shift"] = X[rows], y[rows], vendor[rows] == "google"
    data = np.load(root / "glyph.npz")
    rows = ~data["base"]
    sets["glyph"] = data["lda"][rows].astype(float), data["y"][rows], None
    return sets


def unit(X):
    norms = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(norms > 0, norms, 1)


def problem(X, support, queries, codes, n_way, center):
    """Return an episode's problem and the truth of its queries."""
    S, Q = X[support], X[queries]
    if center == "pooled":
        mean = np.vstack([S, Q]).mean(axis=0)
        rows = unit(np.vstack([S, Q]) - mean)
    else:
        rows = np.vstack([unit(S - S.mean(axis=0)), unit(Q - Q.mean(axis=0))])
    if rows.shape[1] > len(rows):
        rows = np.linalg.qr(rows.T, mode="r").T
    _, labels = np.unique(codes[support], return_inverse=True)
    of = dict(zip(codes[support], labels, strict=True))
    y = np.concatenate([labels, np.full(len(Q), -1)])
    truth = np.array([of[c] for c in codes[queries]])
    return TransductiveLabelling(X=np.ascontiguousarray(rows), y=y, n_classes=n_way), truth


def solver(make):
    def label(problem, **params):
        return make(**params).solve(problem).x[problem.queries].argmax(axis=1)

    return label


def logistic(problem, **params):
    model = LogisticRegression(max_iter=1000, **params)
    model.fit(problem.X[problem.support], problem.y[problem.support])
    return model.predict(problem.X[problem.queries])


def propagation(problem, **params):
    model = LabelPropagation("rbf", max_iter=1000, **params).fit(problem.X, problem.y)
    return model.transduction_[problem.queries]


def self_training(problem, threshold):
    model = SelfTrainingClassifier(LogisticRegression(C=10.0), threshold=threshold)
    return model.fit(problem.X, problem.y).predict(problem.X[problem.queries])


def grid(**options):
    cells = [{}]
    for key, values in options.items():
        cells = [{**cell, key: value} for cell in cells for value in values]
    return cells


BOTH = ["pooled", "separate"]
#: Method -> function, grid (`center` is the preprocessing's), share of the episodes it runs on.
METHODS = {
    "prototype": (solver(Prototype), grid(center=BOTH), 1.0),
    "LogisticRegression": (logistic, grid(center=BOTH, C=[1.0, 10.0]), 1.0),
    "LabelSpreading": (
        solver(Spreading),
        grid(center=["pooled"], gamma=[2.0, 4.0, 8.0], alpha=[0.2, 0.8]),
        1.0,
    ),
    "LabelPropagation": (propagation, grid(center=["pooled"], gamma=[4.0, 10.0]), 0.2),
    "SelfTraining": (self_training, grid(center=["pooled"], threshold=[0.5, 0.75]), 0.2),
    "BD-CSPN": (solver(BDCSPN), grid(center=BOTH, sharpness=[5.0, 10.0, 20.0]), 1.0),
    "LaplacianShot": (
        solver(LaplacianShot),
        grid(
            center=["pooled"],
            temperature=[0.3, 1.0],
            laplacian=[0.3, 0.7, 1.0],
            rectify=[True, False],
        ),
        1.0,
    ),
    "TIM": (
        solver(TIM),
        grid(center=BOTH, temperature=[0.1333, 0.3], supervision=[0.1, 1.0]),
        1.0,
    ),
    "alpha-TIM": (
        solver(AlphaTIM),
        grid(center=["pooled"], alpha=[2.0, 4.0], temperature=[0.1333, 0.3]),
        1.0,
    ),
    "PT-MAP": (solver(PTMAP), grid(center=BOTH, rate=[0.2, 0.4]), 1.0),
    "PADDLE": (
        solver(Paddle),
        grid(center=["pooled"], temperature=[0.0667, 0.15, 0.3], complexity=[0.5, 1.0]),
        1.0,
    ),
    "k-means (soft)": (
        solver(Clustering),
        grid(
            center=["pooled"],
            laplacian=[0.0],
            support_weight=[1.0, 3.0],
            temperature=[0.125, "auto"],
        ),
        1.0,
    ),
    "clustering": (
        solver(Clustering),
        grid(center=["pooled"], laplacian=[0.4, 0.7], support_weight=[1.0, 3.0], tol=[1e-2]),
        1.0,
    ),
    "auto": (
        solver(Auto),
        grid(center=["pooled"], balance_tolerance=[0.02, 0.04, 0.06], support_weight=[2.0, 3.0]),
        1.0,
    ),
    "auto (defaults)": (solver(Auto), grid(center=["pooled"]), 1.0),
}


def family(name):
    return name.partition("-")[0]


def run(cell, data, configurations, n_episodes, seed):
    """Return accuracies, (method, index) -> one an episode, on the same episodes."""
    X, y, pool = data
    _, n_way, n_shot, prior = cell
    sampler = EpisodeSampler(
        n_way, n_shot, n_episodes=n_episodes, query_prior=PRIORS[prior], random_state=seed
    )
    codes = np.unique(y, return_inverse=True)[1]
    accuracies = {key: [] for key in configurations}
    for number, (support, queries) in enumerate(sampler.split(codes, pool)):
        made = {center: problem(X, support, queries, codes, n_way, center) for center in BOTH}
        for key, (label, params, share) in configurations.items():
            if number >= share * n_episodes:
                continue
            params = dict(params)
            given, truth = made[params.pop("center")]
            accuracies[key].append(float(np.mean(label(given, **params) == truth)))
    return {key: np.array(values) for key, values in accuracies.items()}


def tune(sets, n_episodes):
    """Return (method, set) -> the configuration chosen on the other sets."""
    configurations = {
        (name, i): (label, params, 1.0)
        for name, (label, cells, _) in METHODS.items()
        for i, params in enumerate(cells)
        if len(cells) > 1
    }
    means = {}
    for name, data in sets.items():
        cells = [(name, 5, shots, prior) for shots in (1, 5) for prior in PRIORS]
        scores = [run(cell, data, configurations, n_episodes, 1000) for cell in cells]
        means[name] = {key: np.mean([s[key].mean() for s in scores]) for key in configurations}
        print("tuned on", name, flush=True)
    chosen = {}
    for left_out in sets:
        others = [name for name in sets if family(name) != family(left_out)] or [left_out]
        for name, (_, cells, _) in METHODS.items():
            if len(cells) == 1:
                chosen[name, left_out] = cells[0]
                continue
            score = [np.mean([means[o][name, i] for o in others]) for i in range(len(cells))]
            chosen[name, left_out] = cells[int(np.argmax(score))]
    return chosen


def accuracy(n_episodes, n_tune, ways):
    sets = datasets()
    chosen = tune(sets, n_tune)
    print("\nChosen on all other sets:")
    for left_out in sets:
        print(f"  scored on {left_out}:")
        for name in METHODS:
            print(f"    {name:20} {chosen[name, left_out]}")
    table = []
    for n_way in ways:
        for name, data in sets.items():
            for n_shot in (1, 5):
                for prior in PRIORS:
                    cell = (name, n_way, n_shot, prior)
                    configurations = {
                        m: (label, chosen[m, name], share)
                        for m, (label, _, share) in METHODS.items()
                    }
                    count = n_episodes
                    start = time.process_time()
                    scores = run(cell, data, configurations, count, 1)
                    first = scores["prototype"]
                    for m, values in scores.items():
                        difference = values - first[: len(values)]
                        table.append(
                            {
                                "set": name,
                                "ways": n_way,
                                "shots": n_shot,
                                "queries": prior,
                                "method": m,
                                "episodes": len(values),
                                "mean": 100 * float(values.mean()),
                                "interval": half_width(values),
                                "difference": 100 * float(difference.mean()),
                                "difference_interval": half_width(difference),
                            }
                        )
                    print(cell, f"{time.process_time() - start:.0f} s", flush=True)
    report(table)
    return {"chosen": {f"{m} | {s}": c for (m, s), c in chosen.items()}, "table": table}


def half_width(values):
    return 100 * 1.96 * float(values.std(ddof=1)) / np.sqrt(len(values))


def report(table):
    """Print a row a cell, and what each method's mean, worst gap to the best and to ours are."""
    cells = sorted({(r["ways"], r["set"], r["shots"], r["queries"]) for r in table})
    value = {(r["ways"], r["set"], r["shots"], r["queries"], r["method"]): r for r in table}
    short = [m[:9] for m in METHODS]
    print(f"\n{'cell':38}" + " ".join(f"{m:>9}" for m in short))
    for cell in cells:
        row = [value[(*cell, m)]["mean"] for m in METHODS]
        label = f"{cell[0]}-way {cell[1]} {cell[2]}s {cell[3]}"
        width = max(value[(*cell, m)]["interval"] for m in ("prototype", "auto"))
        print(f"{label:38}" + " ".join(f"{v:9.1f}" for v in row) + f"  +-{width:.1f}")
    best = {cell: max(value[(*cell, m)]["mean"] for m in METHODS) for cell in cells}
    print(
        f"\n{'method':20}{'mean':>7}{'bal.':>7}{'Dir.':>7}{'worst gap to the best':>24}"
        "  worst cell against the prototype, paired"
    )
    for m in METHODS:
        means = np.array([value[(*cell, m)]["mean"] for cell in cells])
        balanced = np.array([cell[3] == "balanced" for cell in cells])
        gaps = means - [best[cell] for cell in cells]
        paired = [value[(*cell, m)] for cell in cells]
        worst = min(paired, key=lambda r: r["difference"] + r["difference_interval"])
        print(
            f"{m:20}{means.mean():7.2f}{means[balanced].mean():7.2f}{means[~balanced].mean():7.2f}"
            f"{gaps.min():24.1f}  {worst['difference']:+.1f} +- {worst['difference_interval']:.1f}"
            f" ({worst['set']} {worst['ways']}-way {worst['shots']}s {worst['queries']})"
        )


def clock(call, repeats=40):
    """Return the median CPU time of a call, in milliseconds."""
    call()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return 1000 * float(np.median(times))


def speed():
    """Time an episode of digits, by solver and by estimator, beside the peers."""
    X, y = load_digits(return_X_y=True)
    rows = []
    print("\nms an episode, digits, 15 queries a class, float32, CPU time, one thread")
    for n_way, n_shot in ((5, 1), (5, 5), (10, 5)):
        sampler = EpisodeSampler(n_way, n_shot, n_episodes=1, random_state=0)
        (support, queries) = next(sampler.split(y))
        given, _ = problem(X / 16, support, queries, y, n_way, "pooled")
        given = replace(given, X=given.X.astype(np.float32))
        marked = np.concatenate([y[support], np.full(len(queries), -1)])
        batch = (X[np.concatenate([support, queries])] / 16).astype(np.float32)

        def fresh(given=given):
            # The graph of a problem is made once: time it, too.
            return replace(given)

        sides = {
            "k-means": lambda f=fresh: Clustering(laplacian=0.0).solve(f()),
            "clustering": lambda f=fresh: Clustering().solve(f()),
            "auto": lambda f=fresh: Auto().solve(f()),
            "TransductiveFewShot(auto).fit": lambda b=batch, m=marked: TransductiveFewShot().fit(
                b, m
            ),
            "LabelSpreading.fit": lambda b=batch, m=marked: LabelSpreading(gamma=4.0).fit(b, m),
            "LaplacianShot": lambda f=fresh: LaplacianShot().solve(f()),
            "TIM": lambda f=fresh: TIM().solve(f()),
            "PT-MAP": lambda f=fresh: PTMAP().solve(f()),
            **easyfsl_sides(given),
        }
        times = {name: clock(call) for name, call in sides.items()}
        for name, value in times.items():
            ratio = value / times["clustering"]
            rows.append({"ways": n_way, "shots": n_shot, "side": name, "ms": value})
            print(f"{n_way}-way {n_shot}s {name:32}{value:9.2f}{ratio:8.1f} x clustering")
    return rows


def easyfsl_sides(given):
    """Return easyfsl's methods as calls on the same rows, if it is installed."""
    try:
        import torch
        from easyfsl import methods
    except ImportError as error:
        print(f"easyfsl cannot be imported ({error}): not compared")
        return {}
    torch.set_num_threads(1)
    S = torch.tensor(given.X[given.support])
    Q = torch.tensor(given.X[given.queries])
    labels = torch.tensor(given.y[given.support])

    def side(make):
        def call():
            model = make(backbone=torch.nn.Identity())
            model.process_support_set(S, labels)
            return model(Q)

        return call

    names = ("LaplacianShot", "BDCSPN", "PTMAP", "TIM")
    return {f"easyfsl {name}": side(getattr(methods, name)) for name in names}


def scale(n, n_classes=100, d=64):
    """Time an iteration on n queries, and its parts against the bare matrix product."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((n_classes, d)).astype(np.float32)
    truth = np.concatenate([np.repeat(np.arange(n_classes), 5), rng.integers(n_classes, size=n)])
    X = centres[truth] + 0.7 * rng.standard_normal((len(truth), d), dtype=np.float32)
    y = np.where(np.arange(len(truth)) < 5 * n_classes, truth, -1)
    given = TransductiveLabelling(X=X, y=y, n_classes=n_classes)
    near = rng.integers(len(y), size=5 * len(y)).astype(np.int32)
    random = Graph(
        np.arange(0, 5 * len(y) + 1, 5, dtype=np.int64), near, np.full(len(near), 0.2, np.float32)
    )
    # Neighbours mostly lie nearby once rows are in the order of their classes.
    local = np.clip(
        np.repeat(np.arange(len(y)), 5) + rng.integers(-500, 500, len(near)), 0, len(y) - 1
    )
    sorted_rows = Graph(random.indptr, local.astype(np.int32), random.weights)
    metric = SquaredEuclidean(given)
    A, b = metric.scores(given.means)
    At = np.ascontiguousarray(A.T.astype(np.float32))
    rows = {}
    with single_threaded_blas():
        product = np.empty((len(X), n_classes), np.float32)
        rows["product"] = clock(partial(np.matmul, X, At, out=product), 3)
        del product
        rows["product in tiles, each dropped"] = clock(
            lambda: [X[i : i + TILE] @ At for i in range(0, len(X), TILE)], 3
        )
        for name, graph in (("no graph", None), ("near", sorted_rows), ("random", random)):
            labelling = Labelling(given, graph, 3.5)
            rows[f"sweep, {name}"] = clock(partial(labelling.assign, A, b, 1.0), 3)
        rows["prototypes"] = clock(labelling.sums, 3)
        rows["objective"] = clock(partial(labelling.energy, A, b, 1.0, 2.0), 3)
        n_jobs = min(2, os.cpu_count() or 1)
        for name, graph in (("no graph", None), ("random", random)):
            labelling = Labelling(given, graph, 3.5, threads=n_jobs)
            start = time.perf_counter()
            for _ in range(3 if graph is not None else 1):
                labelling.assign(A, b, 1.0)
            labelling.sums()
            labelling.energy(A, b, 1.0, 2.0)
            rows[f"iteration, {name}, wall clock, {n_jobs} threads"] = 1000 * (
                time.perf_counter() - start
            )
    print(f"\n{n} queries x {n_classes} classes x {d} features, float32; CPU s, one thread")
    bare = rows["product"]
    for name, value in rows.items():
        print(f"{name:46}{value / 1000:8.2f}{value / bare:8.2f} x the product")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    size = 4 * len(y) * n_classes / 2**30
    print(f"peak {peak:.2f} GiB; a labelling is {size:.2f}, the rows {X.nbytes / 2**30:.2f}")
    return {"queries": n, "milliseconds": rows, "peak_gib": peak}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=["accuracy", "speed", "scale"])
    parser.add_argument("--episodes", type=int, default=500)
    parser.add_argument("--tune", type=int, default=40)
    parser.add_argument("--queries", type=int, default=1_000_000, help="of the scale part")
    parser.add_argument("--ways", type=int, nargs="+", default=[5, 10])
    parser.add_argument("--json", help="write the tables here")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    result = {"schema": SCHEMA}
    if "accuracy" in options.parts:
        result["accuracy"] = accuracy(options.episodes, options.tune, options.ways)
    if "speed" in options.parts:
        result["speed"] = speed()
    if "scale" in options.parts:
        result["scale"] = scale(options.queries)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(result, file, indent=1)


if __name__ == "__main__":
    main()
