"""Figures of the README and of the performance page, which are of all tasks."""

import ast

from figures import RESULTS, by, count, digits, measured, results, table
from figures.fewshot import accuracies, gap_to_the_best


@measured
def readme():
    lines = [
        ("task", "beside", "data", "times as fast", "a loss"),
        _least_squares(),
        _median(),
        _stream(),
        _transport(),
        _completion(),
        _sensing(),
        _clustering(),
        _few_shot(),
    ]
    return table(*lines)


def _times(ratio):
    return f"{digits(ratio)} x"


def _least_squares():
    rows = by(results("regression")["rows"], "case", "solver")
    large, small = (
        rows[case, "auto"]["over LinearRegression"]
        for case in ("300000 x 50, 1e+01", "2000 x 10, 1e+01")
    )
    return (
        "[least squares](docs/regression.md)",
        "scikit-learn's `LinearRegression`",
        "300 000 x 50",
        _times(large),
        f"2000 x 10: {_times(small)}",
    )


def _median():
    rows = by([row for row in results("lp_regression")["rows"] if "data" in row], "data", "solver")

    def strongest(data):
        times = {
            solver: row["seconds"]
            for (name, solver), row in rows.items()
            if name == data and solver.startswith(("pinball", "pyqreg2")) and row["seconds"]
        }
        solver = min(times, key=times.get)
        return solver.replace("pinball", "pinball-qr"), times[solver] / rows[data, "auto"][
            "seconds"
        ]

    peer, ratio = strongest("1000000 x 20")
    other, loss = strongest("2000 x 5")
    return (
        "[median regression](docs/lp_regression.md)",
        peer,
        "1 000 000 x 20",
        _times(ratio),
        f"2000 x 5, {other}: {_times(loss)}",
    )


def _stream():
    rates = {row["way"]: row["gigabytes_per_second"] for row in results("stream")["table"]}
    part = results("stream")
    (excess,) = (100 * row["excess"] for row in part["table"] if row["way"] == "countsketch")
    data = f"{count(part['rows'])} x {part['features']}"
    return (
        "[streams](docs/streaming.md)",
        "a Gram matrix by hand, in NumPy",
        f"{data}, by `countsketch`, which leaves the objective {excess:.0f} % too large",
        _times(rates["countsketch"] / rates["numpy Gram"]),
        f"exact, by `chol`: {_times(rates['chol'] / rates['numpy Gram'])}",
    )


def _transport():
    rows = by(results("transport")["race"], "case", "side")
    ratios = {
        side: row["ratio"]
        for (case, side), row in rows.items()
        if case == "digits L2 784" and row["ratio"] and not side.startswith(("skrand", "POT emd"))
    }
    peer = min(ratios, key=ratios.get)
    loss = rows["digits L1 784", "POT emd (exact)"]["ratio"]
    return (
        "[entropic transport](docs/transport.md)",
        peer.replace("ssns", "SSNS"),
        "digits, 784 points, to a violation of 1e-9",
        _times(ratios[peer]),
        f"network simplex (`ot.emd`), without the penalty, on L1 costs: {_times(loss)}",
    )


def _completion():
    rows = by((row for row in results("completion")["rows"] if "side" in row), "table", "side")
    ours, theirs = (rows["MovieLens 100k", side] for side in ("skrand, float32", "cmfrec, CG"))
    lost = [
        rows["digits 1797 x 64", side]["error"] for side in ("skrand, rank 20, alpha 3", "skrand")
    ]
    knn = rows["digits 1797 x 64", "KNNImputer"]["error"]
    return (
        "[ratings](docs/completion.md)",
        "cmfrec, conjugate gradients",
        f"MovieLens 100k; RMSE {ours['rmse']:.4f}, theirs {theirs['rmse']:.4f}",
        _times(theirs["ratio"]),
        f"imputing digits: error {min(lost):.2f}, `KNNImputer` {knn:.2f}",
    )


def _sensing():
    rows = by(results("sensing")["rows"], "case", "side")
    case, side = "30x30 r3 in 6, noise 5 %", "nuclear norm, best penalty"
    ours, theirs = rows[case, "skrand rgn"]["error"], rows[case, side]["error"]
    return (
        "[matrix sensing](docs/sensing.md)",
        "the nuclear norm, the best of ten penalties in hindsight",
        "60 x 50, rank 4, 1200 measurements",
        _times(rows["60x50 r4, n=1200", side]["ratio"]),
        f"noise and too large a rank: error {ours:.3f}, theirs {theirs:.3f}",
    )


def _clustering():
    rows = by(results("clustering")["REFERENCE"], "solver", "n")
    times = by(results("clustering")["REAL"], "data", "solver")
    ours, theirs = (times["COIL-20", side] for side in ("skrand auto", "SpectralClustering"))
    return (
        "[subspace clustering](docs/clustering.md)",
        "the published code of `ensc`",
        "MNIST scattering, 5000 x 500",
        _times(rows["ensc", 5000]["ratio"]),
        f"`SpectralClustering` on COIL-20: {_times(theirs['seconds'] / ours['seconds'])}, "
        f"accuracy {theirs['accuracy']:.2f}, ours {ours['accuracy']:.2f}",
    )


def _few_shot():
    peer, gap = gap_to_the_best(5)
    worst = accuracies(5)[5, "emoji", 5, "Dirichlet(2)"]
    ours, theirs = (worst[method]["mean"] for method in ("auto", "LogisticRegression"))
    return (
        "[few-shot labelling](docs/fewshot.md)",
        f"{peer}, tuned by the same rule",
        f"{len(accuracies(5))} kinds of 5-way episodes",
        f"{gap:+.1f} points of accuracy",
        "emoji, five labels a class, unbalanced, `LogisticRegression`: "
        f"{ours - theirs:+.1f} points of accuracy",
    )


@measured
def performance_files():
    lines = [("file", "what it has", "made by `python benchmarks/...`", "date")]
    for file in sorted(RESULTS.glob("*.json")):
        name = file.stem
        source = (RESULTS.parent / f"{name}.py").read_text("utf-8")
        what = ast.get_docstring(ast.parse(source)).partition("\n")[0]
        content = results(name)
        dates = {*content["environment"]["date"].split("; ")}
        dates |= {run["date"] for run in content.get("runs", ())}
        commands = content["arguments"].split("; ")
        made = ", ".join(f"`{f'{name}.py {arguments}'.strip()}`" for arguments in commands)
        lines.append(
            (f"[{name}](#{name})", what.replace("``", "`"), made, ", ".join(sorted(dates)))
        )
    return table(*lines)


@measured
def readme_digits():
    rows = by(results("manifold")["rows"], "part", "case", "side")
    values = (
        rows["linearize", "digits", side]["coherence"] for side in ("KMeans", "ManifoldLinearizer")
    )
    return "{:.2f} to {:.2f}".format(*values)
