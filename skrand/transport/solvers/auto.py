"""Entropic transport by Newton's method on the semi-dual, annealed."""

from __future__ import annotations

import numpy as np

from skrand._validation import check_boolean, check_integer, check_n_jobs, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.linalg.threads import effective_n_jobs
from skrand.transport.problem import EntropicTransport, finish
from skrand.transport.semidual import Newton, SemiDual, State, rounding_floor

__all__ = ["AnnealedNewton"]

# From one regularisation to the next it falls by this factor, and each but the last is solved to
# this violation.
RATIO, STAGE = 4, 1e-2

# Below this fraction of the range of the costs a Newton step reaches less far: the stages are finer
# there and solved better.
SMALL, SMALL_RATIO, SMALL_STAGE = 5e-4, 2, 1e-3


class AnnealedNewton(Solver):
    """Newton on the semi-dual, from a large regularisation down, with an ever better sparse plan.

    One sweep over the costs gives the row potentials, the column sums, the objective and the
    sparse plan together. The Newton system is solved by conjugate gradients on the plan without
    its small entries; how small is set by the violation, so that the dropped mass never slows the
    convergence. The potentials of two regularisations predict those of the next.

    Cost: ``O(n m)`` flops and one exponential a pair for each sweep, some 20 to 40 sweeps for a
    regularisation of ``1e-3`` times the largest cost, and sparse products. Memory: the kept
    entries of the plan (8 bytes each) on top of the costs.

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

    def __init__(self, *, tol=1e-9, max_iter=500, anneal=True, n_jobs=None):
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
        dual = SemiDual(problem.positive(), threads)
        newton = monitored_newton(problem, dual, max_iter, monitor)
        state = annealed(newton, problem.reg, tol, self.anneal)
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
    """Return Newton on the semi-dual of `problem`, telling `monitor` of each iteration."""

    def step(state: State, kind: str, n_cg: int) -> bool:
        return monitor(
            {
                "iteration": len(monitor.history) + 1,
                "residual": state.error,
                "reg": state.eps,
                "kind": kind,
                "passes": dual.problem.oracles["passes"],
                "n_cg": n_cg,
                "x": lambda: problem.potentials(dual, state),
            }
        )

    return Newton(dual, max_iter, step)


def annealed(newton: Newton, reg: float, tol: float, anneal: bool = True) -> State:
    """Run Newton along regularisations that fall geometrically, down to `reg`."""
    dual = newton.dual
    g, f = dual.start()
    stages = [reg]
    if anneal:
        while stages[-1] * RATIO < dual.spread / 5:
            stages.append(stages[-1] * (SMALL_RATIO if stages[-1] < dual.spread * SMALL else RATIO))
    stages = stages[::-1]
    previous: State | None = None
    state: State | None = None
    for eps in stages:
        if state is not None:
            # Potentials are nearly affine in eps: extrapolate through the last two stages.
            if previous is not None:
                ratio = (eps - state.eps) / (state.eps - previous.eps)
                g = state.g + ratio * (state.g - previous.g)
                f = state.f + ratio * (state.f - previous.f)
            else:
                g, f = state.g, state.f
        previous = state
        last = eps == reg
        state = newton.run(
            g,
            f,
            eps,
            tol if last else max(SMALL_STAGE if eps < dual.spread * SMALL else STAGE, tol),
        )
        if newton.stopped or newton.n_iter >= newton.max_iter:
            break
        if not last:
            newton.stalled = False
    if state.eps != reg:
        state = dual.state(state.g, reg, state.f)
    if newton.stalled and state.error <= max(tol, rounding_floor(dual.spread, reg) / 50):
        newton.stalled = False
    return state
