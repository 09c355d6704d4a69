"""Subspace clustering beside scikit-learn: accuracy, NMI, ARI, CPU seconds, memory.

``python benchmarks/clustering.py [--seeds N] [--only PART] [--json FILE]``, where a part is one of
REAL, SYNTHETIC, KERNEL, MILLION, MAP.

One thread, CPU time. Memory is what the process's own pages grow by at most during a fit (Linux);
pages of mapped files do not count. MAP writes a temporary file of 2.6 GB. Data that no package
ships are read from $SKRAND_DATA, and what is missing is said. Every side gets the number of
clusters and nothing else, but for the case of shared directions, whose dimension our sides are
told.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import ctypes
import json
import statistics
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.mixture import GaussianMixture

from skrand import SubspaceClusterer
from skrand.clustering import clustering_accuracy
from skrand.clustering.claims import million_rows
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


def run_million():
    with PeakMemory() as peak:
        result = million_rows()
    print(f"1e6 x 100: {result.measured} s, {result.note} {result.baseline_name}: ", end="")
    print(f"{result.baseline} s. Memory {peak.megabytes:.0f} MB, of which the data are 381 MB.")
    yield {
        "seconds": result.measured,
        "baseline": result.baseline,
        "megabytes": peak.megabytes,
    }


def run_map(n=10_000_000, D=64, dim=5, K=10, block=250_000):
    """Cluster the rows of a memory map; the labels alone are 80 MB."""
    rng = np.random.default_rng(0)
    bases = np.stack([np.linalg.qr(rng.standard_normal((D, dim)))[0].T for _ in range(K)])
    y = rng.integers(0, K, n)
    title = f"map of {n:.0e} x {D}".replace("e+0", "e")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.npy"
        X = np.lib.format.open_memmap(file, "w+", np.float32, (n, D))
        for start in range(0, n, block):
            some = y[start : start + block]
            rows = 0.1 / np.sqrt(D) * rng.standard_normal((len(some), D), dtype=np.float32)
            for k, U in enumerate(bases):
                signal = rng.standard_normal((np.count_nonzero(some == k), dim))
                rows[some == k] += signal @ U / np.sqrt(dim)
            X[start : start + block] = rows
        del X
        X = np.load(file, mmap_mode="r")
        for solver in ("sampled", "auto"):
            model = SubspaceClusterer(K, solver=solver, random_state=0)
            yield row(title, f"skrand {solver}", [measured(lambda model=model: model, X, y)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=["REAL", "SYNTHETIC", "KERNEL", "MILLION", "MAP"])
    parser.add_argument("--json", help="write the tables here")
    options = parser.parse_args()
    print(
        f"{'data':28}{'side':22}{'median':>8}{'least':>8}{'NMI':>8}{'ARI':>8}{'CPU':>11}{'memory':>12}"
    )
    parts = {
        "REAL": lambda: run_real(options.seeds),
        "SYNTHETIC": lambda: run_synthetic(options.seeds),
        "KERNEL": run_kernel,
        "MILLION": run_million,
        "MAP": run_map,
    }
    out = {name: list(part()) for name, part in parts.items() if options.only in (None, name)}
    if options.json:
        Path(options.json).write_text(json.dumps({"schema": SCHEMA, **out}, indent=1))


if __name__ == "__main__":
    main()
