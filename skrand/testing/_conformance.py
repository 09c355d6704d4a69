"""The checks that every registered entry passes, the core's and a plugin's alike.

:func:`iter_checks` yields them one by one, for a parametrized test; :func:`check_entry` runs them
all, for ``skrand check``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import pickle
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator

from skrand import registry
from skrand.base import Instance, Solution, Solver, Task
from skrand.exceptions import IncompatibleSolverError
from skrand.registry import Entry
from skrand.testing._results import CheckResult

__all__ = ["check_entry", "iter_checks"]

SEED = 20240229


class NotApplicable(Exception):  # noqa: N818 (an outcome, not an error)
    """Raised by a check that does not apply; the message says why."""


def check_entry(entry: Entry) -> list[CheckResult]:
    """Run every check on one registered entry.

    Parameters
    ----------
    entry : Entry
        As returned by :func:`skrand.registry.get`.

    Returns
    -------
    list of CheckResult
        In the order they ran; an entry that cannot be loaded yields the one that failed.
    """
    results = []
    try:
        checks = list(iter_checks(entry))
    except Exception as error:  # noqa: BLE001 (the outcome is the result)
        return [CheckResult("load", "failed", f"{type(error).__name__}: {error}")]
    for name, check in checks:
        start = time.perf_counter()
        status, detail = "passed", ""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                check()
        except NotApplicable as skip:
            status, detail = "skipped", str(skip)
        except Exception as error:  # noqa: BLE001 (the outcome is the result)
            status, detail = "failed", f"{type(error).__name__}: {error}".strip()
        results.append(CheckResult(name, status, detail, time.perf_counter() - start))
    return results


def iter_checks(entry: Entry) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the checks of one entry as (name, function of no argument that raises).

    Parameters
    ----------
    entry : Entry
        As returned by :func:`skrand.registry.get`.
    """
    target = registry.load(entry)
    yield "entry", lambda: _check_entry_fields(entry, target)
    if entry.kind == "task":
        yield from _task_checks(target())
    elif entry.kind == "solver":
        yield from _solver_checks(entry, target)
    else:
        yield from _estimator_checks(entry, target)


def _check_entry_fields(entry: Entry, target: type) -> None:
    assert entry.summary, "the entry has no summary"
    assert target.__doc__, f"{target.__name__} has no docstring"
    if entry.kind == "estimator":
        assert target.__name__ == entry.name, f"the class is called {target.__name__}"
        declared = "partial-fit" in entry.capabilities
        assert declared == hasattr(target, "partial_fit"), "partial-fit: entry and class disagree"
        return
    for name in ("name", "task") if entry.kind == "solver" else ("name",):
        seen, declared = getattr(target, name, None), getattr(entry, name)
        assert seen == declared, f"the class says {name}={seen!r}, the entry {declared!r}"
    if entry.kind == "solver":
        assert "Cost" in target.__doc__, "the docstring does not tell the cost"


# Tasks


def _task_checks(task: Task) -> Iterator[tuple[str, Callable[[], None]]]:
    yield "instances", lambda: _check_instances(task)
    for instance in task.instances("tiny", seed=0):
        yield f"reference[{instance.name}]", lambda i=instance: _check_reference(task, i)


def _check_instances(task: Task) -> None:
    first, second = (list(task.instances("tiny", seed=3)) for _ in range(2))
    assert first, "the task has no tiny instances"
    assert len({instance.name for instance in first}) == len(first), "two have the same name"
    for one, two in zip(first, second, strict=True):
        assert isinstance(one.problem, task.problem)
        assert _same(vars(one.problem), vars(two.problem)), f"{one.name} is not seeded"


def _check_reference(task: Task, instance: Instance) -> None:
    reference = task.reference(instance.problem)
    objection = task.objection(instance.problem, reference, reference)
    assert objection is None, objection
    for name, value in task.measure(instance.problem, reference, reference).items():
        assert 0 <= value < np.inf, f"{name} of the reference is {value}"


# Solvers


def _solver_checks(entry: Entry, cls: type[Solver]) -> Iterator[tuple[str, Callable[[], None]]]:
    task: Task = registry.load(registry.get(str(entry.task), kind="task"))()
    yield "parameters", lambda: _check_parameters(cls())
    usable = []
    for instance in task.instances("tiny", seed=0):
        if instance.needs <= entry.capabilities:
            usable.append(instance)
            yield f"solves[{instance.name}]", lambda i=instance: _check_solves(cls(), task, i)
        else:
            yield f"refuses[{instance.name}]", lambda i=instance: _check_refuses(cls(), i)
    yield "accepts", lambda: _check_accepts(cls(), usable)
    for instance in usable:
        label = instance.name
        yield f"seed[{label}]", lambda i=instance: _check_seed(cls(), i)
        yield f"threads[{label}]", lambda i=instance: _check_threads(cls(), i)
        yield f"input[{label}]", lambda i=instance: _check_input(cls(), i)
        yield f"max-iter[{label}]", lambda i=instance: _check_max_iter(cls(), i)
        yield f"callback[{label}]", lambda i=instance: _check_callback(cls(), i)
    for estimator in registry.entries(kind="estimator", task=entry.task):
        # With estimators of its own distribution it is tried by their checks.
        if estimator.status in ("ok", "deprecated") and estimator.dist != entry.dist:
            made = registry.load(estimator)
            yield f"estimator[{estimator.name}]", lambda e=made: _check_named_solver(e(), entry)


def _solve(solver: Solver, instance: Instance, **options: Any) -> Solution:
    refusal = solver.supports(instance.problem)
    if refusal is not None and not instance.needs:
        # No capability is the name of what it lacks; those declared have to be there.
        raise NotApplicable(refusal)
    return solver.solve(instance.problem, rng=SEED, **options)


def _check_parameters(solver: Solver) -> None:
    params = solver.get_params(deep=False)
    assert repr(clone(solver)) == repr(solver)
    assert _same(pickle.loads(pickle.dumps(solver)).get_params(deep=False), params)


def _check_accepts(solver: Solver, instances: list[Instance]) -> None:
    refusals = [solver.supports(instance.problem) for instance in instances]
    assert None in refusals, (
        f"it refuses all instances of its task: {', '.join(map(str, refusals))}"
    )


def _check_solves(solver: Solver, task: Task, instance: Instance) -> None:
    refusal = solver.supports(instance.problem)
    needs = ", ".join(sorted(instance.needs))
    assert not (refusal and needs), f"{needs}: declared as a capability, but refused: {refusal}"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        solution = _solve(solver, instance)
    assert not printed.getvalue(), f"it printed {printed.getvalue()!r}"
    assert solution.converged, f"it did not converge: {solution.message}"
    assert not np.isnan(solution.residual), "it does not report a residual"
    objection = task.objection(instance.problem, solution, task.reference(instance.problem))
    assert objection is None, objection


def _check_refuses(solver: Solver, instance: Instance) -> None:
    needs = ", ".join(sorted(instance.needs))
    assert solver.supports(instance.problem), f"it accepts what needs {needs}, not declared"
    try:
        _solve(solver, instance)
    except IncompatibleSolverError:
        return
    raise AssertionError("solve() accepted a problem that supports() refuses")


def _check_seed(solver: Solver, instance: Instance) -> None:
    first, second = (_solve(clone(solver), instance) for _ in range(2))
    assert _same(first.x, second.x), "the same seed gave different bits"


def _check_threads(solver: Solver, instance: Instance) -> None:
    if "n_jobs" not in solver.get_params(deep=False):
        raise NotApplicable("no parameter n_jobs")
    one, two = (_solve(clone(solver).set_params(n_jobs=jobs), instance) for jobs in (1, 2))
    assert _same(one.x, two.x), "1 and 2 threads gave different bits"


def _check_input(solver: Solver, instance: Instance) -> None:
    """Read-only and Fortran-ordered data give the same answer, and no data are changed."""
    before = pickle.dumps(instance.problem)
    plain = _solve(clone(solver), instance)
    for order in ("C", "F"):
        problem = _frozen_copy(instance.problem, order)
        other = clone(solver).solve(problem, rng=SEED)
        _assert_close(other.x, plain.x, f"with read-only data in {order} order")
    fresh = pickle.loads(before)
    for field in dataclasses.fields(fresh):
        if field.init:
            seen, was = getattr(instance.problem, field.name), getattr(fresh, field.name)
            assert _same(seen, was), f"{field.name} of the problem was changed"


def _check_max_iter(solver: Solver, instance: Instance) -> None:
    if "max_iter" not in solver.get_params(deep=False):
        raise NotApplicable("no parameter max_iter")
    solution = _solve(clone(solver).set_params(max_iter=1), instance)
    assert solution.n_iter <= 1 or solution.solver != solver.name, "max_iter=1 was exceeded"
    assert _finite(solution.x), "max_iter=1 gave an answer that is not finite"
    assert solution.converged or solution.message, "it stopped short and does not say why"


def _check_callback(solver: Solver, instance: Instance) -> None:
    states: list[Any] = []
    full = _solve(clone(solver), instance)
    if not full.history:
        assert full.n_iter == 0, "it iterates, but calls no callback"
        raise NotApplicable("a direct method")
    stopped = _solve(clone(solver), instance, callback=lambda state: not states.append(state))
    assert states, "the callback was not called"
    assert {"iteration", "residual"} <= set(states[0]), "the state lacks iteration or residual"
    assert len(stopped.history) <= len(full.history)
    assert _finite(stopped.x), "stopping at the first iteration gave an answer that is not finite"


# Estimators


def _estimator_checks(entry: Entry, cls: type) -> Iterator[tuple[str, Callable[[], None]]]:
    yield "scikit-learn", lambda: _check_scikit_learn(cls)
    yield "random-state", lambda: _check_random_state(cls())
    yield "n-jobs", lambda: _check_n_jobs(cls())
    yield "silent", lambda: _check_silent(cls())
    if entry.task is None:
        return
    for solver in registry.entries(kind="solver", task=entry.task):
        # A solver of somebody else that is broken, or needs a package, is not this entry's fault.
        if solver.status in ("ok", "deprecated"):
            name = solver.working_name
            yield f"solver[{name}]", lambda s=solver: _check_named_solver(cls(), s)


def _check_scikit_learn(cls: type) -> None:
    """All of scikit-learn's own checks, less those the class argues in expected_failed_checks."""
    expected = getattr(cls, "expected_failed_checks", {})
    records = check_estimator(cls(), expected_failed_checks=expected, on_fail=None, on_skip=None)
    failed = [record for record in records if record["status"] == "failed"]
    summary = "; ".join(f"{record['check_name']}: {record['exception']}" for record in failed)
    assert not failed, f"{len(failed)} of {len(records)} checks failed: {summary}"


def _data(estimator: Any) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(SEED)
    X = rng.standard_normal((80, 4))
    y = (X[:, 0] > 0).astype(np.float64)
    if not get_tags(estimator).input_tags.two_d_array:
        # No matrix of features: its samples are the places of a matrix, row and column.
        X = np.argwhere(np.ones((16, 5)))
    return X, y


def _fit(estimator: Any, **params: Any) -> dict[str, Any]:
    X, y = _data(estimator)
    names = estimator.get_params(deep=False)
    known = {name: value for name, value in params.items() if name in names}
    estimator = clone(estimator).set_params(**known).fit(X, y)
    return {name: value for name, value in vars(estimator).items() if name.endswith("_")}


def _check_random_state(estimator: Any) -> None:
    if "random_state" not in estimator.get_params(deep=False):
        raise NotApplicable("no parameter random_state")
    first, second = (_fit(estimator, random_state=7) for _ in range(2))
    assert _same(first, second), "the same random_state gave different fitted attributes"


def _check_n_jobs(estimator: Any) -> None:
    if "n_jobs" not in estimator.get_params(deep=False):
        raise NotApplicable("no parameter n_jobs")
    one, two = (_fit(estimator, random_state=7, n_jobs=jobs) for jobs in (1, 2))
    assert _same(one, two), "1 and 2 threads gave different fitted attributes"


def _check_silent(estimator: Any) -> None:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        _fit(estimator)
    printed = out.getvalue() + err.getvalue()
    assert not printed, f"fit printed {printed!r}"


def _check_named_solver(estimator: Any, solver: Entry) -> None:
    try:
        fitted = _fit(estimator, solver=solver.working_name, random_state=0)
    except IncompatibleSolverError as refusal:
        raise NotApplicable(str(refusal)) from None
    assert fitted["solver_"], "solver_ does not say which solver was used"


# Comparing what a solver may return: arrays, sparse matrices, and containers of them


def _same(one: Any, two: Any) -> bool:
    """Whether two values are equal bit for bit."""
    # Some objects hold themselves, or modules, which hold everything.
    if one is two:
        return True
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(_same(one[key], two[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(two, (list, tuple)):
        return len(one) == len(two) and all(map(_same, one, two))
    if sp.issparse(one) and sp.issparse(two):
        return one.shape == two.shape and all(
            _same(getattr(one, part), getattr(two, part)) for part in ("data", "indices", "indptr")
        )
    if isinstance(one, np.ndarray) and isinstance(two, np.ndarray):
        return (
            one.dtype == two.dtype
            and one.shape == two.shape
            and (one.tobytes() == two.tobytes() if one.dtype != object else list(one) == list(two))
        )
    if isinstance(one, float) and isinstance(two, float):
        return one == two or (np.isnan(one) and np.isnan(two))
    if dataclasses.is_dataclass(one) or hasattr(one, "__dict__"):
        return type(one) is type(two) and _same(_plain(one), _plain(two))
    return bool(one == two)


def _plain(value: Any) -> Any:
    # A number of threads is no part of a result.
    parts = {k: v for k, v in vars(value).items() if not callable(v) and k != "n_jobs"}
    return parts or repr(value)


def _arrays(value: Any) -> list[np.ndarray]:
    if isinstance(value, np.ndarray):
        return [value]
    if sp.issparse(value):
        return [value.toarray()]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [array for part in value for array in _arrays(part)]
    return [np.asarray(value)] if isinstance(value, (int, float)) else []


def _finite(value: Any) -> bool:
    return all(
        bool(np.isfinite(array).all()) for array in _arrays(value) if array.dtype.kind == "f"
    )


def _assert_close(one: Any, two: Any, context: str) -> None:
    for first, second in zip(_arrays(one), _arrays(two), strict=True):
        if first.dtype.kind != "f":
            assert np.array_equal(first, second), f"a different answer {context}"
            continue
        size = np.abs(second).max(initial=0.0)
        worst = np.abs(first - second).max(initial=0.0)
        assert worst <= 1e-6 * size, f"an answer {worst / size:.1e} away {context}"


def _frozen_copy(problem: Any, order: str) -> Any:
    """Copy a problem with all its arrays read-only and 2-D ones in the given memory order."""
    changes = {}
    for field in dataclasses.fields(problem):
        value = getattr(problem, field.name)
        if isinstance(value, np.ndarray):
            changes[field.name] = np.array(value, order=order)
            changes[field.name].flags.writeable = False
        elif sp.issparse(value):
            changes[field.name] = value.copy()
            for part in ("data", "indices", "indptr"):
                getattr(changes[field.name], part).flags.writeable = False
    return dataclasses.replace(problem, **changes)
