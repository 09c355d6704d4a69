"""The conformance kit on every entry of the core, and on solvers that break each rule."""

import numpy as np
import pytest

from skrand import registry
from skrand.base import Solution, Solver
from skrand.regression.solvers import Cholesky
from skrand.testing import iter_checks
from skrand.testing._conformance import NotApplicable


def _checks():
    for entry in registry.entries():
        if entry.dist != "skrand":
            continue
        for name, check in iter_checks(entry):
            # tests/test_sklearn_checks.py runs these one by one.
            if name != "scikit-learn":
                yield pytest.param(name, check, id=f"{entry.name}-{name}")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "check"), list(_checks()))
def test_conformance(name, check):
    try:
        check()
    except NotApplicable as skip:
        if name.startswith("solves"):
            pytest.fail(f"our own solvers take every instance: {skip}")
        pytest.skip(str(skip))


class Unseeded(Cholesky):
    def _solve(self, problem, rng, monitor):
        solution = super()._solve(problem, rng, monitor)
        solution.x[0] += np.random.default_rng().uniform() * 1e-12
        return solution


class Wrong(Solver):
    """Return zeros and claim success."""

    task, name = "least-squares", "chol"

    def _solve(self, problem, rng, monitor):
        return Solution(x=np.zeros((problem.shape[1], problem.shape[2])), converged=True)


class Scribbler(Cholesky):
    def _solve(self, problem, rng, monitor):
        if problem.b.flags.writeable:
            problem.b[0] += 1
        return super()._solve(problem, rng, monitor)


class Picky(Cholesky):
    """Refuse a plain instance of the task, which is its right, and one that it declares."""

    def supports(self, problem):
        return (
            "no ridge" if problem.ridge else "no weights" if problem.weights is not None else None
        )


class Useless(Cholesky):
    def supports(self, problem):
        return "it does nothing"


class Greedy(Cholesky):
    """Accept what the entry does not declare."""


@pytest.mark.parametrize(
    ("cls", "capabilities", "failing"),
    [
        (Unseeded, None, "seed[dense]"),
        (Wrong, None, "entry"),
        (Wrong, None, "solves[dense]"),
        (Scribbler, None, "input[dense]"),
        (Greedy, frozenset(), "refuses[sparse]"),
        (Picky, None, "solves[weighted]"),
        (Useless, None, "accepts"),
    ],
)
def test_each_rule_can_be_broken(cls, capabilities, failing, monkeypatch):
    entry = registry.get("chol", kind="solver")
    if capabilities is not None:
        import dataclasses

        entry = dataclasses.replace(entry, capabilities=capabilities)
    task = registry.load(registry.get("least-squares", kind="task"))
    monkeypatch.setattr(registry, "load", lambda e: cls if e.kind == "solver" else task)
    with pytest.raises(AssertionError):
        dict(iter_checks(entry))[failing]()


@pytest.mark.parametrize("name", ["solves[ridge]", "seed[ridge]", "max-iter[ridge]"])
def test_a_solver_may_refuse_a_plain_instance(name, monkeypatch):
    entry = registry.get("chol", kind="solver")
    task = registry.load(registry.get("least-squares", kind="task"))
    monkeypatch.setattr(registry, "load", lambda e: Picky if e.kind == "solver" else task)
    with pytest.raises(NotApplicable, match="no ridge"):
        dict(iter_checks(entry))[name]()
