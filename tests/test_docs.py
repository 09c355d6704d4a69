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
            row = rf"^\| `{entry.task}` .*" if entry.task else ""
            assert re.search(rf"{row}`{re.escape(entry.name)}`", README, re.MULTILINE), entry.name


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


def _code_of_page(text):
    """Return the Python of a page, and what `<!-- setup` comments add for the tests' sake."""
    return re.findall(
        r"^(?:```python|<!-- setup)\n(.*?)^(?:```|-->)$", text, re.DOTALL | re.MULTILINE
    )


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_code_of_pages(page, capsys, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    namespace = {}
    for number, code in enumerate(_code_of_page(page.read_text(encoding="utf-8"))):
        name = f"{page.name}, block {number}"
        if code.startswith(">>>"):
            test = doctest.DocTestParser().get_doctest(code, namespace, name, None, 0)
            runner = doctest.DocTestRunner(
                optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
            )
            outcome = runner.run(test, clear_globs=False)
            namespace.update(test.globs)
            assert outcome.failed == 0, capsys.readouterr().out
        else:
            exec(compile(code, name, "exec"), namespace)


def test_pages_of_tasks_say_which_solver_and_when_none():
    tasks = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
    pages = re.search(r":maxdepth: 1\n(.*?)```", tasks, re.DOTALL).group(1).split()
    assert "regression" in pages
    for page in pages:
        text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
        if page == "features":
            text = (ROOT / "plugins" / "skrand-features" / "README.md").read_text(encoding="utf-8")
        else:
            assert "## Choosing a solver" in text, page
        assert "**When not to use" in text, page


def test_links_between_files():
    """Every relative link of a Markdown file leads to a file of the source tree."""
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("*/*/README.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if not re.match(r"[a-z]+:", target):
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"


def test_public_modules_are_in_the_reference():
    listed = (ROOT / "docs" / "api.md").read_text(encoding="utf-8").split()
    packages = {
        module.name
        for module in pkgutil.walk_packages(skrand.__path__, "skrand.")
        if module.ispkg and module.name not in ("skrand._ext", "skrand.cli")
    }
    public = {"skrand", *packages, *(f"skrand.{name}" for name in skrand._MODULES)}
    assert public <= set(listed), public - set(listed)
    # The page of a module lists what is in `__all__`.
    for name in public:
        module = importlib.import_module(name)
        assert all(hasattr(module, member) for member in module.__all__), name


def test_examples_are_in_the_gallery():
    for example in (ROOT / "examples").rglob("plot_*.py"):
        assert (example.parent / "GALLERY_HEADER.rst").exists(), example.name


def test_tables_of_benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "_extensions")
    markdown = importlib.import_module("benchmark_tables").markdown
    rows = [{"case": "a_b", "seconds": 0.12345, "ratio": None}, {"case": "c", "passes": 3}]
    content = {"schema": 1, "seeds": "0", "rows": rows, "environment": {"n_cpus": 2}}
    assert markdown("transport", content).split("\n\n") == [
        "### transport",
        "seeds 0.",
        ":::{dropdown} What it was made with\n- n cpus: 2\n:::",
        "| case | seconds | ratio | passes |\n| --- | --- | --- | --- |\n"
        "| a\\_b | 0.123 |  |  |\n| c |  |  | 3 |\n",
    ]
