"""Figures of manifold linearisation and what goes with it."""

import re

from figures import by, claims, digits, measured, power, results, table


def _linearised(case):
    rows = by(results("manifold")["rows"], "part", "case", "side")
    return {
        side: row for (part, name, side), row in rows.items() if (part, name) == ("linearize", case)
    }


@measured
def manifold_digits():
    rows = _linearised("digits")
    names = {
        "ManifoldLinearizer": "`ManifoldLinearizer(10)`",
        "balanced": '`balance="uniform"`',
        "batches of 500": "batches of 500",
        "linear map": "linear map",
        "pairwise": "solver `pairwise`, 32 components",
        "SpectralClustering, neighbours": "`SpectralClustering`, 5 neighbours",
        "KernelPCA, KMeans": "`KernelPCA`, then `KMeans`",
        "KMeans": "`KMeans`",
    }
    lines = [
        ("", "CPU s", "accuracy", "NMI", "coherence"),
        ("the data", "", "", "", f"{rows['KMeans']['coherence']:.3f}"),
    ]
    for side, name in names.items():
        row = rows[side]
        plain = side in ("KMeans", "SpectralClustering, neighbours")
        scores = [f"{row[key]:.3f}" for key in ("accuracy", "nmi", "coherence")]
        lines.append((name, f"{row['seconds']:.1f}", *scores[:2], "" if plain else scores[2]))
    return table(*lines)


@measured
def manifold_images():
    sets = {
        "COIL-20": "COIL-20, 1440 x 1024",
        "UMIST scattering": "UMIST scattering, 575 images",
        "MNIST-5k pixels": "MNIST-5k, 100 principal components",
    }
    names = {
        "ManifoldLinearizer": "`ManifoldLinearizer`",
        "balanced": "balanced",
        "linear map": "linear map",
        "pairwise": "solver `pairwise`",
        "SpectralClustering, neighbours": "`SpectralClustering`, 5 neighbours",
        "KMeans": "`KMeans`",
    }
    rows = {case: _linearised(case) for case in sets}
    lines = [
        ("", *sets.values()),
        ("the data", *(f"{rows[case]['KMeans']['coherence']:.3f}" for case in sets)),
    ]
    for side, name in names.items():
        cells = []
        for case in sets:
            row = rows[case].get(side)
            plain = side in ("KMeans", "SpectralClustering, neighbours")
            keys = ("accuracy", "nmi") if plain else ("accuracy", "nmi", "coherence")
            cells.append("" if row is None else " / ".join(f"{row[key]:.3f}" for key in keys))
        lines.append((name, *cells))
    pairs = [
        ", ".join(
            f"{rows[case][side]['seconds']:.1f}"
            for side in ("ManifoldLinearizer", "SpectralClustering, neighbours")
        )
        for case in sets
    ]
    lines.append(("CPU s: `ManifoldLinearizer`, `SpectralClustering`", *pairs))
    return table(*lines)


@measured
def manifold_refined():
    rows = [row for row in results("manifold")["rows"] if row["part"] == "refine"]
    accuracy = {(row["case"], row["side"]): row["accuracy"] for row in rows}
    cases = {
        "shared 4 of 5 directions": "shared 4 of 5 directions",
        "sizes 1 to 40": "sizes 1 to 40",
        "digits": "digits",
    }
    names = {
        "nothing": "not refined",
        "kss": "`kss`",
        "mcr2": "`mcr2`",
        "mcr2 eps2=.5 balanced": "`mcr2`, balanced, `eps2=0.5`",
        "molrg": "`molrg`",
        "laplacian": "`laplacian`",
    }
    lines = [("", *cases.values())]
    for side, name in names.items():
        lines.append((name, *(f"{accuracy[case, side]:.3f}" for case in cases)))
    return table(*lines)


@measured
def manifold_density():
    rows = by(results("manifold")["rows"], "part", "case", "side")
    rows = {key[1:]: row for key, row in rows.items() if key[0] == "density"}
    sides = dict.fromkeys(side for _, side in rows)
    lines = [("", *(f"`{side}`" if "Gaussian" in side else side for side in sides))]
    for case in dict.fromkeys(case for case, _ in rows):
        cells = []
        for side in sides:
            row = rows.get((case, side))
            cells.append("" if row is None else f"{row['accuracy']:.2f}, {digits(row['seconds'])}")
        lines.append((re.sub(r" n_k=(\d+) noise=", r", n = \1, noise ", case), *cells))
    return table(*lines)


@measured
def manifold_scaling():
    rows = [row for row in results("manifold")["rows"] if row["part"] == "scaling"]
    sides = dict.fromkeys(row["side"] for row in rows)
    lines = [("CPU s (error)", *sides)]
    for case in dict.fromkeys(row["case"] for row in rows):
        cells = [
            f"{digits(row['seconds'])} ({power(row['error'])})"
            for row in rows
            if row["case"] == case
        ]
        lines.append((case.partition(", ")[2], *cells))
    return table(*lines)


@measured
def manifold_linear():
    rows = _linearised("digits")
    values = (rows[side]["coherence"] for side in ("linear map", "ManifoldLinearizer"))
    return "cosine {:.2f} on the digits below, against {:.2f}".format(*values)


@measured
def manifold_start():
    return f"{_linearised('digits')['ManifoldLinearizer']['accuracy']:.3f}"


@measured
def manifold_points():
    (claim,) = claims("molrg")
    return f"{claim['measured']:.1f} d"
