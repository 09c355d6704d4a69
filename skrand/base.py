"""The types that every method is written in: Problem, Solver, Solution and Task.

An estimator validates its data and states a :class:`Problem`; the registry names a
:class:`Solver`; ``solver.solve(problem)`` returns a :class:`Solution`; the estimator sets its
fitted attributes from it. :class:`Task` tells how a class of problems is tested and measured.
:class:`SolverMixin` is the estimator's side of that path.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import warnings
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from skrand import registry
from skrand.exceptions import IncompatibleSolverError, InvalidParameterError, PluginError

__all__ = [
    "Instance",
    "Monitor",
    "Problem",
    "Solution",
    "Solver",
    "SolverMixin",
    "Task",
    "default_parameters",
    "same_value",
    "solve_cheapest",
    "solvers_of",
]

logger = logging.getLogger("skrand")

#: What a solver calls once an iteration: it is given the state and says whether to stop.
Callback = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, eq=False, kw_only=True)
class Problem:
    """One mathematical problem: the arrays, validated once, and what they cost to look at.

    A subclass adds the data as frozen fields and offers the operations that solvers share. An
    operation that touches the data counts itself in `oracles`, so that solvers can be compared by
    what they read and not only by the clock.

    Attributes
    ----------
    task : str
        Name of the task that this is an instance of.
    oracles : collections.Counter
        How often the data was consulted, by kind: ``passes``, ``matvecs``, ``gradients`` ...
    found : dict
        What was found out by a look at the data and serves the solver that is tried next.
    """

    task: ClassVar[str]
    oracles: Counter[str] = field(default_factory=Counter, init=False, repr=False)
    found: dict[str, Any] = field(default_factory=dict, init=False, repr=False)


@dataclass(frozen=True, eq=False, kw_only=True)
class Solution:
    """What a solver returns: the answer and what it achieved.

    Parameters
    ----------
    x : object
        The unknown of the problem, usually an array.
    converged : bool
        Whether the solver's stopping criterion was met.
    n_iter : int
        Number of iterations; 0 for a direct method.
    residual : float
        The achieved residual in the field's own measure, computed from `x`; NaN only if the solver
        truly has none.
    history : list of dict
        One record an iteration; filled by :meth:`Solver.solve`.
    oracles : dict of str to int
        What the solve consulted; filled by :meth:`Solver.solve`.
    extra : dict
        Whatever else the task's estimators read, under the field's names.
    message : str
        Why the solver stopped short and what to do about it; empty when it converged.
    solver : str
        Name of the solver that produced `x`; filled by :meth:`Solver.solve`.
    """

    x: Any
    converged: bool
    n_iter: int = 0
    residual: float = float("nan")
    history: list[dict[str, Any]] = field(default_factory=list)
    oracles: Mapping[str, int] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""
    solver: str = ""


class Monitor:
    """Keeps the history of a solve and asks the caller's callback whether to stop.

    A monitor is itself a valid callback, so a solver that runs another hands its own on.

    Parameters
    ----------
    callback : callable, optional
        ``callback(state) -> bool``; true means stop.

    Attributes
    ----------
    history : list of dict
        One record an iteration.
    stopped : bool
        Whether the callback has asked to stop.
    """

    def __init__(self, callback: Callback | None = None) -> None:
        self.callback = callback
        self.history: list[dict[str, Any]] = []
        self.stopped = False

    def __call__(self, state: Mapping[str, Any]) -> bool:
        """Record one iteration; return true if the solve should stop.

        An entry ``x`` is not kept: it is a function of no argument that returns the current
        answer, for callbacks that want to look at it.
        """
        self.history.append({key: value for key, value in state.items() if key != "x"})
        if self.callback is not None and self.callback(state):
            self.stopped = True
        return self.stopped


class Solver(BaseEstimator, ABC):
    """A named way to solve one task. Subclass it, write `_solve`, register an Entry.

    Hyper-parameters are keyword arguments of ``__init__``, stored unchanged, as in any
    scikit-learn estimator; a solver object is cloned, pickled and searched over like one.

    Attributes
    ----------
    task : str
        Name of the task it solves.
    name : str
        The name it is registered under.
    """

    task: ClassVar[str]
    name: ClassVar[str]

    def supports(self, problem: Any) -> str | None:
        """Say why this solver cannot solve `problem`, in one sentence, or None if it can.

        Looks at shapes, dtypes and parameters only; never at the values of the data.
        """
        return None

    def cost(self, problem: Any) -> float | None:
        """Estimate the flops that solving `problem` takes, or None.

        The ``auto`` solver of a task tries the solvers it can use from the cheapest up. None, the
        default, keeps a solver out of that choice.
        """
        return None

    def declines(self, problem: Any) -> str | None:
        """Look at the data and say in one sentence why an answer is unlikely to be good, or None.

        The ``auto`` solver of a task asks this when the solver's turn has come, and tries those
        that decline last. A look must cost less than to try would, or serve the solve as well.
        """
        return None

    @property
    def max_steps(self) -> int | None:
        """The most iterations a solve can take, if that is known: what progress bars show."""
        return getattr(self, "max_iter", 0)

    def solve(
        self,
        problem: Problem,
        *,
        rng: np.random.Generator | int | None = None,
        callback: Callback | None = None,
    ) -> Solution:
        """Solve `problem`.

        Parameters
        ----------
        problem : Problem
            An instance of this solver's task.
        rng : numpy.random.Generator or int, optional
            Source of randomness. The same seed gives the same bits.
        callback : callable, optional
            ``callback(state) -> bool``, called once an iteration with a mapping that holds at
            least ``iteration`` and ``residual``; return true to stop.

        Returns
        -------
        Solution

        Raises
        ------
        IncompatibleSolverError
            If `supports` objects; the message names the solvers that fit.
        """
        reason = self.supports(problem)
        if reason is not None:
            raise IncompatibleSolverError(_incompatible(self, problem, reason))
        monitor = Monitor(callback)
        before = Counter(problem.oracles)
        solution = self._solve(problem, np.random.default_rng(rng), monitor)
        if not isinstance(solution, Solution):
            raise TypeError(
                f"{type(self).__name__}._solve must return a skrand.base.Solution. Got "
                f"{solution!r} instead."
            )
        # Comparisons of NumPy's numbers give NumPy's, which JSON does not know.
        converged = bool(solution.converged)
        stopped = monitor.stopped and not converged
        return replace(
            solution,
            converged=converged,
            message="A callback asked it to stop." if stopped else solution.message,
            history=monitor.history,
            oracles=dict(problem.oracles - before),
            solver=solution.solver or self.name,
        )

    @abstractmethod
    def _solve(self, problem: Any, rng: np.random.Generator, monitor: Monitor) -> Solution:
        """Solve a problem that `supports` accepted.

        Call ``monitor({"iteration": i, "residual": r, ...})`` once an iteration and stop when it
        returns true. Reaching ``max_iter`` is ``converged=False`` with a message, never an
        exception.
        """


def _incompatible(solver: Solver, problem: Problem, reason: str) -> str:
    """Word the refusal, naming the registered solvers that would accept the problem."""
    fits = []
    for entry, candidate in solvers_of(problem.task):
        # A plugin whose own `supports` fails does not spoil the refusal of another solver.
        with contextlib.suppress(Exception):
            if candidate.supports(problem) is None and entry.name != solver.name:
                fits.append(entry.working_name)
    offer = f" Solvers that can: {', '.join(fits)}." if fits else ""
    return f"Solver {solver.name!r} cannot solve this problem: {reason.rstrip('.')}.{offer}"


def solvers_of(task: str, can: Iterable[str] = ()) -> Iterator[tuple[registry.Entry, Solver]]:
    """Yield a task's registered solvers, made with their default parameters.

    What cannot be imported or made, whatever it raises, is left out: it is nobody's fault but its
    own plugin's.

    Parameters
    ----------
    task : str
        Name of the task.
    can : iterable of str, default=()
        Only solvers with these capabilities.
    """
    for entry in registry.entries(kind="solver", task=task, can=can):
        try:
            solver = registry.load(entry)()
        except Exception:  # noqa: BLE001 (code of strangers)
            continue
        yield entry, solver


def solve_cheapest(
    problem: Problem,
    candidates: Iterable[tuple[str, Solver]],
    rng: np.random.Generator,
    monitor: Monitor,
    error: Callable[[Solution], float] = lambda solution: solution.residual,
) -> Solution:
    """Try solvers from the cheapest up until one converges or the callback asks to stop.

    Those that can solve the problem and estimate its cost take part. If none converges, the answer
    with the least error is returned. The names of those tried are in ``extra["solver_path"]``.

    Parameters
    ----------
    problem : Problem
        What is to be solved.
    candidates : iterable of (str, Solver)
        Solvers with their parameters set, and the names that decide between equal costs.
    rng : numpy.random.Generator
        Gives the seed.
    monitor : Monitor
        That of the solver which hands the problem on.
    error : callable, optional
        ``error(solution) -> float``; the residual by default.
    """
    # All solvers see the same seed, so an answer does not depend on how many were tried.
    seed = int(rng.integers(1 << 63))
    tried: list[Solution] = []
    for solver in _cheapest_first(problem, candidates):
        tried.append(solver.solve(problem, rng=seed, callback=monitor))
        if tried[-1].converged or monitor.stopped:
            break
    best = min(tried, key=lambda solution: (not solution.converged, error(solution)))
    path = [solution.solver for solution in tried]
    return replace(best, extra={**best.extra, "solver_path": path})


def _cheapest_first(problem: Problem, candidates: Iterable[tuple[str, Solver]]) -> Iterator[Solver]:
    """Yield the solvers that can solve `problem` and estimate its cost, the cheapest first.

    Those that decline, once their turn has come, are yielded at the end.
    """
    ranked = []
    for name, solver in candidates:
        cost = solver.cost(problem) if solver.supports(problem) is None else None
        if cost is not None:
            ranked.append((cost, name, solver))
    declined = []
    for _, _, solver in sorted(ranked, key=lambda item: item[:2]):
        if solver.declines(problem) is None:
            yield solver
        else:
            declined.append(solver)
    yield from declined


@dataclass(frozen=True, eq=False)
class Instance:
    """A named test problem of a task.

    Parameters
    ----------
    name : str
        What it is, in a few words with hyphens.
    problem : Problem
        The problem itself.
    needs : frozenset of str
        Capabilities (see :class:`skrand.registry.Entry`) that a solver must have to take it.
    """

    name: str
    problem: Any
    needs: frozenset[str] = frozenset()


class Task(ABC):
    """A class of mathematical problems: instances to try, and how an answer is judged.

    Attributes
    ----------
    name : str
        The name it is registered under.
    problem : type
        The :class:`Problem` subclass of its instances.
    """

    name: ClassVar[str]
    problem: ClassVar[type[Problem]]

    @abstractmethod
    def instances(self, size: str = "tiny", seed: int = 0) -> Iterator[Instance]:
        """Yield seeded instances; `size` is one of tiny, small, medium, large."""

    @abstractmethod
    def reference(self, problem: Any) -> Solution:
        """Solve `problem` by slow, independent, trusted means."""

    @abstractmethod
    def measure(self, problem: Any, solution: Solution, reference: Solution) -> dict[str, float]:
        """Measure a solution; every figure is 0 for a perfect one."""

    @abstractmethod
    def objection(self, problem: Any, solution: Solution, reference: Solution) -> str | None:
        """Say in one sentence why `solution` is not what its solver claims, or None.

        An exact solver's answer is held against the reference; an approximate one's against the
        error that it reported.
        """

    def peers(self) -> dict[str, Callable[[Any], Any]]:
        """Other packages' solvers, by name, for benchmarks.

        Each maps a problem to its ``x``, or to a :class:`Solution` if `measure` reads more than
        that; to None if it cannot solve that problem. One whose package is not installed raises
        ImportError, and is left out. The first is what speed-ups are told of.
        """
        return {}


class SolverMixin(CallbackSupportMixin):
    """The estimator's side of the path from data to solver to fitted attributes.

    An estimator that uses it has a parameter ``solver`` and calls :meth:`_run_solver` from a
    ``fit`` decorated with :func:`sklearn.callback.with_callbacks`.

    `_solver_parameters` names the estimator's parameters that its solvers share. Those marked true
    change what is computed: a solver without them refuses a value other than the default. Those
    marked false (a tolerance, a thread count) are handed to the solvers that have them.
    """

    _solver_parameters: ClassVar[Mapping[str, bool]] = {}

    def set_params(self, **params: Any) -> Self:
        """Set parameters of this estimator, and as ``solver__NAME`` those of its solver object."""
        solver = params.get("solver", self.solver)
        nested = [name for name in params if name.startswith("solver__")]
        if nested and isinstance(solver, str):
            raise InvalidParameterError(
                f"{nested[0]!r} sets a parameter of a solver object, and the 'solver' parameter of "
                f"{type(self).__name__} is the name {solver!r}. Give it the object instead: "
                f"solver=make_solver(task, {solver!r})."
            )
        super().set_params(**params)
        return self

    def _resolve_solver(self, task: str) -> Solver:
        """Build or take the solver that ``solver=`` asks for, with the shared parameters set."""
        solver = registry.resolve_solver(self.solver, task)
        defaults = default_parameters(type(self))  # type: ignore[arg-type]
        accepted = default_parameters(type(solver))
        shared = {}
        for name, binding in self._solver_parameters.items():
            value = getattr(self, name)
            if same_value(value, defaults[name]):
                continue
            if name in accepted:
                shared[name] = value
            elif binding:
                users = _solvers_with(name, task)
                raise InvalidParameterError(
                    f"The {name!r} parameter of {type(self).__name__} is not used by solver "
                    f"{solver.name!r} and must be {defaults[name]!r} with it. Got {value!r} "
                    f"instead. Solvers that use it: {', '.join(users)}."
                )
        # A solver that was made here can be changed; a user's own is theirs.
        if shared and solver is self.solver:
            solver = clone(solver)
        for name, value in shared.items():
            setattr(solver, name, value)
        return solver

    def _run_solver(
        self, problem: Problem, attributes: Callable[[Any], dict[str, Any]]
    ) -> Solution:
        """Solve `problem`, set the fitted attributes, and report what was achieved.

        Parameters
        ----------
        problem : Problem
            What to solve.
        attributes : callable
            ``attributes(x) -> dict``: the fitted attributes that follow from an answer ``x``.
        """
        solver = self._resolve_solver(problem.task)
        # One draw, whatever the solver: the stream of a shared RandomState does not depend on it.
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int64).max, dtype=np.int64)
        context = self._init_callback_context(max_subtasks=solver.max_steps)
        context.call_on_fit_task_begin(estimator=self)

        def iteration(state: Mapping[str, Any]) -> bool:
            step = context.subcontext(task_name="iteration")
            step.call_on_fit_task_begin(estimator=self)
            current = state.get("x")
            stop = step.call_on_fit_task_end(
                estimator=self,
                metadata={key: value for key, value in state.items() if key != "x"},
                reconstruction_attributes=(lambda: attributes(current())) if current else None,
            )
            return bool(stop)

        callback = iteration if hasattr(self, "_skl_callbacks") else None
        solution = solver.solve(problem, rng=int(seed), callback=callback)
        self._report(solution)
        fitted = attributes(solution.x)
        for name, value in fitted.items():
            setattr(self, name, value)
        self.solver_ = solution.solver
        self.n_iter_ = solution.n_iter
        self.converged_ = solution.converged
        self.history_ = solution.history
        context.call_on_fit_task_end(estimator=self, reconstruction_attributes=fitted)
        return solution

    def _report(self, solution: Solution) -> None:
        """Log what was done; warn if the solver did not converge."""
        logger.log(
            logging.INFO if getattr(self, "verbose", 0) else logging.DEBUG,
            "%s: solver %s, %d iterations, residual %.3g",
            type(self).__name__,
            solution.solver,
            solution.n_iter,
            solution.residual,
        )
        if not solution.converged:
            warnings.warn(
                f"{type(self).__name__}: solver {solution.solver!r} did not converge in "
                f"{solution.n_iter} iterations (achieved residual {solution.residual:.2e}). "
                f"{solution.message}".rstrip(),
                ConvergenceWarning,
                stacklevel=4,
            )


@cache
def default_parameters(cls: type) -> dict[str, Any]:
    """Return the default value of every parameter of an estimator class."""
    parameters = inspect.signature(cls).parameters
    return {name: parameter.default for name, parameter in parameters.items()}


def same_value(value: Any, default: Any) -> bool:
    """Whether a parameter still has its default value; arrays and objects never do."""
    return value is default or (
        isinstance(value, (str, int, float)) and type(value) is type(default) and value == default
    )


def _solvers_with(parameter: str, task: str) -> list[str]:
    """Names of the task's solvers that have a parameter of this name."""
    names = []
    for entry in registry.entries(kind="solver", task=task):
        try:
            if parameter in default_parameters(registry.load(entry)):  # type: ignore[arg-type]
                names.append(entry.working_name)
        except (PluginError, ValueError):
            # Not there, or of a signature that cannot be read.
            continue
    return names
