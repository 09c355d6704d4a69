"""Figures of the feature maps, which are what `skrand verify` measures."""

import re

from figures import claims, digits, measured, power, table


@measured
def features_bandlimited():
    (claim,) = claims("BandlimitedFeatures")
    narrow = re.search(r"above 0.9: (\S+ to \d\.\d+)", claim["note"]).group(1)
    chosen = re.search(r"within (\S+) x of", claim["note"]).group(1)
    return table(
        ("", "promised", "measured"),
        ("relative RMSE on new samples, bandwidth 1", "> 0.9", narrow),
        ("the same, bandwidth 80, worst seed", "< 0.02", power(claim["measured"])),
        ("error at the bandwidth chosen / least on the ladder, 400 units", "< 2", chosen),
    )


@measured
def features_state_space():
    error, gain = claims("PTDStateSpaceFeatures")
    dropped = re.findall(r"([\d.]+) at order", error["note"])
    gains = re.findall(r"([\d.]+) at (\d+)", gain["note"])
    grown = ", ".join(f"{value} at order {order}" for value, order in gains)
    return table(
        ("", "promised", "measured"),
        (
            "perturbed, then diagonalised",
            "<= 0.05",
            f"{error['measured']:.1e}".replace("e-0", "e-"),
        ),
        ("low-rank part dropped (S4D)", ">= 1", ", ".join(dropped)),
        (
            "gain at S4D's worst frequency, order 64: perturbed / exact",
            "<= 1.2",
            digits(gain["measured"], 3),
        ),
        ("the same: S4D / exact", ">= 20", grown),
    )
