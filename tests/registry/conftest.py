"""Puts the distributions of tests/fixture_plugins on sys.path, and takes them away again."""

import sys
from pathlib import Path

import pytest

from skrand import registry

FIXTURES = Path(__file__).parents[1] / "fixture_plugins"


@pytest.fixture(autouse=True)
def clean_registry(monkeypatch):
    """Give each test a registry that sees the core alone, unless it installs something."""
    monkeypatch.setenv("SKRAND_PLUGINS", "")
    monkeypatch.delenv("SKRAND_STRICT", raising=False)
    registry.reload()
    yield
    monkeypatch.undo()
    for name in [name for name in sys.modules if name.startswith("fixture_")]:
        del sys.modules[name]
    registry.reload()


@pytest.fixture
def install(monkeypatch):
    """``install("good", "twin_a")``: only these plugins, and the core, are there."""

    def install(*names):
        for name in names:
            assert (FIXTURES / name).is_dir()
            monkeypatch.syspath_prepend(FIXTURES / name)
        dists = [f"fixture-{name.replace('_', '-')}" for name in names]
        monkeypatch.setenv("SKRAND_PLUGINS", ",".join(dists))
        registry.reload()

    return install


@pytest.fixture
def write_plugin(monkeypatch, tmp_path):
    """``write_plugin(dist, code, entry_points=...)``: a plugin written by the test itself."""

    def write(dist, code="", entry_points=None, folder="site", version="1.0"):
        module = "fixture_" + dist.replace("-", "_")
        site = tmp_path / folder
        info = site / f"{dist.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(entry_points or f"[skrand]\n{dist} = {module}\n")
        header = "from skrand.registry import Entry, hookimpl\n"
        (site / f"{module}.py").write_text(header + code)
        monkeypatch.syspath_prepend(site)
        monkeypatch.delenv("SKRAND_PLUGINS")
        monkeypatch.setenv("SKRAND_PLUGINS", "-skrand-features")
        registry.reload()

    return write
