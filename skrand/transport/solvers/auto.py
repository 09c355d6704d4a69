"""Entropic transport by Newton's method on the semi-dual, annealed."""

from __future__ import annotations

import numpy as np

from skrand._validation import check_boolean, check_integer, check_n_jobs, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.linalg.threads import effective_n_jobs
from skrand.transport.problem import EntropicTransport, finish
from skrand.transport.relaxed import solve_relaxed
from skrand.transport.semidual import NEAR, Newton, SemiDual, State, rounding_floor

__all__ = ["AnnealedNewton"]

# From one regularisation to the next it falls by this factor, and each but the last is solved to
# this violation.
RATIO, STAGE = 4, 1e-2

# Below this fraction of the range of the costs a Newton step reaches less far: the stages are finer
# there and solved better.
SMALL, SMALL_RATIO, SMALL_STAGE = 5e-4, 2, 1e-3

# From so many rows and columns on, a fourth of them finds where to begin. Potentials of a sample
# carry over while a row's mass is spread over this many columns of the sample: their error is, in
# units of the regularisation, about one over the root of that.
COARSE, SHARE, SPREAD = 2000, 4, 100.0


class AnnealedNewton(Solver):
    """Newton on the semi-dual, from a large regularisation down, with an ever better sparse plan.

    One sweep over the costs gives the row potentials, the column sums, the objective and the
    sparse plan together. The Newton system is solved by conjugate gradients on the plan without
    its small entries; how small is set by the violation, so that the dropped mass never slows the
    convergence. The potentials of two regularisations predict those of the next. From 2000 rows and
    columns on, the first regularisations are solved on a random fourth of both (the same for every
    problem of that shape), and the soft minima of its potentials start the whole problem.

    Penalties on the marginals change the weights of the rows and add a diagonal to the Newton
    system, no more; a sweep then is two.

    Cost: ``O(n m)`` flops and one exponential a pair for each sweep, some 20 to 40 sweeps for a
    regularisation of ``1e-3`` times the largest cost, and sparse products. Memory: the kept
    entries of the plan (8 bytes each) and, with a sample, a fourth of the costs.

    Parameters
    ----------
    tol : float, default=1e-9
        Violation of the marginals to reach, in L1, both sides.
    max_iter : int, default=500
        Most Newton and Sinkhorn steps in all.
    anneal : bool, default=True
        Whether to come from a large regularisation. Without it small ones are slow.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    X. Tang, M. Shavlovsky, H. Rahmanian, E. Tardini, K. K. Thekumparampil, T. Xiao, L. Ying,
    "Accelerating Sinkhorn Algorithm with Sparse Newton Iterations", ICLR 2024, arXiv:2401.12253.
    This solver works on the Schur complement of that method's Hessian, and drops by the violation
    instead of keeping a fixed number of entries.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.transport import EntropicTransport
    >>> from skrand.transport.solvers import AnnealedNewton
    >>> C = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> half = np.full(2, 0.5)
    >>> solution = AnnealedNewton().solve(EntropicTransport(C=C, a=half, b=half, reg=0.5))
    >>> solution.converged, round(solution.extra["value"], 6)
    (True, 0.28311)
    """

    task = "entropic-transport"
    name = "auto"

    def __init__(
        self,
        *,
        tol: float = 1e-9,
        max_iter: int = 500,
        anneal: bool = True,
        n_jobs: int | None = None,
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.anneal = anneal
        self.n_jobs = n_jobs

    def _solve(
        self, problem: EntropicTransport, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        tol = check_real(self, "tol", self.tol, 0, closed="neither")
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        check_boolean(self, "anneal", self.anneal)
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        if problem.relaxed:
            return solve_relaxed(problem, tol, max_iter, self.anneal, threads, monitor)
        dual = SemiDual(problem.positive(), threads)
        newton = monitored_newton(problem, dual, max_iter, monitor)
        state = annealed(newton, dual, problem.reg, tol, self.anneal)
        return finish(
            problem,
            dual,
            state,
            tol,
            newton.n_iter,
            stalled=newton.stalled,
            extra={
                "n_newton": newton.n_newton,
                "n_sinkhorn": newton.n_sinkhorn,
                "n_cg": newton.n_cg,
            },
        )


def monitored_newton(
    problem: EntropicTransport, dual: SemiDual, max_iter: int, monitor: Monitor
) -> Newton:
    """Return Newton's method, telling `monitor` of each iteration."""

    def step(state: State, kind: str, n_cg: int) -> bool:
        record = {
            "iteration": len(monitor.history) + 1,
            "residual": state.error,
            "reg": state.eps,
            "kind": kind,
            "n_rows": len(state.f),
            "passes": dual.problem.oracles["passes"],
            "n_cg": n_cg,
        }
        if len(state.f) == len(dual.a):
            record["x"] = lambda: problem.potentials(dual, state)
        return monitor(record)

    return Newton(max_iter, step)


def annealed(newton: Newton, dual: SemiDual, reg: float, tol: float, anneal: bool = True) -> State:
    """Run Newton along regularisations that fall geometrically, down to `reg`.

    From a start that is good enough, at `reg` only.
    """
    stages = [reg]
    if anneal and dual.problem.start is not None:
        g, f = dual.start()
        anneal = dual.state(g, reg, f).error > NEAR
    while anneal and stages[-1] * RATIO < dual.spread / 5:
        stages.append(stages[-1] * (SMALL_RATIO if stages[-1] < dual.spread * SMALL else RATIO))
    state = _descend(newton, dual, stages[::-1], tol)[-1]
    if state.eps != reg:
        state = dual.state(state.g, reg, state.f)
    if newton.stalled and state.error <= max(tol, rounding_floor(dual.spread, reg) / 50):
        newton.stalled = False
    return state


def _descend(
    newton: Newton, dual: SemiDual, stages: list[float], tol: float, least: float = 0.0
) -> list[State]:
    """Solve one regularisation after the other, the last to `tol`; return all states.

    Stops where the rows' masses are spread over fewer than `least` columns.
    """
    states: list[State] = []
    problem = dual.problem
    start = dual.start() if len(stages) == 1 else (np.zeros(len(dual.b)), np.zeros(len(dual.a)))
    if len(stages) > 1 and min(problem.shape) >= COARSE and not problem.forbids():
        stages, start = _sampled_start(newton, dual, stages)
    for eps in stages:
        if states:
            start = _predict(states, eps)
        last = eps == stages[-1]
        rough = SMALL_STAGE if eps < dual.spread * SMALL else STAGE
        states.append(newton.run(dual, *start, eps, tol if last else max(rough, tol)))
        if newton.stopped or newton.n_iter >= newton.max_iter:
            break
        if not last:
            newton.stalled = False
        if least * dual.concentration(states[-1]) > 1.0:
            break
    return states


def _predict(states: list[State], eps: float) -> tuple[np.ndarray, np.ndarray]:
    """Return g and f at `eps`: potentials are nearly affine in it, so extrapolate."""
    state = states[-1]
    if len(states) == 1:
        return state.g, state.f
    previous = states[-2]
    ratio = (eps - state.eps) / (state.eps - previous.eps)
    return state.g + ratio * (state.g - previous.g), state.f + ratio * (state.f - previous.f)


def _sampled_start(
    newton: Newton, dual: SemiDual, stages: list[float]
) -> tuple[list[float], tuple[np.ndarray, np.ndarray]]:
    """Follow the first stages on a sample; return the other stages and where to start them."""
    problem = dual.problem
    rng = np.random.default_rng(0)
    rows, columns = (
        np.sort(rng.choice(size, size // SHARE, replace=False)) for size in problem.shape
    )
    part = SemiDual(problem.restrict(rows, columns), dual.threads)
    states = _descend(newton, part, stages[:-1], STAGE, SPREAD)
    stages = stages[stages.index(states[-1].eps) + 1 :]
    _, f = _predict(states, stages[0])
    # The potentials of all columns are the soft minima over the rows of the sample.
    every = SemiDual(problem.restrict(rows, slice(None)).transpose(), dual.threads)
    g = every.state(f, stages[0], np.zeros(len(dual.b))).f
    problem.oracles["sample_passes"] += part.problem.oracles["passes"] + 1
    return stages, (g, np.zeros(len(dual.a)))
