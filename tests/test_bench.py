"""Every task's benchmark, raced once in this process: all its solvers, and the peers installed."""

import json

import pytest

from skrand import registry
from skrand.cli import bench, main

CORE = [entry.name for entry in registry.entries(kind="task") if entry.dist == "skrand"]
PACKAGES = {"POT-sinkhorn-log": "ot", "statsmodels": "statsmodels"}


@pytest.mark.parametrize("task", CORE)
def test_every_solver_and_every_peer_runs(task, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(bench, "_REPEATS", 1)
    file, picture = tmp_path / "bench.json", tmp_path / "bench.png"
    assert main(["bench", task, "--json", str(file), "--plot", str(picture)]) == 0
    rows = json.loads(file.read_text())["rows"]
    solvers = {
        entry.working_name
        for entry in registry.entries(kind="solver", task=task)
        if entry.status == "ok"
    }
    assert {row["solver"] for row in rows if not row["peer"]} == solvers
    peers = set(registry.load(registry.get(task, kind="task"))().peers())
    assert peers
    for name, package in PACKAGES.items():
        if name in peers:
            pytest.importorskip(package)
    assert {row["solver"] for row in rows if row["peer"]} == peers
    table = capsys.readouterr().out
    # The instances stand apart.
    assert sum(map(bool, table.splitlines())) == 1 + len(rows)
    assert table.count("(peer)") == sum(row["peer"] for row in rows)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_who_takes_long_runs_once(monkeypatch):
    monkeypatch.setattr(bench, "_ENOUGH", 0.0)
    rows = bench._bench("linear-system", "tiny", 0, [])["rows"]
    assert {len(row["cpu_repeats"]) for row in rows} == {1}


@pytest.mark.parametrize(
    ("before", "now", "verdict"),
    [
        ([2.0, 2.1, 2.2], [1.0, 1.1, 1.2], "faster"),
        ([1.0, 1.1, 1.2], [2.0, 2.1, 2.2], "slower"),
        ([1.0, 1.1, 1.2], [1.1, 1.2, 1.3], "within noise"),
        ([2.0], [1.0, 1.1, 1.2], "too few runs"),
    ],
)
def test_verdict(before, now, verdict):
    assert bench._verdict(before, now, drift=1.0) == verdict
