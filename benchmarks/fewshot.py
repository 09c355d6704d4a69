"""Accuracy, calibration, time and scale of few-shot labelling, beside scikit-learn and the papers.

``SKRAND_DATA=DIR python benchmarks/fewshot.py [PART ...]``, all parts by default.

Accuracy. Every method, ours and the others', has a small grid and is tuned by one rule: the best
mean accuracy over the 5-way episodes of all sets of features but one, scored on the one left out,
in turn. Tuning and scoring draw episodes of different seeds. What was chosen for each set is
printed with the table. Rows are centred on support and queries (pooled, or each on its own, where
that is in a method's grid) and scaled to unit length, and then rotated onto their span, which
changes no method and saves time. Cells run in ``--jobs`` processes. With ``--json FILE`` a cell is
written as soon as it is done, and what the file has on as many episodes is not run again.

Sets: scikit-learn's digits; those of $SKRAND_DATA when present. Novel classes only; queries of
"emoji-shift" come from another vendor, and it is left out together with "emoji".

Head. Probabilities of the Normal-Inverse-Wishart head, fitted and calibrated on base classes, on
episodes of the novel ones: accuracy, log loss and expected calibration error.

Digits. All digits at once from five labels a class: a grid search over solvers, and what it is
made of.

Fashion, large. Pixels of Fashion-MNIST (Debian's dataset-fashion-mnist, or $FASHION_MNIST),
thousands of rows at once; and all rows.

easyfsl. Its methods at their own settings beside ours of the same papers on the same episodes, if
it and torch are installed.

Time is CPU time in one process on one thread.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import gzip
import json
import multiprocessing
import pathlib
import resource
import time
import warnings
from collections import namedtuple
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.semi_supervised import LabelPropagation, LabelSpreading, SelfTrainingClassifier

from skrand import TransductiveFewShot
from skrand.fewshot import (
    EpisodeSampler,
    NormalInverseWishart,
    TransductiveLabelling,
    TransductiveSplit,
    graph,
)
from skrand.fewshot.graph import Graph
from skrand.fewshot.metrics import SquaredEuclidean
from skrand.fewshot.objective import Labelling
from skrand.fewshot.solvers import (
    BDCSPN,
    NIW,
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

SCHEMA = 2
FILES = ("parts", "json", "resume")
#: What tells a cell of the table of accuracies.
CELL = ("set", "ways", "shots", "queries")
PRIORS = {"balanced": "balanced", "Dirichlet(2)": ("dirichlet", 2.0)}


#: Rows, labels and the pool of queries (None: all) of novel classes, and rows and labels of others.
Data = namedtuple("Data", "X y pool X_base y_base")


def datasets():
    """Return name -> Data."""
    X, y = load_digits(return_X_y=True)
    sets = {"digits": Data(X / 16, y, None, None, None)}
    root = pathlib.Path(os.environ.get("SKRAND_DATA", ""))
    if not (root / "debian_minilm.npz").exists():
        print("SKRAND_DATA has no feature sets: digits alone")
        return sets

    def split(X, y, novel, pool=None, base=None):
        base = ~novel if base is None else base
        return Data(X[novel].astype(float), y[novel], pool, X[base].astype(float), y[base])

    for name, k in (("debian", 20), ("wordnet", 14)):
        data = np.load(root / f"{name}_minilm.npz")
        classes = np.random.default_rng(0).permutation(np.unique(data["y"]))[:k]
        sets[name] = split(data["X"], data["y"], np.isin(data["y"], classes))
    data = np.load(root / "emoji_effnet.npz")
    X, y, vendor = data["X"], data["y"], data["vendor"]
    classes, counts = np.unique(y[vendor == "twitter"], return_counts=True)
    novel = np.isin(y, classes[(counts >= 20) & (classes != "country-flag")])
    base = ~novel & (vendor == "twitter")
    sets["emoji"] = split(X, y, novel & (vendor == "twitter"), base=base)
    rows = novel & np.isin(vendor, ("twitter", "google"))
    sets["emoji-shift"] = split(X, y, rows, vendor[rows] == "google", base)
    data = np.load(root / "glyph.npz")
    sets["glyph"] = split(data["lda"], data["y"], ~data["base"])
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
#: Method -> function, grid (`center` is the preprocessing's).
METHODS = {
    "prototype": (solver(Prototype), grid(center=BOTH)),
    "LogisticRegression": (logistic, grid(center=BOTH, C=[1.0, 10.0])),
    "LabelSpreading": (
        solver(Spreading),
        grid(center=["pooled"], gamma=[2.0, 4.0, 8.0], alpha=[0.2, 0.8]),
    ),
    "LabelPropagation": (propagation, grid(center=["pooled"], gamma=[4.0, 10.0])),
    "SelfTraining": (self_training, grid(center=["pooled"], threshold=[0.5, 0.75])),
    "BD-CSPN": (solver(BDCSPN), grid(center=BOTH, sharpness=[5.0, 10.0, 20.0])),
    "LaplacianShot": (
        solver(LaplacianShot),
        grid(
            center=["pooled"],
            temperature=[0.3, 1.0],
            laplacian=[0.3, 0.7, 1.0],
            rectify=[True, False],
        ),
    ),
    "TIM": (
        solver(TIM),
        grid(center=BOTH, temperature=[0.1333, 0.3], supervision=[0.1, 1.0]),
    ),
    "alpha-TIM": (
        solver(AlphaTIM),
        grid(center=["pooled"], alpha=[2.0, 4.0], temperature=[0.1333, 0.3]),
    ),
    "PT-MAP": (solver(PTMAP), grid(center=BOTH, rate=[0.2, 0.4])),
    "PADDLE": (
        solver(Paddle),
        grid(center=["pooled"], temperature=[0.0667, 0.15, 0.3], complexity=[0.5, 1.0]),
    ),
    "k-means (soft)": (
        solver(Clustering),
        grid(
            center=["pooled"],
            laplacian=[0.0],
            support_weight=[1.0, 3.0],
            temperature=[0.125, "auto"],
        ),
    ),
    "clustering": (
        solver(Clustering),
        grid(center=["pooled"], laplacian=[0.4, 0.7], support_weight=[1.0, 3.0], tol=[1e-2]),
    ),
    "auto": (
        solver(Auto),
        grid(center=["pooled"], balance_tolerance=[0.03, 0.05, 0.07], support_weight=[2.0, 3.0]),
    ),
}


def family(name):
    return name.partition("-")[0]


def run(cell, data, configurations, n_episodes, seed):
    """Return accuracies, (method, index) -> one an episode, on the same episodes."""
    X, y, pool, *_ = data
    _, n_way, n_shot, prior = cell
    sampler = EpisodeSampler(
        n_way, n_shot, n_episodes=n_episodes, query_prior=PRIORS[prior], random_state=seed
    )
    codes = np.unique(y, return_inverse=True)[1]
    accuracies = {key: [] for key in configurations}
    for support, queries in sampler.split(codes, pool):
        made = {center: problem(X, support, queries, codes, n_way, center) for center in BOTH}
        for key, (label, params) in configurations.items():
            params = dict(params)
            given, truth = made[params.pop("center")]
            accuracies[key].append(float(np.mean(label(given, **params) == truth)))
    return {key: np.array(values) for key, values in accuracies.items()}


def in_processes(function, items, jobs):
    """Map a function over items in processes that share what is loaded; yield as they finish."""
    if jobs == 1:
        yield from map(function, items)
        return
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        yield from pool.imap_unordered(function, items)


def tune(sets, methods, n_episodes, jobs):
    """Return "method | set" -> the configuration chosen on the other sets."""
    configurations = {
        (name, i): (METHODS[name][0], params)
        for name in methods
        for i, params in enumerate(METHODS[name][1])
        if len(METHODS[name][1]) > 1
    }
    cells = [(name, 5, shots, prior) for name in sets for shots in (1, 5) for prior in PRIORS]

    def scores(cell):
        return cell[0], run(cell, sets[cell[0]], configurations, n_episodes, 1000)

    means = {name: dict.fromkeys(configurations, 0.0) for name in sets}
    for name, accuracies in in_processes(_Global(scores), cells, jobs):
        for key, values in accuracies.items():
            means[name][key] += values.mean()
    chosen = {}
    for left_out in sets:
        others = [name for name in sets if family(name) != family(left_out)] or [left_out]
        for name in methods:
            cells = METHODS[name][1]
            score = [sum(means[o].get((name, i), 0) for o in others) for i in range(len(cells))]
            chosen[f"{name} | {left_out}"] = cells[int(np.argmax(score))]
    return chosen


class _Global:
    """A function that forked processes find where it was, as it cannot be sent to them."""

    functions = []

    def __init__(self, function):
        self.index = len(self.functions)
        self.functions.append(function)

    def __call__(self, item):
        return self.functions[self.index](item)


def accuracy(options, result):
    """Tune, score cell by cell into `result`, and print the tables."""
    sets, episodes = datasets(), dict(zip(options.ways, options.episodes, strict=False))
    part = result.setdefault("accuracy", {"chosen": {}, "table": []})
    chosen = part["chosen"]
    untuned = [m for m in METHODS if any(f"{m} | {name}" not in chosen for name in sets)]
    if untuned:
        chosen |= tune(sets, untuned, options.tune, options.jobs)
        save(options, result)
    print("\nChosen on all other sets:")
    for left_out in sets:
        print(f"  scored on {left_out}:")
        for name in METHODS:
            print(f"    {name:20} {chosen[f'{name} | {left_out}']}")
    table = {(row["method"], *(row[key] for key in CELL)): row for row in part["table"]}

    def configurations(cell):
        """Return those of the methods that did not run on these episodes, and the first beside."""
        n = episodes[cell[1]]
        missing = {m for m in METHODS if table.get((m, *cell), {}).get("episodes") != n}
        wanted = {"prototype", *missing} if missing else set()
        return {m: (METHODS[m][0], chosen[f"{m} | {cell[0]}"]) for m in METHODS if m in wanted}

    def score(cell):
        return cell, run(cell, sets[cell[0]], configurations(cell), episodes[cell[1]], 1)

    cells = [
        (name, n_way, n_shot, prior)
        for n_way in episodes
        for name in sets
        for n_shot in (1, 5)
        for prior in PRIORS
    ]
    missing = [cell for cell in cells if configurations(cell)]
    for cell, scores in in_processes(_Global(score), missing, options.jobs):
        table |= {(row["method"], *cell): row for row in rows_of(cell, scores)}
        part["table"] = list(table.values())
        save(options, result)
        print(cell, flush=True)
    report(part["table"])


def rows_of(cell, scores):
    """Return a row of the table for each method; differences to the prototype are paired."""
    rows = []
    for method, values in scores.items():
        difference = values - scores["prototype"]
        rows.append(
            {
                **dict(zip(CELL, cell, strict=True)),
                "method": method,
                "episodes": len(values),
                "mean": 100 * float(values.mean()),
                "interval": half_width(values),
                "difference": 100 * float(difference.mean()),
                "difference_interval": half_width(difference),
            }
        )
    return rows


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
    """Return the least CPU time of a call, in milliseconds: a busy machine makes it longer."""
    call()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return 1000 * min(times)


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
            **{
                name: lambda f=fresh, label=label: label(f())
                for name, label in easyfsl_methods().items()
            },
        }
        times = {name: clock(call) for name, call in sides.items()}
        for name, value in times.items():
            ratio = value / times["clustering"]
            rows.append({"ways": n_way, "shots": n_shot, "side": name, "ms": value})
            print(f"{n_way}-way {n_shot}s {name:32}{value:9.2f}{ratio:8.1f} x clustering")
    return rows


def easyfsl_methods():
    """Return name -> function of a problem, of easyfsl at its own settings, if it is installed."""
    try:
        import torch
        from easyfsl import methods
    except ImportError as error:
        print(f"easyfsl cannot be imported ({error}): not compared")
        return {}
    torch.set_num_threads(1)

    def side(name):
        def label(problem):
            S, Q = (
                torch.tensor(problem.X[part]).float() for part in (problem.support, problem.queries)
            )
            model = getattr(methods, name)(backbone=torch.nn.Identity())
            if name == "PTMAP":
                # Its power transform is for features that are not negative: centred rows are.
                model.compute_features = lambda rows: rows
            model.process_support_set(S, torch.tensor(problem.y[problem.support]))
            return model(Q).argmax(dim=1).numpy()

        return label

    names = ("LaplacianShot", "BDCSPN", "TIM", "PTMAP", "TransductiveFinetuning")
    return {f"easyfsl {name}": side(name) for name in names}


#: easyfsl's method -> ours of the same paper at the same settings.
TWINS = {
    "easyfsl LaplacianShot": solver(partial(LaplacianShot, temperature=1.0, n_neighbors=3)),
    "easyfsl BDCSPN": solver(BDCSPN),
    "easyfsl TIM": solver(partial(TIM, temperature=0.2, supervision=1.0)),
    "easyfsl PTMAP": solver(partial(PTMAP, temperature=0.1, rate=0.2)),
}


def easyfsl(options, result):
    """Label the same episodes by easyfsl's methods and by ours of the same papers."""
    peers = easyfsl_methods()
    if not peers:
        return
    ours = {name.replace("easyfsl", "our"): label for name, label in TWINS.items()}
    methods = {"prototype": solver(Prototype), **peers, **ours, "auto": solver(Auto)}
    found = {name: [] for name in methods}
    agreement = {name: [] for name in TWINS}
    seconds = dict.fromkeys(methods, float("inf"))
    n_episodes = options.peer_episodes
    for data in datasets().values():
        codes = np.unique(data.y, return_inverse=True)[1]
        for n_shot in (1, 5):
            for kind, prior in PRIORS.items():
                sampler = EpisodeSampler(
                    5, n_shot, n_episodes=n_episodes, query_prior=prior, random_state=1
                )
                for support, queries in sampler.split(codes, data.pool):
                    given, truth = problem(data.X, support, queries, codes, 5, "pooled")
                    labels = {}
                    for name, label in methods.items():
                        start = time.process_time()
                        labels[name] = label(replace(given))
                        seconds[name] = min(seconds[name], time.process_time() - start)
                        found[name].append((kind, np.mean(labels[name] == truth)))
                    for name in TWINS:
                        twin = labels[name.replace("easyfsl", "our")]
                        agreement[name].append(np.mean(labels[name] == twin))
    rows = []
    print(f"\nsame episodes, 5-way, {n_episodes} a cell; least CPU ms of an episode")
    for name, values in found.items():
        right = {kind: [v for k, v in values if k == kind] for kind in PRIORS}
        row = {
            "method": name,
            "episodes": len(values),
            **{kind: 100 * float(np.mean(v)) for kind, v in right.items()},
            "difference_interval": half_width(
                np.array([v for _, v in values]) - [v for _, v in found["prototype"]]
            ),
            "ms": 1000 * seconds[name],
            "agreement": 100 * float(np.mean(agreement[name])) if name in agreement else None,
        }
        rows.append(row)
        same = f"{row['agreement']:7.1f} % as ours" if row["agreement"] else ""
        print(
            f"{name:32}"
            + "".join(f"{row[kind]:7.1f}" for kind in PRIORS)
            + f"{row['ms']:9.2f}"
            + same
        )
    versions = {package: version(package) for package in ("easyfsl", "torch")}
    result["easyfsl"] = {"versions": versions, "table": rows}


def scale(n, n_classes=100, d=64):
    """Time an iteration on n queries, and its parts against the bare matrix product."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((n_classes, d)).astype(np.float32)
    truth = np.concatenate([np.repeat(np.arange(n_classes), 5), rng.integers(n_classes, size=n)])
    X = centres[truth] + 0.7 * rng.standard_normal((len(truth), d), dtype=np.float32)
    y = np.where(np.arange(len(truth)) < 5 * n_classes, truth, -1)
    given = TransductiveLabelling(X=X, y=y, n_classes=n_classes)
    indptr = np.arange(0, 5 * len(y) + 1, 5, dtype=np.int64)

    def links_to(near):
        """Return the graph of five given neighbours a row."""
        return Graph(indptr, near.astype(np.int32), np.full(len(near), 0.2, np.float32))

    random = links_to(rng.integers(len(y), size=5 * len(y)))
    # Rows of a class anywhere, which is what neighbours are where classes are compact.
    order, counts = truth.argsort(kind="stable"), np.bincount(truth)
    first, size = (np.repeat(v[truth], 5) for v in (counts.cumsum() - counts, counts))
    same = links_to(order[first + (size * rng.random(len(first))).astype(np.int64)])
    del first, size, order
    metric = SquaredEuclidean(given)
    A, b = metric.scores(given.means)
    At = np.ascontiguousarray(A.T.astype(np.float32))
    n_jobs = min(2, os.cpu_count() or 1)

    def labelled(links, threads=1):
        """Return a labelling whose rows are sorted, as a solver has it."""
        labelling = Labelling(given, links, 3.5, threads=threads)
        if links is not None:
            labelling.assign(A, b, 1.0, linked=False)
            labelling.sort_by_class()
        return labelling

    def parts():
        """Yield the name of a part and its milliseconds. One labelling is alive at a time."""
        product = np.empty((len(X), n_classes), np.float32)
        yield "product", clock(partial(np.matmul, X, At, out=product), 3)
        del product
        for name, links in (("no graph", None), ("random", random), ("same class", same)):
            labelling = Labelling(given, links, 3.5)
            yield f"sweep, {name}", clock(partial(labelling.assign, A, b, 1.0), 3)
            del labelling
        labelling = labelled(same)
        yield "sweep, same class, sorted", clock(partial(labelling.assign, A, b, 1.0), 3)
        yield "prototypes", clock(partial(labelling.sums, 2.0), 2)
        sums = labelling.sums(2.0)
        yield "objective", clock(partial(labelling.energy, A, b, 1.0, *sums), 2)
        del labelling
        for name, links in (("no graph", None), ("same class, sorted", same)):
            labelling = labelled(links, n_jobs)
            cpu, wall = time.process_time(), time.perf_counter()
            for _ in range(3 if links is not None else 1):
                labelling.assign(A, b, 1.0)
            labelling.energy(A, b, 1.0, *labelling.sums(2.0))
            yield f"iteration, {name}, CPU of {n_jobs} threads", 1000 * (time.process_time() - cpu)
            wall = 1000 * (time.perf_counter() - wall)
            yield f"iteration, {name}, wall clock, {n_jobs} threads", wall
            del labelling

    rows = {}
    with single_threaded_blas():
        # In turn, several times: a processor that others share is now fast and now slow.
        for _ in range(4):
            for name, milliseconds in parts():
                rows[name] = min(milliseconds, rows.get(name, np.inf))
        labelling = Labelling(given, same, 3.5)
        labelling.assign(A, b, 1.0, linked=False)
        start = time.process_time()
        labelling.sort_by_class()
        rows["sorting by class, once"] = 1000 * (time.process_time() - start)
    print(f"\n{n} queries x {n_classes} classes x {d} features, float32; CPU s, one thread")
    bare = rows["product"]
    for name, value in rows.items():
        print(f"{name:46}{value / 1000:8.2f}{value / bare:8.2f} x the product")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    size = 4 * len(y) * n_classes / 2**30
    print(f"peak {peak:.2f} GiB; a labelling is {size:.2f}, the rows {X.nbytes / 2**30:.2f}")
    return {"queries": n, "milliseconds": rows, "peak_gib": peak}


def digits(options, result):
    """Label all digits at once from five of each: `auto`, label spreading, and a grid search."""
    X, truth = load_digits(return_X_y=True)
    rows = []
    print("\nall digits at once, 5 labels a class: accuracy, and what the grid search chose")
    for draw in range(4):
        rng = np.random.default_rng(draw)
        y = np.full(len(truth), -1)
        for c in range(10):
            y[rng.permutation(np.flatnonzero(truth == c))[:5]] = c
        hidden = y == -1

        def right(model, hidden=hidden):
            return float(np.mean(model.transduction_[hidden] == truth[hidden]))

        spreading = Spreading(gamma=20.0, alpha=0.9)
        grid = [
            {"solver": ["prototype", spreading]},
            {"solver": ["clustering"], "laplacian": [0.7, 2.0, 5.0]},
        ]
        search = GridSearchCV(TransductiveFewShot(), grid, cv=TransductiveSplit(5)).fit(X, y)
        chosen = search.best_params_["solver"]
        row = {
            "draw": draw,
            "auto": right(TransductiveFewShot().fit(X, y)),
            "label-spreading": right(TransductiveFewShot(spreading).fit(X, y)),
            "search": right(search.best_estimator_),
            "chosen": "label-spreading" if chosen is spreading else chosen,
        }
        rows.append(row)
        print(row, flush=True)
    result["digits"] = rows


def head(options, result):
    """Compare probabilities on episodes of novel classes, base classes being known."""
    rows = []
    print("\nhead: 5-way, 15 queries a class; accuracy, log loss, expected calibration error")
    for name, data in datasets().items():
        if data.X_base is None:
            continue
        center = data.X_base.mean(axis=0)
        X, X_base = unit(data.X - center), unit(data.X_base - center)
        codes = np.unique(data.y, return_inverse=True)[1]
        base = NormalInverseWishart().fit(X_base, data.y_base)
        for n_shot in (1, 5):
            base.calibrate(X_base, data.y_base, n_shots=n_shot)
            sampler = EpisodeSampler(5, n_shot, n_episodes=options.head_episodes, random_state=1)
            found = {}
            for support, queries in sampler.split(codes, data.pool):
                truth = np.searchsorted(np.unique(codes[support]), codes[queries])
                labels = np.unique(codes[support], return_inverse=True)[1]
                given = TransductiveLabelling(
                    X=X[np.concatenate([support, queries])],
                    y=np.concatenate([labels, np.full(len(queries), -1)]),
                    n_classes=5,
                )
                sides = {
                    "niw, one row at a time": NIW(head=base, max_iter=1),
                    "niw, EM": NIW(head=base),
                    "prototype": Prototype(),
                    "clustering": Clustering(),
                    "auto": Auto(),
                }
                answers = {k: s.solve(given).x[given.queries] for k, s in sides.items()}
                for C in (1.0, 10.0):
                    model = LogisticRegression(C=C, max_iter=1000).fit(X[support], labels)
                    answers[f"LogisticRegression, C={C:g}"] = model.predict_proba(X[queries])
                for side, P in answers.items():
                    found.setdefault(side, []).append((P, truth))
            for side, parts in found.items():
                P = np.vstack([p for p, _ in parts])
                truth = np.concatenate([t for _, t in parts])
                row = {"set": name, "shots": n_shot, "side": side, **calibration(P, truth)}
                rows.append(row)
                print(
                    f"{name:12}{n_shot}s {side:26}{100 * row['accuracy']:7.1f}"
                    f"{row['log_loss']:8.2f}{row['ece']:8.3f}",
                    flush=True,
                )
    result["head"] = rows


def calibration(P, truth):
    """Return accuracy, log loss, and the mean gap of confidence and accuracy over 15 bins."""
    confidence, right = P.max(axis=1), P.argmax(axis=1) == truth
    bins = np.minimum((15 * confidence).astype(int), 14)
    gaps = np.bincount(bins, confidence - right, minlength=15)
    own = np.maximum(P[np.arange(len(truth)), truth], 1e-12)
    return {
        "accuracy": float(right.mean()),
        "log_loss": float(-np.log(own).mean()),
        "ece": float(np.abs(gaps).sum() / len(truth)),
    }


def fashion_mnist():
    """Return pixels and labels of all 70 000 pictures, or None."""
    root = pathlib.Path(os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))

    def read(kind, offset):
        files = [sorted(root.rglob(f"{part}-{kind}-idx?-ubyte*")) for part in ("train", "t10k")]
        if not all(files):
            return None
        raw = [(gzip.open if f[0].suffix == ".gz" else open)(f[0], "rb").read() for f in files]
        return np.concatenate([np.frombuffer(r, np.uint8, offset=offset) for r in raw])

    pixels, labels = read("images", 16), read("labels", 8)
    if pixels is None or labels is None:
        return None
    return pixels.reshape(len(labels), -1).astype(np.float32) / 255, labels.astype(int)


def fashion(options, result):
    """Label thousands of pictures from a few a class; nothing is tuned on either side."""
    data = fashion_mnist()
    if data is None:
        print("Fashion-MNIST is not installed: skipped")
        return
    rows = []
    print(f"\nFashion-MNIST, {options.rows} rows at once, pixels; accuracy of three draws, CPU s")
    for n_shot in (1, 5, 25):
        found = {}
        for draw in range(3):
            rng = np.random.default_rng(draw)
            chosen = rng.permutation(len(data[1]))[: options.rows]
            X, truth = data[0][chosen], data[1][chosen]
            X = unit(X - X.mean(axis=0))
            y = np.full(len(truth), -1)
            for c in range(10):
                y[np.flatnonzero(truth == c)[:n_shot]] = c
            for side, label in FASHION_SIDES.items():
                given = TransductiveLabelling(X=X, y=y, n_classes=10)
                start = time.process_time()
                labels = label(given)
                seconds = time.process_time() - start
                right = float(np.mean(labels == truth[given.queries]))
                found.setdefault(side, []).append((right, seconds))
        for side, values in found.items():
            scores, seconds = np.array(values).T
            rows.append(
                {"shots": n_shot, "side": side, "accuracy": list(scores), "seconds": min(seconds)}
            )
            print(
                f"{n_shot:3}s {side:26}{100 * scores.mean():7.1f}  "
                f"({', '.join(f'{100 * v:.1f}' for v in scores)}){min(seconds):9.1f}",
                flush=True,
            )
    result["fashion"] = {"rows": options.rows, "table": rows}


def spreading_knn(problem):
    model = LabelSpreading("knn", n_neighbors=12, max_iter=200).fit(problem.X, problem.y)
    return model.transduction_[problem.queries]


def large(options, result):
    """Label all of Fashion-MNIST from five a class: graph, solve, and LabelSpreading's both."""
    data = fashion_mnist()
    if data is None:
        print("Fashion-MNIST is not installed: skipped")
        return
    chosen = np.random.default_rng(0).permutation(len(data[1]))[: options.large_rows]
    X, truth = data[0][chosen], data[1][chosen]
    X = X - X.mean(axis=0)
    _, vectors = np.linalg.eigh(X.T @ X)
    X = np.ascontiguousarray(unit(X @ vectors[:, :-65:-1]))
    y = np.full(len(truth), -1)
    for c in range(10):
        y[np.flatnonzero(truth == c)[:5]] = c
    given = TransductiveLabelling(X=X, y=y, n_classes=10)
    rows, k = [], Clustering().neighbours(len(X))
    print(f"\nFashion-MNIST, {len(X)} rows, 64 principal components, 5 shots; one draw, CPU s")

    def side(name, call, given=given):
        start, labels = time.process_time(), call(given)
        seconds = time.process_time() - start
        right = (
            100 * float(np.mean(labels == truth[y < 0])) if isinstance(labels, np.ndarray) else None
        )
        rows.append({"side": name, "seconds": seconds, "accuracy": right})
        print(f"{name:26}{seconds:9.1f}" + (f"{right:9.1f}" if right else ""), flush=True)

    approximate, graph.APPROXIMATE = graph.APPROXIMATE, len(X)
    side("graph, exact", lambda given: given.graph(k))
    for name in ("prototype", "LogisticRegression", "clustering", "auto", "LabelSpreading (knn)"):
        side(name, FASHION_SIDES[name])
    result["large"] = {"rows": len(X), "table": rows}
    graph.APPROXIMATE = approximate
    package = next(filter(find_spec, ("pynndescent", "hnswlib")), None)
    if package is None or len(X) <= approximate:
        return
    other = replace(given)
    side(f"graph, by {package}, first in a process", lambda given: graph.neighbour_graph(X, k))
    side(f"graph, by {package}", lambda given: given.graph(k), other)
    for name in ("clustering", "auto"):
        side(f"{name}, by {package}", FASHION_SIDES[name], other)
    probe = np.random.default_rng(1).choice(len(X), min(len(X), 2000), replace=False)
    # Rows are their own nearest neighbours.
    nearest, found = graph.neighbours(X, X[probe], k + 1), graph.nearest_others(X, k)[probe]
    recall = float(np.mean([len(set(a) & set(b)) / k for a, b in zip(nearest, found, strict=True)]))
    print(f"{package} finds {100 * recall:.2f} % of the nearest neighbours")
    result["large"] |= {"package": package, "version": version(package), "recall": recall}


FASHION_SIDES = {
    "prototype": solver(Prototype),
    "LogisticRegression": partial(logistic, C=10.0),
    "LabelSpreading (knn)": spreading_knn,
    "LaplacianShot": solver(LaplacianShot),
    "PT-MAP": solver(PTMAP),
    "clustering": solver(Clustering),
    "auto": solver(Auto),
}


def save(options, result):
    """Write what there is so far."""
    if options.json:
        path = pathlib.Path(options.json)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = ["accuracy", "head", "digits", "fashion", "speed", "scale", "easyfsl", "large"]
    parser.add_argument("parts", nargs="*", default=parts, metavar="PART", help=", ".join(parts))
    parser.add_argument(
        "--episodes", type=int, nargs="+", default=[500, 250], help="a cell, for each of --ways"
    )
    parser.add_argument("--head-episodes", type=int, default=200)
    parser.add_argument("--tune", type=int, default=40)
    parser.add_argument("--peer-episodes", type=int, default=20, help="of the easyfsl part")
    parser.add_argument("--rows", type=int, default=10_000, help="of the fashion part")
    parser.add_argument("--large-rows", type=int, default=70_000, help="of the large part")
    parser.add_argument("--queries", type=int, default=1_000_000, help="of the scale part")
    parser.add_argument("--ways", type=int, nargs="+", default=[5, 10])
    parser.add_argument("--jobs", type=int, default=2, help="processes of the accuracy part")
    parser.add_argument("--json", help="write the tables here, and go on from what is there")
    parser.add_argument("--resume", help="take what is there, and run the rest", metavar="FILE")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    result = {"schema": SCHEMA}
    for file in filter(None, (options.resume, options.json)):
        if pathlib.Path(file).exists():
            before = json.loads(pathlib.Path(file).read_text())
            if before["schema"] == SCHEMA or before.get("benchmark") == "fewshot":
                # Of a published file, without what it was made with.
                result |= {k: v for k, v in before.items() if k in {*PARTS, "runs"}}
    for part in options.parts:
        if options.resume and part != "accuracy" and part in result:
            continue
        start = time.perf_counter()
        PARTS[part](options, result)
        result.setdefault("runs", []).append(
            {
                "part": part,
                "options": {k: v for k, v in vars(options).items() if k not in FILES},
                "date": time.strftime("%Y-%m-%d"),
                "seconds": round(time.perf_counter() - start, 1),
            }
        )
        save(options, result)


PARTS = {
    "accuracy": accuracy,
    "head": head,
    "digits": digits,
    "fashion": fashion,
    "easyfsl": easyfsl,
    "large": large,
    "speed": lambda options, result: result.update(speed=speed()),
    "scale": lambda options, result: result.update(scale=scale(options.queries)),
}


if __name__ == "__main__":
    main()
