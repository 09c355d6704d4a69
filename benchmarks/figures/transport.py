"""Figures of optimal transport."""

import re

from figures import by, claims, count, digits, measured, power, results, table


def _transport(part, *keys):
    return by(results("transport")[part], *keys)


@measured
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


@measured
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


@measured
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


@measured
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


@measured
def transport_sweeps():
    rows = results("transport")["sweeps"]
    cases = dict.fromkeys(row["case"] for row in rows)
    names = [case.replace("digits L1 784", "digits, L1, 784") for case in cases]
    lines = [("largest cost times", *names)]
    for reg in dict.fromkeys(row["reg"] for row in rows):
        lines.append((power(reg), *(row["sweeps"] for row in rows if row["reg"] == reg)))
    return table(*lines)


@measured
def transport_memory():
    rows = by(results("transport")["memory"], "side", "n")
    lines = [("side", "points", "MiB", "CPU s, sweeps, violation")]
    for (side, n), row in rows.items():
        more = ""
        if "violation" in row:
            more = f"{digits(row['seconds'])}, {row['passes']}, {power(row['violation'])}"
        lines.append((side, count(n), f"{row['peak'] - row['before']:.0f}", more))
    return table(*lines)


@measured
def transport_span():
    counts = [row["sweeps"] for row in results("transport")["sweeps"]]
    counts += [
        row["passes"] for row in results("transport")["race"] if row["side"] == "skrand auto"
    ]
    return f"{min(counts)} to {max(counts)} sweeps"


@measured
def transport_sns():
    cases = ("random costs, 500", "digits, squared distances", "digits, L1")
    took = re.compile(r"(\w+) took ([\d +]+) \w+ and ([\d.e-]+) s(?: and stopped at ([\d.e-]+))?")
    lines = [("case", "Sinkhorn, iterations", "SNS, iterations", "`auto`, sweeps")]
    for case, claim in zip(cases, claims("sns"), strict=False):
        cells = {}
        for side, steps, time, missed in took.findall(claim["note"]):
            stopped = f", stopped at {power(float(missed))}" if missed else ""
            cells[side] = f"{steps}, {digits(float(time))} s{stopped}"
        lines.append((case, *(cells[side] for side in ("Sinkhorn", "SNS", "auto"))))
    return table(*lines)


@measured
def transport_sns_dropped():
    return power(claims("sns")[3]["measured"])


@measured
def transport_marginals():
    names = {
        "balanced": '`"balanced"`',
        "unbalanced": '`"unbalanced"`, `reg_marginal=10`',
        "semi-relaxed": '`"semi-relaxed"`, `reg_marginal=(10, inf)`',
        "partial": '`"partial"`, `mass=0.9`',
    }
    lines = [("", "mass moved", "of the outliers", "mean shift of the others")]
    for row in results("transport")["marginals"]:
        shift = "({:.2f}, {:.2f})".format(*row["shift"])
        lines.append((names[row["marginal"]], digits(row["mass"]), f"{row['outliers']:.4f}", shift))
    return table(*lines)
