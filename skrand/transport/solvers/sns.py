"""Sinkhorn-Newton-Sparse as its paper has it."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, cg

from skrand._validation import check_integer, check_n_jobs, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.linalg.threads import effective_n_jobs, single_threaded_blas
from skrand.transport.problem import EntropicTransport, balanced_only, finish
from skrand.transport.semidual import SemiDual, State

__all__ = ["SNS"]


class SNS(Solver):
    """Sinkhorn first, then Newton on both potentials with a fixed number of kept plan entries.

    A few matrix-scaling steps, in the log domain here, bring the plan near enough to be sparse;
    then each Newton step keeps the `sparsity` share of largest entries of the plan, solves by
    conjugate gradients and backtracks on the dual objective. What is dropped acts as a damping, so
    with few entries convergence is linear and may stall, which is reported; solver "auto" lets the
    number of entries follow the violation instead.

    Cost: ``O(n m)`` flops and one exponential a pair for each iteration, and one more for each
    trial step. Memory: two arrays of the size of the costs.

    Parameters
    ----------
    tol : float, default=1e-9
        Violation of the marginals to reach, in L1, both sides.
    max_iter : int, default=200
        Most Newton steps, after the Sinkhorn steps.
    n_sinkhorn : int, default=20
        Sinkhorn steps before the first Newton step.
    sparsity : float, default=None
        Share of the plan's entries that is kept, in (0, 1]; None is 15 entries a row, at most all.
        The paper takes ``2 / n`` or, for degenerate costs, ``15 / n``.
    n_jobs : int, default=None
        Threads of the Sinkhorn steps. The result does not depend on it.

    References
    ----------
    X. Tang, M. Shavlovsky, H. Rahmanian, E. Tardini, K. K. Thekumparampil, T. Xiao, L. Ying,
    "Accelerating Sinkhorn Algorithm with Sparse Newton Iterations", ICLR 2024, arXiv:2401.12253.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.transport import EntropicTransport
    >>> from skrand.transport.solvers import SNS
    >>> C = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> half = np.full(2, 0.5)
    >>> solution = SNS().solve(EntropicTransport(C=C, a=half, b=half, reg=0.5))
    >>> solution.converged, round(solution.extra["value"], 6)
    (True, 0.28311)
    """

    task = "entropic-transport"
    name = "sns"

    def __init__(
        self,
        *,
        tol: float = 1e-9,
        max_iter: int = 200,
        n_sinkhorn: int = 20,
        sparsity: float | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.n_sinkhorn = n_sinkhorn
        self.sparsity = sparsity
        self.n_jobs = n_jobs

    @property
    def max_steps(self) -> int:
        """Newton steps only: Sinkhorn steps are not reported."""
        return self.max_iter

    def supports(self, problem: EntropicTransport) -> str | None:
        """Refuse costs that are not stored (it works on whole plans), and relaxed marginals."""
        if problem.C is None:
            return "It needs a stored cost matrix, and these costs are computed on the way"
        return balanced_only(problem)

    def _solve(
        self, problem: EntropicTransport, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        tol = check_real(self, "tol", self.tol, 0, closed="neither")
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        n_sinkhorn = check_integer(self, "n_sinkhorn", self.n_sinkhorn, 1)
        sparsity = check_real(self, "sparsity", self.sparsity, 0, 1, "right", options=(None,))
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        reduced = problem.positive()
        dual = SemiDual(reduced, threads)
        g, f = dual.start()
        state = dual.state(g, problem.reg, f)
        for _ in range(n_sinkhorn):
            if state.error <= tol:
                break
            state = dual.state(dual.sinkhorn_step(state), problem.reg, state.f)
        n, m = reduced.shape
        keep = min(n * m, 15 * n if sparsity is None else int(np.ceil(sparsity * n * m)))
        n_iter, n_cg = 0, 0
        if state.error > tol:
            with single_threaded_blas():
                state, n_iter, n_cg = self._newton(
                    problem, dual, state, tol, max_iter, keep, monitor
                )
        extra = {"n_newton": n_iter, "n_sinkhorn": n_sinkhorn, "n_cg": n_cg}
        return finish(problem, dual, state, tol, n_iter, extra=extra)

    def _newton(
        self,
        problem: EntropicTransport,
        dual: SemiDual,
        state: State,
        tol: float,
        max_iter: int,
        keep: int,
        monitor: Monitor,
    ) -> tuple[State, int, int]:
        C, eps, a, b = dual.problem.costs(), problem.reg, dual.a, dual.b
        logs = np.log(a)[:, None] + dual.logb
        f, g = state.f.copy(), state.g.copy()

        def plan(f: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, float]:
            problem.oracles["passes"] += 1
            P = np.exp(np.minimum(((g - C) + f[:, None]) / eps + logs, 300.0))
            return P, float((a * f).sum() + (b * g).sum() - eps * P.sum())

        P, value = plan(f, g)
        n_iter = n_cg = 0
        while n_iter < max_iter:
            rows, columns = P.sum(axis=1), P.sum(axis=0)
            gradient = np.concatenate([a - rows, b - columns])
            diagonal = np.concatenate([rows, columns]) + 1e-300
            system = _Hessian(P, keep, diagonal)
            step, its = system.solve(gradient)
            n_cg += its
            step *= eps
            n, slope, length, accepted = len(a), float(gradient @ step), 1.0, False
            while length > 1e-6:
                trial, trial_value = plan(f + length * step[:n], g + length * step[n:])
                error = np.abs(trial.sum(axis=1) - a).sum() + np.abs(trial.sum(axis=0) - b).sum()
                if (
                    trial_value >= value + 1e-4 * length * slope
                    or error < 0.9 * np.abs(gradient).sum()
                ):
                    accepted = True
                    break
                length *= 0.5
            if accepted:
                f, g = f + length * step[:n], g + length * step[n:]
                P, value = trial, trial_value
            n_iter += 1
            # Making the rows exact is half a Sinkhorn step: it can only help.
            state = dual.state(g, eps, f)
            record = {
                "iteration": n_iter,
                "residual": state.error,
                "reg": eps,
                "passes": problem.oracles["passes"],
                "n_cg": its,
                "x": lambda state=state: problem.potentials(dual, state),
            }
            if monitor(record) or state.error <= tol or not accepted:
                break
        return state, n_iter, n_cg


class _Hessian:
    """The sparsified Hessian: full diagonal, the largest entries of the plan off it."""

    def __init__(self, P: np.ndarray, keep: int, diagonal: np.ndarray) -> None:
        n, m = P.shape
        flat = P.ravel()
        kept = np.argpartition(flat, -keep)[-keep:] if keep < flat.size else np.arange(flat.size)
        where = (kept // m, kept % m)
        self.P = sp.csr_array((flat[kept], where), shape=(n, m))
        self.PT = sp.csr_array(self.P.T)
        self.diagonal, self.n = diagonal, n

    def solve(self, rhs: np.ndarray) -> tuple[np.ndarray, int]:
        """Solve by conjugate gradients, preconditioned by the diagonal."""
        its = 0

        def count(_: np.ndarray) -> None:
            nonlocal its
            its += 1

        size = len(rhs)
        n = self.n
        operator = LinearOperator(
            (size, size),
            matvec=lambda v: self.diagonal * v + np.concatenate([self.P @ v[n:], self.PT @ v[:n]]),
            dtype=np.float64,
        )
        jacobi = LinearOperator((size, size), matvec=lambda v: v / self.diagonal, dtype=np.float64)
        step, _ = cg(operator, rhs, rtol=1e-3, maxiter=2000, M=jacobi, callback=count)
        return step, its
