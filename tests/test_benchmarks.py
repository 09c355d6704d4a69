"""The benchmarks' runner, on a script that takes no time, and the figures that are published."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
RESULTS = sorted((BENCHMARKS / "results").glob("*.json"))

pytestmark = pytest.mark.skipif(not BENCHMARKS.exists(), reason="not beside a source tree")

#: Pages whose tables of times are all made from the files of figures.
GENERATED = (
    "clustering",
    "completion",
    "fewshot",
    "lp_regression",
    "manifold",
    "regression",
    "sensing",
    "streaming",
    "transport",
)

SCRIPT = """
import argparse, json, sys
import numpy
parser = argparse.ArgumentParser()
parser.add_argument("--quick", action="store_true")
parser.add_argument("--json")
options = parser.parse_args()
with open(options.json, "w") as file:
    json.dump([{"quick": options.quick, "seconds": 1.0}], file)
sys.exit(1)
"""


@pytest.fixture(autouse=True)
def _beside_each_other(monkeypatch):
    """Scripts of the folder import each other, as when one of them is run."""
    monkeypatch.syspath_prepend(BENCHMARKS)


def module(name):
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", BENCHMARKS / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_the_runner_knows_every_script():
    scripts = {file.stem for file in BENCHMARKS.glob("*.py")} - {"run", "pages", "_common"}
    assert scripts == module("run").RUNS.keys()


def test_a_result_holds_what_it_was_made_with(tmp_path, monkeypatch):
    run = module("run")
    (tmp_path / "toy.py").write_text(SCRIPT)
    (tmp_path / "_common.py").write_text((BENCHMARKS / "_common.py").read_text())
    monkeypatch.setattr(run, "HERE", tmp_path)
    monkeypatch.setattr(run, "RUNS", {"toy": run.Run(["--quick"], [], "7")})
    assert run.run("toy", "quick", tmp_path / "results") == 1
    content = json.loads((tmp_path / "results" / "toy.json").read_text())
    assert content["rows"] == [{"quick": True, "seconds": 1.0}]
    assert (content["benchmark"], content["size"], content["seeds"]) == ("toy", "quick", "7")
    assert content["arguments"] == "--quick"
    assert content["environment"]["packages"]["numpy"]
    assert content["environment"]["cpu"]


def test_unknown_names_are_refused(monkeypatch, capsys):
    for words in (["nonesuch"], []):
        monkeypatch.setattr(sys, "argv", ["run.py", *words])
        with pytest.raises(SystemExit):
            module("run").main()
        assert "name some of clustering, completion" in capsys.readouterr().err


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.stem)
def test_published_figures_say_how_they_were_made(file):
    content = json.loads(file.read_text(encoding="utf-8"))
    assert content["schema"] == 1
    assert content["benchmark"] == file.stem
    assert content["size"] in ("quick", "full")
    assert content["seeds"]
    described = content["environment"]
    assert {
        "date",
        "cpu",
        "n_cpus",
        "platform",
        "python",
        "threads",
        "packages",
    } <= described.keys()
    assert described["packages"]["skrand"]


def test_pages_say_what_was_measured():
    """Every figure between the marks of a page is what the files of figures hold."""
    pages = module("pages")
    assert pages.rewrite(check=True) == [], "run: python benchmarks/pages.py"
    marked = {
        name
        for page in pages.pages()
        for _, name, *_ in pages.MARK.findall(page.read_text("utf-8"))
    }
    assert marked == pages.FIGURES.keys()


def test_words_between_marks_are_read_as_markdown():
    """A line that begins with a comment is HTML to Markdown: a mark in a sentence does not."""
    pages = module("pages")
    for page in pages.pages():
        assert not re.search(r"^ *<!-- measured \w+ -->.", page.read_text("utf-8"), re.M), page.name


def test_a_page_that_says_something_else_is_found():
    pages = module("pages")
    page = (BENCHMARKS.parent / "docs" / "sensing.md").read_text("utf-8")
    assert pages.write(page) == page
    assert pages.write(page.replace("3e-13, 1", "3e-14, 1")) == page


def test_tables_of_times_are_not_written_by_hand():
    """A table with seconds or factors stands between marks, where there is a file of figures."""
    pages = module("pages")
    for name in GENERATED:
        text = pages.MARK.sub("", (BENCHMARKS.parent / "docs" / f"{name}.md").read_text("utf-8"))
        for line in text.splitlines():
            if line.startswith("|"):
                assert not re.search(r"\d (s|ms)\b|\d ?x \||CPU s", line), f"{name}: {line}"
