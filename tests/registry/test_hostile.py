"""Plugins that mean harm, or whose authors were careless: contained as far as Python allows."""

import subprocess
import sys

import numpy as np
import pytest

from skrand import SketchedRegressor, builtin, registry
from skrand.base import solvers_of
from skrand.exceptions import IncompatibleSolverError, PluginError, PluginWarning

ENTRY = "Entry(kind='solver', name='evil', target='{}', task='least-squares', summary='X')"
HOOK = "@hookimpl\ndef skrand_entries(): "


def record(name="evil"):
    (found,) = [plugin for plugin in registry.plugins() if plugin.name == name]
    return found


HOSTILE = {
    "ends the program": (
        "raise SystemExit('bye')",
        "It called sys.exit(bye) while it was loaded.",
    ),
    "an exception that no handler expects": (
        "class Evil(BaseException): pass\nraise Evil('boo')",
        "Evil: boo",
    ),
    "an exception without a readable message": (
        "class Evil(Exception):\n    def __str__(self): raise SystemExit\nraise Evil",
        "Evil: it has a message that cannot be read",
    ),
    "a message that goes on": (
        "raise ValueError('x' * 10**6)",
        "ValueError: " + "x" * 1000 + " ...",
    ),
    "a message that writes over the terminal": (
        "raise ValueError('\\x1b[2J\\x07gone')",
        "ValueError: \\x1b[2J\\x07gone",
    ),
    "recursion at import": (
        "def f(): return f()\nf()",
        "RecursionError: maximum recursion depth exceeded",
    ),
    "recursion in the repr of what the hook returns": (
        "class Evil:\n    def __repr__(self): return repr(self)\n" + HOOK + "return Evil()",
        "RecursionError: maximum recursion depth exceeded",
    ),
    "entries without end": (
        f"import itertools\n{HOOK}return itertools.repeat({ENTRY.format('x:X')})",
        "skrand_entries() must return at most 10000 entries.",
    ),
    "a summary that writes over the terminal": (
        f"import dataclasses\n{HOOK}return [dataclasses.replace({ENTRY.format('x:X')}, "
        "summary='\\x1b[2J')]",
        "The 'summary' field of Entry 'evil' must be text without control characters. "
        "Got '\\x1b[2J' instead.",
    ),
    "a summary as long as a book": (
        f"import dataclasses\n{HOOK}return [dataclasses.replace({ENTRY.format('x:X')}, "
        "summary='x' * 10**6)]",
        "The 'summary' field of Entry 'evil' must be at most 300 characters long. Got "
        f"'{'x' * 40}...' instead.",
    ),
    "garbage": (HOOK + "return [None, 3]", "One item is None."),
}


@pytest.mark.parametrize(("code", "error"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_plugin_is_named_and_harms_nobody(write_plugin, code, error):
    write_plugin("evil", code)
    with pytest.warns(PluginWarning, match="Plugin 'evil' .* is broken"):
        assert "chol" in {entry.name for entry in registry.entries()}
    assert record().status == "broken"
    assert error in record().error
    assert len(record().error) < 1200
    assert record().error.isprintable()


@pytest.mark.parametrize(
    "body",
    [
        "    def __init__(self): raise RuntimeError('no')",
        "    def __init__(self, needed): pass",
        "    def supports(self, problem): raise RuntimeError('no')",
        "    def __repr__(self): return repr(self)\n    def supports(self, problem): return 'no'",
    ],
)
def test_a_solver_that_cannot_be_made_leaves_the_others_alone(write_plugin, body):
    write_plugin(
        "evil",
        "from skrand.base import Solver\n"
        f"class Evil(Solver):\n    task, name = 'least-squares', 'evil'\n{body}\n"
        "    def _solve(self, problem, rng, monitor): pass\n"
        f"{HOOK}return [{ENTRY.format('fixture_evil:Evil')}]",
    )
    X = np.random.default_rng(0).standard_normal((30, 3))
    y = X.sum(axis=1)
    if "supports" not in body:
        assert "evil" not in {entry.name for entry, _ in solvers_of("least-squares")}
        # Solver auto looks at every solver there is.
        np.testing.assert_allclose(SketchedRegressor().fit(X, y).coef_, 1.0)
    problem_of = registry.load(registry.get("least-squares", kind="task"))().problem
    problem = problem_of(A=X.astype(complex).view(np.float64), b=y[:, None])
    solver = registry.make_solver("least-squares", "lapack")
    solver.supports = lambda problem: "it does not want to"
    with pytest.raises(IncompatibleSolverError, match=r"not want to\. Solvers that can: "):
        solver.solve(problem)


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ("    def solve_(self): pass", PluginError, "class Evil does not define _solve"),
        (
            "    def _solve(self, problem, rng, monitor): return 1.0",
            TypeError,
            "Evil._solve must return a skrand.base.Solution. Got 1.0 instead",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::skrand.exceptions.PluginWarning")
def test_a_solver_that_does_not_keep_to_its_interface(write_plugin, body, error, message):
    write_plugin(
        "evil",
        "from skrand.base import Solver\n"
        f"class Evil(Solver):\n    task, name = 'least-squares', 'evil'\n{body}\n"
        f"{HOOK}return [{ENTRY.format('fixture_evil:Evil')}]",
    )
    X = np.random.default_rng(0).standard_normal((30, 3))
    with pytest.raises(error, match=message):
        SketchedRegressor(solver="evil").fit(X, X.sum(axis=1))


@pytest.mark.parametrize(
    "statement", ["raise SystemExit(1)", "class E(BaseException): ...\nraise E"]
)
def test_a_module_of_a_solver_that_ends_the_program(write_plugin, tmp_path, statement):
    write_plugin("evil", f"{HOOK}return [{ENTRY.format('evil_code:Evil')}]")
    (tmp_path / "site" / "evil_code.py").write_text(statement)
    with pytest.raises(PluginError, match="cannot be used"), pytest.warns(PluginWarning):
        registry.make_solver("least-squares", "evil")
    assert registry.get("evil").status == "broken"


def test_the_core_is_asked_before_a_plugin_can_change_it(write_plugin):
    write_plugin(
        "evil",
        "import skrand.builtin\nskrand.builtin.skrand_entries = lambda: []\n" + HOOK + "return []",
    )
    kept = builtin.skrand_entries
    try:
        names = {entry.name for entry in registry.entries()}
    finally:
        builtin.skrand_entries = kept
    assert {"chol", "SketchedRegressor"} <= names


def test_the_command_line_lists_what_is_broken(write_plugin, tmp_path, monkeypatch):
    write_plugin("evil", "print('babble')\nraise SystemExit('\\x1b[2J')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    for command in (["list", "--json"], ["list"], ["plugins"]):
        done = subprocess.run(
            [sys.executable, "-m", "skrand", *command], capture_output=True, text=True
        )
        assert done.returncode == (command == ["plugins"])
        assert "babble" not in done.stdout
        assert "\x1b" not in done.stdout + done.stderr
        assert "It called sys.exit(\\x1b[2J)" in done.stdout + done.stderr
