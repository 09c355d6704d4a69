"""Figures of few-shot labelling.

For its mean, a method that ran on the first episodes of a cell only is given the prototype's on all
episodes plus the paired difference on its own.
"""

import re
from statistics import mean

from figures import count, digits, measured, results, table

PRIORS = {"balanced": "balanced", "Dirichlet(2)": "Dirichlet"}
#: Of the papers and of scikit-learn; the other methods are this package's.
OTHERS = (
    "LogisticRegression",
    "LabelSpreading",
    "LabelPropagation",
    "SelfTraining",
    "BD-CSPN",
    "LaplacianShot",
    "TIM",
    "alpha-TIM",
    "PT-MAP",
    "PADDLE",
)
#: Methods without a column in the table of cells.
LEFT_OUT = ("LabelPropagation", "SelfTraining")


def accuracies(ways=None):
    """Return {(ways, set, shots, queries): {method: row}}, with `mean` as described above."""
    cells = {}
    for row in results("fewshot")["accuracy"]["table"]:
        if ways in (None, row["ways"]):
            key = tuple(row[name] for name in ("ways", "set", "shots", "queries"))
            cells.setdefault(key, {})[row["method"]] = dict(row)
    for rows in cells.values():
        for row in rows.values():
            if row["episodes"] < rows["prototype"]["episodes"]:
                row["mean"] = rows["prototype"]["mean"] + row["difference"]
    return cells


def _methods():
    return dict.fromkeys(row["method"] for row in results("fewshot")["accuracy"]["table"])


def _mean(method, ways, queries=PRIORS):
    return mean(rows[method]["mean"] for key, rows in accuracies(ways).items() if key[3] in queries)


def _named(key):
    ways, name, shots, queries = key
    return f"{name} {ways}-way {shots}s {PRIORS[queries][:3]}."


def _paired(row):
    return f"{row['difference']:+.1f} ± {row['difference_interval']:.1f}"


def _option(part, name):
    """Return what an option of the last run of a part was."""
    run = [run for run in results("fewshot")["runs"] if run["part"] == part][-1]
    if "options" in run:
        return run["options"][name]
    return re.search(rf"--{name.replace('_', '-')} (\d+)", run["arguments"]).group(1)


def _listed(words):
    """Return 'a, b and c'."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


@measured
def fewshot_episodes():
    said, fewer = [], []
    for ways in (5, 10):
        cells = accuracies(ways).values()
        most = max(rows["prototype"]["episodes"] for rows in cells)
        said.append(f"{most} at {ways} ways")
        ran = {}
        for method in _methods():
            counts = sorted({rows[method]["episodes"] for rows in cells})
            if counts[0] < most:
                span = f"{counts[0]} to {counts[-1]}" if counts[1:] else str(counts[0])
                ran.setdefault(span, []).append(method)
        if ran:
            words = (f"{_listed(methods)} on {span}" for span, methods in ran.items())
            fewer.append(f"at {ways} ways {', '.join(words)}")
    more = (
        f" The slow methods ran on the first of these only: {'; '.join(fewer)}. Their mean is the "
        "prototype's on all episodes plus the paired difference on theirs."
    )
    return f"{', '.join(said)}." + (more if fewer else "")


@measured
def fewshot_means():
    cells = accuracies()
    best = {key: max(row["mean"] for row in rows.values()) for key, rows in cells.items()}
    lines = [
        (
            "method",
            "mean, 5-way",
            "balanced",
            "Dirichlet(2)",
            "mean, 10-way",
            "worst gap to the best of a cell",
            "worst cell against the prototype, paired",
        )
    ]
    for method in _methods():
        means = [_mean(method, 5), *(_mean(method, 5, [prior]) for prior in PRIORS)]
        means.append(_mean(method, 10))
        gap = min(rows[method]["mean"] - best[key] for key, rows in cells.items())
        worst = min(cells, key=lambda key: _highest(cells[key][method]))
        lines.append(
            (
                f"**{method}**" if method == "auto" else method,
                *(f"{value:.1f}" for value in means),
                f"{gap:.1f}",
                f"{_paired(cells[worst][method])} ({_named(worst)})",
            )
        )
    return table(*lines)


def _highest(row):
    return row["difference"] + row["difference_interval"]


def gap_to_the_best(ways):
    """Return the best by the mean of all methods but ours, and how far `auto` is above it."""
    means = {method: _mean(method, ways) for method in OTHERS}
    peer = max(means, key=means.get)
    return peer, _mean("auto", ways) - means[peer]


@measured
def fewshot_best():
    said = []
    for ways in (5, 10):
        peer, gap = gap_to_the_best(ways)
        said.append(f"{gap:.1f} points above that of {peer} at {ways} ways")
    return " and ".join(said)


@measured
def fewshot_gap():
    gaps = {}
    for key, rows in accuracies().items():
        peer = max(rows, key=lambda method, rows=rows: rows[method]["mean"])
        gaps[rows[peer]["mean"] - rows["auto"]["mean"]] = f"{peer}, {_named(key)}"
    gap = max(gaps)
    return f"{gap:.1f} points of the best method of every cell (the widest gap: {gaps[gap]})"


@measured
def fewshot_unbalanced():
    rows = accuracies(5)[5, "digits", 1, "Dirichlet(2)"]
    gaps = (f"{rows['auto']['mean'] - rows[peer]['mean']:.0f}" for peer in ("TIM", "PT-MAP"))
    return "{} points above TIM and {} above PT-MAP".format(*gaps)


@measured
def fewshot_below():
    cells = accuracies()
    below = {key: rows["auto"] for key, rows in cells.items() if rows["auto"]["difference"] < 0}
    if not below:
        return f"in none of {len(cells)} cells"
    said = ", ".join(f"{_named(key)} by {_paired(row)}" for key, row in below.items())
    return f"in {len(below)} of {len(cells)} cells ({said})"


@measured
def fewshot_cells():
    methods = [method for method in _methods() if method not in LEFT_OUT]
    lines = [("5-way cell", *methods, "interval")]
    cells = accuracies(5)
    for _, name, shots, queries in sorted(cells):
        rows = cells[5, name, shots, queries]
        values = {method: f"{rows[method]['mean']:.1f}" for method in methods}
        best = max(methods, key=lambda method, rows=rows: rows[method]["mean"])
        values[best] = f"**{values[best]}**"
        interval = max(rows[method]["interval"] for method in ("prototype", "auto"))
        line = (f"{name} {shots}s {PRIORS[queries]}", *values.values(), f"±{interval:.1f}")
        lines.append(line)
    return table(*lines)


@measured
def fewshot_balanced():
    cells = {key: rows for key, rows in accuracies().items() if key[3] == "balanced"}
    said = []
    for peer in ("PT-MAP", "TIM"):
        gaps = {key: rows[peer]["mean"] - rows["auto"]["mean"] for key, rows in cells.items()}
        key = max(gaps, key=gaps.get)
        said.append(f"{peer} is up to {gaps[key]:.1f} points better ({_named(key)})")
    return ", ".join(said)


@measured
def fewshot_emoji():
    rows = accuracies(5)[5, "emoji", 5, "Dirichlet(2)"]
    values = (f"{rows[method]['mean']:.1f}" for method in ("auto", "prototype"))
    logistic = rows["LogisticRegression"]["mean"]
    return f"{{}} %, the nearest prototype {{}} and LogisticRegression {logistic:.1f}".format(
        *values
    )


@measured
def fewshot_embeddings():
    cells = accuracies(5)
    gaps = [
        rows["clustering"]["mean"] - rows["auto"]["mean"]
        for rows in (cells[5, name, 5, "Dirichlet(2)"] for name in ("debian", "wordnet"))
    ]
    return " and ".join(f"{gap:.1f}" for gap in gaps)


def _easyfsl():
    return {row["method"]: row for row in results("fewshot")["easyfsl"]["table"]}


@measured
def fewshot_easyfsl_setting():
    part = results("fewshot")["easyfsl"]
    versions, episodes = part["versions"], part["table"][0]["episodes"]
    easyfsl, torch = (versions[name].rpartition(".")[0] for name in ("easyfsl", "torch"))
    each = episodes // len(accuracies(5))
    return f"easyfsl {easyfsl} (torch {torch}) on {episodes} 5-way episodes, {each} a cell"


@measured
def fewshot_easyfsl():
    rows = _easyfsl()

    def side(row):
        return (f"{row['balanced']:.1f}", f"{row['Dirichlet(2)']:.1f}") if row else ("", "")

    def ms(row):
        return digits(row["ms"]) if row else ""

    header = ("method", "balanced", "Dirichlet(2)", "same labels as ours", "ms")
    lines = [(*header, "ours: balanced", "Dirichlet(2)", "ms")]
    for name, theirs in rows.items():
        if name.startswith("easyfsl"):
            method = name.removeprefix("easyfsl ")
            ours = rows.get(f"our {method}")
            same = f"{theirs['agreement']:.0f} %" if theirs["agreement"] else ""
            lines.append((method, *side(theirs), same, ms(theirs), *side(ours), ms(ours)))
    for name, title in (("prototype", "nearest prototype"), ("auto", "`auto`")):
        lines.append((title, "", "", "", "", *side(rows[name]), ms(rows[name])))
    return table(*lines)


@measured
def fewshot_easyfsl_gaps():
    rows = _easyfsl()
    gaps = [
        max(
            abs(rows[f"easyfsl {name}"][prior] - rows[f"our {name}"][prior])
            for name in ("LaplacianShot", "BDCSPN", "PTMAP")
        )
        for prior in PRIORS
    ]
    return "{:.1f} points of easyfsl's with balanced queries, and {:.1f} without".format(*gaps)


@measured
def fewshot_head_setting():
    return f"on {_option('head', 'head_episodes')} 5-way episodes"


@measured
def fewshot_head():
    rows = results("fewshot")["head"]
    cells = dict.fromkeys((row["set"], row["shots"]) for row in rows)
    lines = [("side", *(f"{name} {shots}s" for name, shots in cells))]
    for side in dict.fromkeys(row["side"] for row in rows):
        found = {(row["set"], row["shots"]): row for row in rows if row["side"] == side}
        values = (
            f"{100 * row['accuracy']:.1f} / {row['log_loss']:.2f} / {row['ece']:.3f}"
            for row in map(found.get, cells)
        )
        lines.append((side, *values))
    return table(*lines)


@measured
def fewshot_digits():
    rows = results("fewshot")["digits"]
    values = {side: [row[side] for row in rows] for side in ("auto", "label-spreading", "search")}
    auto = f"{min(values['auto']):.2f} to {max(values['auto']):.2f}"
    return (
        f"the default `auto` reaches {auto}, a grid search with `TransductiveSplit` over "
        "`prototype`, `label-spreading` (`gamma=20, alpha=0.9`) and `clustering` with `laplacian` "
        f"0.7, 2 and 5 {_listed([f'{value:.3f}' for value in values['search']])} in four draws "
        f"of the labels, {mean(values['search']):.3f} on average; `label-spreading` alone has "
        f"{mean(values['label-spreading']):.3f}"
    )


def _fashion():
    part = results("fewshot")["fashion"]["table"]
    return {(row["side"], row["shots"]): row for row in part}


@measured
def fewshot_fashion():
    rows = _fashion()
    shots = dict.fromkeys(shot for _, shot in rows)
    lines = [("method", *(f"{shot} shot{'s' * (shot > 1)}" for shot in shots), "CPU s")]
    for side in dict.fromkeys(side for side, _ in rows):
        values = (f"{100 * mean(rows[side, shot]['accuracy']):.1f}" for shot in shots)
        lines.append((side, *values, f"{rows[side, 5]['seconds']:.1f}"))
    return table(*lines)


@measured
def fewshot_fashion_rows():
    return count(results("fewshot")["fashion"]["rows"])


@measured
def fewshot_fashion_one():
    means = {side: 100 * mean(row["accuracy"]) for (side, n), row in _fashion().items() if n == 1}
    auto = means.pop("auto")
    return f"{auto - max(means.values()):.1f} points above the best of the others"


def _speed():
    rows = results("fewshot")["speed"]
    return {(row["side"], row["ways"], row["shots"]): row["ms"] for row in rows}


@measured
def fewshot_speed():
    times = _speed()
    names = {
        "k-means": "`clustering` with `laplacian=0` (soft k-means)",
        "clustering": "`clustering`",
        "auto": "`auto`",
        "TransductiveFewShot(auto).fit": "`TransductiveFewShot().fit`, solver `auto`",
        "LabelSpreading.fit": "scikit-learn `LabelSpreading().fit`",
        "LaplacianShot": "`laplacian-shot`",
        "TIM": "`tim`",
        "PT-MAP": "`pt-map`",
    }
    cells = dict.fromkeys(key[1:] for key in times)
    lines = [("side", *(f"{ways}-way {shots}-shot" for ways, shots in cells))]
    for side in dict.fromkeys(key[0] for key in times):
        values = (digits(times[side, *cell]) for cell in cells)
        lines.append((names.get(side, side), *values))
    return table(*lines)


def _over_clustering(side):
    times = _speed()
    ratios = [time / times["clustering", *key[1:]] for key, time in times.items() if key[0] == side]
    return f"{digits(min(ratios))} to {digits(max(ratios))} times"


@measured
def fewshot_speed_spreading():
    return _over_clustering("LabelSpreading.fit")


@measured
def fewshot_speed_auto():
    return _over_clustering("auto")


@measured
def fewshot_scale():
    rows = results("fewshot")["scale"]["milliseconds"]
    lines = [("", "s", "in products")]
    for name, value in rows.items():
        lines.append((name, digits(value / 1000), digits(value / rows["product"])))
    return table(*lines)


@measured
def fewshot_scale_queries():
    return count(results("fewshot")["scale"]["queries"])


@measured
def fewshot_scale_memory():
    part = results("fewshot")["scale"]
    labellings = 2 * 4 * 100 * part["queries"] / 2**30
    return f"{part['peak_gib']:.1f} GiB, of it {labellings:.2f} for two labellings"


@measured
def fewshot_large_rows():
    return count(results("fewshot")["large"]["rows"])


@measured
def fewshot_large_recall():
    return f"{100 * results('fewshot')['large']['recall']:.2f} %"


@measured
def fewshot_large():
    names = {
        "clustering": "`clustering`, given the graph",
        "auto": "`auto`, given the graph",
        "clustering, by pynndescent": "`clustering`, given the approximate graph",
        "auto, by pynndescent": "`auto`, given the approximate graph",
        "LabelSpreading (knn)": "LabelSpreading (knn, 12 neighbours)",
    }
    lines = [("", "CPU s", "accuracy, %")]
    for row in results("fewshot")["large"]["table"]:
        side = names.get(row["side"], row["side"])
        right = "" if row["accuracy"] is None else f"{row['accuracy']:.1f}"
        lines.append((side, f"{row['seconds']:.1f}", right))
    return table(*lines)
