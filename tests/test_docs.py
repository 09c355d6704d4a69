"""The documentation against the code: examples run, and nothing registered goes unmentioned."""

import doctest
import importlib
import inspect
import pkgutil
import re
from dataclasses import fields
from pathlib import Path

import pytest

import skrand
from skrand import registry
from skrand.registry import CAPABILITIES, Entry, hookspecs

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PLUGINS = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")

FILLED_BY_THE_REGISTRY = {"plugin", "dist", "version", "status", "error", "load_time"}


def _modules():
    yield "skrand"
    for module in pkgutil.walk_packages(skrand.__path__, "skrand."):
        if "._ext" not in module.name and not module.name.endswith("__main__"):
            yield module.name


@pytest.mark.parametrize("name", list(_modules()))
def test_examples_in_docstrings(name):
    module = importlib.import_module(name)
    outcome = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert outcome.failed == 0


def test_example_in_readme(capsys):
    code = re.search(r"```python\n(from sklearn.*?)```", README, re.DOTALL).group(1)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out


def test_readme_lists_what_is_registered():
    for entry in registry.entries():
        if entry.dist in ("skrand", "skrand-features"):
            assert re.search(rf"^{re.escape(entry.name)}\b", README, re.MULTILINE), entry.name


def test_every_hook_is_documented():
    hooks = [
        function
        for _, function in inspect.getmembers(hookspecs, inspect.isfunction)
        if hasattr(function, "skrand_spec")
    ]
    assert hooks
    for hook in hooks:
        signature = str(inspect.signature(hook)).replace("'", "").replace('"', "")
        assert f"{hook.__name__}{signature}" in PLUGINS


def test_every_field_and_capability_is_documented():
    for field in fields(Entry):
        if field.name not in FILLED_BY_THE_REGISTRY:
            assert f"| `{field.name}` |" in PLUGINS, field.name
    for capability in CAPABILITIES:
        assert capability in PLUGINS


def test_solvers_document_their_cost_and_example():
    for entry in registry.entries(kind="solver"):
        if entry.dist == "skrand":
            doc = registry.load(entry).__doc__
            assert "Cost:" in doc, entry.name
            assert ">>> " in doc, entry.name


def test_claims_and_demonstrations_exist():
    for entry in registry.entries():
        for target in filter(None, (entry.claim, entry.demo)):
            module, name = target.split(":")
            found = getattr(importlib.import_module(module), name, None)
            assert callable(found), f"{entry.name}: {target}"
