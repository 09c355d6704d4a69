"""Figures of linear models: least squares, other powers of the loss, streams."""

from figures import by, claims, count, digits, measured, power, results, seconds, shape, table


@measured
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


@measured
def regression_memory():
    shares = dict(results("regression")["memory"])
    return ", ".join(f"{share:.2f} for `{solver}`" for solver, share in shares.items())


@measured
def regression_small():
    rows = by(results("regression")["rows"], "case", "solver")
    times = {
        name: f"{1e3 * rows['2000 x 10, 1e+01', name]['seconds']:.1f} ms"
        for name in ("LinearRegression", "chol", "auto")
    }
    peer, chol, auto = times.values()
    return f"{peer}, us {chol} with `chol` and {auto} with `auto`"


@measured
def regression_ridge():
    for row in results("regression")["rows"]:
        if row["case"].endswith(", ridge") and row["solver"] == "auto":
            shape_ = shape(row["case"].removesuffix(", ridge"))
            return f"at {shape_} {digits(row['over cholesky'])} times ours"
    raise KeyError("ridge")


@measured
def lp_coreset():
    rows = [row for row in results("lp_regression")["rows"] if row.get("solver") == "coreset"]
    row = max(rows, key=lambda row: row["seconds"])
    return f"{seconds(row['seconds'])} on {shape(row['data'])}"


@measured
def lp_powers_shape():
    row = next(row for row in results("lp_regression")["rows"] if "p" in row)
    return f"{count(row['rows'])} x {row['features']}"


@measured
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


@measured
def lp_excess():
    rows = [row for row in results("lp_regression")["rows"] if row.get("excess") is not None]
    return power(max(row["excess"] for row in rows if row["solver"] == "auto"))


@measured
def lp_powers():
    lines = [("p", "noise", "steps", "passes", "seconds")]
    for row in results("lp_regression")["rows"]:
        if "p" in row:
            noise = "normal" if row["noise"] == "normal" else "t, 1.5 degrees"
            lines.append((row["p"], noise, row["steps"], row["passes"], digits(row["seconds"])))
    return table(*lines)


@measured
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


@measured
def stream_rows():
    return f"{results('stream')['rows']:.0e}".replace("e+0", "e")


@measured
def stream_errors():
    rows = by(results("stream")["errors"], "data", "sketch", "rows_a_column")
    lines = [
        (
            "data",
            "sketch",
            "rows a column",
            "`error_estimate_` / true error, 5 to 95 %",
            "coverage of `coef_error_`, nominal 95 %",
        )
    ]
    for (data, sketch, times), row in rows.items():
        ratios = f"{row['low']:.2f} to {row['high']:.2f}"
        lines.append((data, f"`{sketch}`", times, ratios, f"{100 * row['coverage']:.1f} %"))
    return table(*lines)


@measured
def stream_noticed():
    rows = results("stream")["errors"]
    shares = [
        f"{100 * row['noticed']:.0f} % of the draws at {row['rows_a_column']} rows a column"
        for row in rows
        if (row["data"], row["sketch"]) == ("few rows matter", "countsketch")
    ]
    return " and ".join(shares)


@measured
def stream_linf():
    dense, sparse = claims("sketch")
    promised = dense["promised"].removeprefix("<= ")
    return (
        f"{dense['measured']:.1f} for SRHT and {sparse['measured']:.1f}, the worst possible, for "
        f"CountSketch where {float(promised):.1f}"
    )


@measured
def lp_coreset_excess():
    """Word the largest of median excess times m / d, which is what each claim measured."""
    values = [claim["measured"] for claim in claims("coreset")]
    uniform = [claim["baseline"] / claim["measured"] for claim in claims("coreset")]
    return (
        f"at most {min(values):.2f} to {max(values):.2f} times d / m for m rows, where a uniform "
        f"sample of the same size has {digits(min(uniform), 1)} to {digits(max(uniform), 1)} times "
        "as much"
    )
