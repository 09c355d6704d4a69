"""Figures of matrix completion and matrix sensing."""

from figures import by, digits, measured, power, results, table


@measured
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


def _completion(table_):
    return [row for row in results("completion")["rows"] if row["table"] == table_]


@measured
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


@measured
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


@measured
def completion_ratings():
    return _ratings("MovieLens 100k")


@measured
def completion_million():
    return _ratings("1M, simulated")


_SWEEPS = {
    "cg": "conjugate gradients",
    "cholesky": "Cholesky",
    "sketch": "sketch",
    "implicit": "implicit",
    "gather": "reading",
}


@measured
def completion_matrix():
    row = next(row for row in results("completion")["rows"] if "sweeps" in row)
    return (
        f"{row['sweeps']} sweeps and {digits(row['seconds'])} CPU seconds to an RMSE of "
        f"{power(row['rmse'])}"
    )


@measured
def completion_sweeps():
    lines = [("rank", *_SWEEPS.values(), "first over reading")]
    for row in _completion("linear"):
        if "rank" in row:
            times = (f"{row['seconds'][side]:.4f}" for side in _SWEEPS)
            lines.append((row["rank"], *times, f"{row['cg_over_gather']:.1f}"))
    return table(*lines)


@measured
def completion_linear():
    row = next(row for row in _completion("linear") if row.get("ranks") == [32, 128])
    return f"{row['ratio']:.1f} times the time at four times the rank"


@measured
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


@measured
def sensing_descent():
    rows = by(results("sensing")["descent"], "way", "start")
    starts = dict.fromkeys(start for _, start in rows)
    lines = [("start", *starts)]
    for way in dict.fromkeys(way for way, _ in rows):
        found = [rows[way, start] for start in starts]
        cells = [row["steps"] if row["error"] <= 1e-10 else power(row["error"]) for row in found]
        lines.append((way, *cells))
    return table(*lines)


@measured
def sensing_recovery():
    rows = results("sensing")["recovery"]
    said = ", ".join(
        f"{row['exact']} of {row['instances']} at {row['measurements']}" for row in rows
    )
    return f"{said} measurements"


@measured
def completion_far():
    values = [
        f"{row['cg_over_gather']:.1f} times that at rank {row['rank']}"
        for row in _completion("far")
    ]
    return " and ".join(values)
