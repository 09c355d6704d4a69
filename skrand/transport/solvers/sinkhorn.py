"""Sinkhorn's algorithm in the log domain, one exponential a pair and iteration."""

from __future__ import annotations

import numpy as np

from skrand._validation import check_integer, check_n_jobs, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.linalg.threads import effective_n_jobs
from skrand.transport.problem import EntropicTransport, balanced_only, finish
from skrand.transport.semidual import SemiDual

__all__ = ["Sinkhorn"]


class Sinkhorn(Solver):
    """Sinkhorn's iteration in the log domain, with over-relaxation of the column potentials.

    It cannot overflow or underflow at any regularisation, and both half steps share one sweep. A
    step that lowers the dual objective is taken again without over-relaxation.

    Cost: ``O(n m)`` flops and one exponential a pair for each iteration; the number of iterations
    grows like the largest cost over the regularisation, or worse. Memory: ``O(n + m)`` on top of
    the costs.

    Parameters
    ----------
    tol : float, default=1e-9
        Violation of the marginals to reach, in L1, both sides.
    max_iter : int, default=20000
        Most iterations.
    omega : float, default=1.8
        Over-relaxation, in [1, 2); 1 is the plain algorithm.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    A. Thibault, L. Chizat, C. Dossal, N. Papadakis, "Overrelaxed Sinkhorn-Knopp Algorithm for
    Regularized Optimal Transport", Algorithms 14(5), 2021, arXiv:1711.01851.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.transport import EntropicTransport
    >>> from skrand.transport.solvers import Sinkhorn
    >>> C = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> half = np.full(2, 0.5)
    >>> solution = Sinkhorn().solve(EntropicTransport(C=C, a=half, b=half, reg=0.5))
    >>> solution.converged, round(solution.extra["value"], 6)
    (True, 0.28311)
    """

    task = "entropic-transport"
    name = "sinkhorn"

    def __init__(
        self,
        *,
        tol: float = 1e-9,
        max_iter: int = 20000,
        omega: float = 1.8,
        n_jobs: int | None = None,
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.omega = omega
        self.n_jobs = n_jobs

    def supports(self, problem: EntropicTransport) -> str | None:
        """Refuse marginals that are held by a penalty."""
        return balanced_only(problem)

    def _solve(
        self, problem: EntropicTransport, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        tol = check_real(self, "tol", self.tol, 0, closed="neither")
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        omega = check_real(self, "omega", self.omega, 1, 2)
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        reduced = problem.positive()
        dual = SemiDual(reduced, threads)
        g, f = dual.start()
        state = dual.state(g, problem.reg, f)
        n_iter = 0
        while state.error > tol and n_iter < max_iter:
            # Over-relaxation pays, and provably converges, in the neighbourhood of the answer.
            relax = omega if state.error < 0.1 else 1.0
            new = dual.state(
                dual.sinkhorn_step(state, relax),
                problem.reg,
                state.f,
                cut=-1000.0 if state.error > 0.1 else -60.0,
            )
            slack = 1e-14 * (abs(state.value) + problem.reg)
            if relax > 1 and new.value < state.value - slack:
                new = dual.state(dual.sinkhorn_step(state), problem.reg, state.f)
            state = new
            n_iter += 1
            record = {
                "iteration": n_iter,
                "residual": state.error,
                "reg": problem.reg,
                "passes": reduced.oracles["passes"],
                "x": lambda state=state: problem.potentials(dual, state),
            }
            if monitor(record):
                break
        extra = {"n_newton": 0, "n_sinkhorn": n_iter, "n_cg": 0}
        return finish(problem, dual, state, tol, n_iter, extra=extra)
