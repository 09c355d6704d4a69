"""What a release says of itself: one version, in one place, and no more than is true."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import skrand

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = sorted((ROOT / "plugins").glob("*/pyproject.toml"))


def project(file):
    return tomllib.loads(file.read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("file", [ROOT / "pyproject.toml", *PLUGINS], ids=lambda f: f.parent.name)
def test_the_version_stands_in_the_source_alone(file):
    settings = project(file)
    assert "version" not in settings
    assert settings["dynamic"] == ["version"]


def test_the_installed_version_is_that_of_the_source():
    assert metadata.version("skrand") == skrand.__version__


def test_the_citation_is_of_this_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.*)$", text, re.MULTILINE).group(1) == skrand.__version__
    # No person and no identifier that does not exist.
    assert "doi" not in text.lower()
    assert re.findall(r"- name: (.*)", text) == ["the skrand developers"]


def test_all_extras_are_in_all():
    extras = project(ROOT / "pyproject.toml")["optional-dependencies"]
    (everything,) = extras["all"]
    named = set(re.fullmatch(r"skrand\[(.*)\]", everything).group(1).split(","))
    # What develops and documents skrand is of no use to those who use it.
    assert named == extras.keys() - {"all", "test", "docs"}


def test_wheels_are_built_for_every_supported_python():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pythons = {
        f"cp{minor.replace('.', '')}-*"
        for trove in settings["project"]["classifiers"]
        if re.fullmatch(r"3\.\d+", minor := trove.rpartition(":: ")[2])
    }
    assert pythons == set(settings["tool"]["cibuildwheel"]["build"].split())
