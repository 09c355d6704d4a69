"""What a measurement was made with: recorded beside it, and compared before two are compared."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

__all__ = ["differences", "environment"]


def environment() -> dict[str, Any]:
    """Describe the machine, the threads, and the packages that are loaded.

    Call it after the measurement: what was imported by then is what took part.

    Returns
    -------
    dict
        ``date``, ``cpu``, ``n_cpus``, ``platform``, ``python``, ``threads`` (of each library that
        has some, with those of OpenMP) and ``packages``, versions of the loaded distributions.
    """
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cpu": _cpu(),
        "n_cpus": os.cpu_count(),
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "threads": _threads(),
        "packages": _packages(),
    }


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Word what differs between two environments, but for the date."""
    return [
        f"{name}: {_get(old, name)} before, {_get(new, name)} now"
        for name in sorted({*_names(old), *_names(new)} - {"date"})
        if _get(old, name) != _get(new, name)
    ]


def _names(described: dict[str, Any]) -> Iterator[str]:
    for name, value in described.items():
        if isinstance(value, dict):
            yield from (f"{name}.{part}" for part in value)
        else:
            yield name


def _get(described: dict[str, Any], name: str) -> Any:
    first, _, rest = name.partition(".")
    value = described.get(first)
    return value.get(rest, "none") if rest and isinstance(value, dict) else value


def _cpu() -> str:
    """Return the model of the processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() == "model name":
                    return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _threads() -> dict[str, int]:
    """Return how many threads each loaded library would use."""
    from threadpoolctl import threadpool_info

    from skrand.linalg.threads import effective_n_jobs

    pools = {pool["prefix"]: pool["num_threads"] for pool in threadpool_info()}
    return {**pools, "openmp": effective_n_jobs(None)}


def _packages() -> dict[str, str]:
    """Return the versions of the distributions whose modules are loaded."""
    owners = metadata.packages_distributions()
    loaded = {name.partition(".")[0] for name in sys.modules}
    names = {name for module in loaded & owners.keys() for name in owners[module]}
    return {name: metadata.version(name) for name in sorted(names, key=str.lower)}
