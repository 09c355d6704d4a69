"""Alternating minimisation along a path of falling penalties."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from skrand._validation import check_integer, check_n_jobs, check_option, check_real, fail_parameter
from skrand.base import Monitor, Solution, Solver
from skrand.completion.alternation import (
    CONJUGATE,
    EXACT,
    SKETCHED,
    Alternation,
    finish,
    reachable,
    start,
)
from skrand.completion.problem import MatrixCompletion
from skrand.linalg.threads import effective_n_jobs

__all__ = ["AlternatingMinimisation", "Sweeps"]

_MODES = {"cholesky": EXACT, "cg": CONJUGATE, "sketch": SKETCHED}
#: Up to this rank a row is solved by Cholesky, above by conjugate gradients: where they cost alike.
_EXACT_RANK = 16
#: Paths to try, as (levels, most sweeps on one), for ten decades of penalty; a longer one is tried
#: when those before found no fit.
_SCHEDULES = ((20, 5), (60, 15), (120, 40), (240, 100))
#: The same from so many observed entries a degree of freedom on.
_PLENTY = 3.0
_SHORT_SCHEDULES = ((8, 5), (60, 15))
#: Where a path to alpha=0 ends, relative to its start.
_END = 1e-10
#: A level ends when a sweep lowers the objective by less than this, relatively.
_LEVEL_GAIN = 0.001
#: Most sweeps on a level of a noisy problem: there the path is only a start.
_NOISY_SWEEPS = 2
#: Below this relative misfit a path has found a fit; further ones are not tried.
_FIT = 1e-3
#: Steps of Anderson's extrapolation.
_DEPTH = 5
#: Most steps of conjugate gradients: on a path, where every level is a start for the next, and at
#: the last penalty.
_STEPS = 5
_LAST_STEPS = 20


class AlternatingMinimisation(Solver):
    """Alternate between rows and columns while the penalty falls to the one asked for.

    The path starts at the spectral norm of the entries filled with zeros, where the minimiser is
    zero, and falls geometrically. Following it finds the low-rank matrix from far fewer entries
    than alternation at a fixed penalty, which diverges below about three a degree of freedom. For
    ``alpha=0`` paths of 20, 60, 120 and 240 levels are tried (8 and 60 from three entries a degree
    of freedom on) until one ends in a fit, or two in a row bring no better one: what is left is
    noise then. A penalty of more than a fifth or so of that norm needs no path: the start is
    already one step of singular value thresholding. At the last penalty sweeps are extrapolated
    (Anderson). The last half step solves the rows exactly, from zero, as rows that come later are.

    All observed entries take part in every half step. Rows are solved to an accuracy that is
    relative to the gradient that they start from, warm: the accuracy grows as the iteration
    converges, as the theory of approximate alternation asks for, and a fixed number of steps stalls
    on badly conditioned matrices.

    Cost: a sweep takes ``O(s nnz k)`` flops with s steps of conjugate gradients, or ``O(nnz k^2 +
    (m + n) k^3)`` with Cholesky. Memory: the entries by row and by column, and the factors.

    Parameters
    ----------
    tol : float, default=1e-9
        Norm of the gradient to reach, relative to that at zero; at least 4e-6 in float32.
    max_iter : int, default=2000
        Most sweeps, over all paths.
    inner : {"auto", "cholesky", "cg", "sketch"}, default="auto"
        How rows are solved; "auto" is Cholesky up to rank 16 and conjugate gradients above. Rows of
        at most 8 entries, and fewer than unknowns, are always solved exactly. "sketch" is the
        published way: conjugate gradients preconditioned by a sketch of the row's own regression,
        with four rows an unknown. It needs rows of more entries than that, and factorises a matrix
        for each; slower than either alternative wherever we measured.
    inner_tol : float, default=0.1
        Conjugate gradients stop at this fraction of the gradient that a row starts from.
    continuation : "auto", int or None, default="auto"
        Levels of the path, for ten decades of penalty; None for no path. "auto" chooses by the
        number of entries and by what the paths achieve, and takes no path from an `init` that is
        given as factors.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    Y. Gu, Z. Song, J. Yin, L. Zhang, "Low Rank Matrix Completion via Robust Alternating
    Minimization in Nearly Linear Time", ICLR 2024, arXiv:2302.11068.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from skrand.completion import MatrixCompletion
    >>> from skrand.completion.solvers import AlternatingMinimisation
    >>> rng = np.random.default_rng(0)
    >>> M = rng.standard_normal((60, 2)) @ rng.standard_normal((2, 50))
    >>> X = sp.csr_array(np.where(rng.uniform(size=M.shape) < 0.25, M, 0.0))
    >>> solution = AlternatingMinimisation().solve(MatrixCompletion(X=X, rank=2), rng=0)
    >>> solution.converged, bool(np.abs(solution.x.dense() - M).max() < 1e-6)
    (True, True)
    """

    task = "matrix-completion"
    name = "am"

    def __init__(
        self,
        *,
        tol: float = 1e-9,
        max_iter: int = 2000,
        inner: str = "auto",
        inner_tol: float = 0.1,
        continuation: str | int | None = "auto",
        n_jobs: int | None = None,
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.inner = inner
        self.inner_tol = inner_tol
        self.continuation = continuation
        self.n_jobs = n_jobs

    def supports(self, problem: MatrixCompletion) -> str | None:
        """Refuse non-negative factors."""
        return "it does not keep factors non-negative" if problem.nonneg else None

    def _solve(
        self, problem: MatrixCompletion, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        tol = reachable(check_real(self, "tol", self.tol, 0, closed="neither"), problem)
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        inner = check_option(self, "inner", self.inner, ("auto", *_MODES))
        eta = check_real(self, "inner_tol", self.inner_tol, 0, 1, closed="neither")
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        schedules = self._schedules(problem)
        state, norm = start(problem, rng, threads)
        if inner == "auto":
            inner = "cholesky" if problem.rank <= _EXACT_RANK else "cg"
        sweeps = Sweeps(state, monitor, max_iter, _MODES[inner])
        levels = self._descend(problem, sweeps, norm, schedules, eta)
        return sweeps.complete(tol, eta, _LAST_STEPS, extra={"levels": levels})

    def _schedules(self, problem: MatrixCompletion) -> tuple[tuple[int, int], ...]:
        """Return the paths that may be tried, shortest first."""
        continuation = self.continuation
        if isinstance(continuation, str) and continuation == "auto":
            if not isinstance(problem.init, str):
                return ()
            return _SHORT_SCHEDULES if problem.oversampling >= _PLENTY else _SCHEDULES
        if continuation is None:
            return ()
        if isinstance(continuation, str):
            fail_parameter(self, "continuation", "'auto', None or an int", continuation)
        return ((check_integer(self, "continuation", continuation, 1), 40),)

    def _descend(self, problem: Any, sweeps: Any, norm: Any, schedules: Any, eta: Any) -> int:
        """Follow paths from the same start, leave the best end in the state; return its levels."""
        state = sweeps.state
        first = norm / max(1e-300, float(np.mean(problem.sides[0].ridge)))
        last = max(problem.alpha, _END * first)
        if not 0 < last < first or not schedules:
            return 0
        decades = np.log10(first / last)
        begin = kept = state.copy()
        best, chosen, failures = np.inf, 0, 0
        # With a penalty of its own a problem is a noisy one, and one path is enough, or none.
        noisy = problem.alpha > 1e-6 * first
        for levels, most in schedules:
            count = round(levels * decades / -np.log10(_END))
            if noisy and count < 2:
                return 0
            state.restore(begin)
            # Where the path starts the answer is zero: the first level worth a sweep is the next.
            alphas = np.geomspace(first, last, max(2, count) + noisy)[int(noisy) :]
            value = sweeps.path(alphas, _NOISY_SWEEPS if noisy else most, eta, _STEPS)
            failures = 0 if value < 0.5 * best else failures + 1
            if value < best:
                best, chosen, kept = value, count, state.copy()
            fits = sweeps.misfit <= _FIT**2 * problem.square
            if fits or sweeps.over or noisy or failures == 2:
                break
        state.restore(kept)
        return chosen


class Sweeps:
    """Sweeps over both sides of an alternation, counted, recorded, and stopped on request.

    Parameters
    ----------
    state : Alternation
        What is improved.
    monitor : Monitor
        Told of every sweep.
    max_iter : int
        Most sweeps.
    mode : int
        How rows are solved, as the kernels number it.
    """

    def __init__(self, state: Alternation, monitor: Monitor, max_iter: int, mode: int) -> None:
        self.state = state
        self.monitor = monitor
        self.max_iter = max_iter
        self.mode = mode
        self.count = 0
        self.stopped = False
        self.residual = np.inf
        self.misfit = np.inf

    @property
    def over(self) -> bool:
        """Whether no more sweeps are allowed."""
        return self.stopped or self.count >= self.max_iter

    def advice(self) -> str:
        """Say why the sweeps ended early, for a solution that did not converge."""
        return (
            f"The relative gradient was {self.residual:.1e} after {self.count} sweeps. Raise "
            "max_iter; or raise alpha or lower rank if the entries are few or noisy."
        )

    def sweep(self, alpha: float, eta: float, steps: int) -> float:
        """Improve rows, then columns; return the objective between the two."""
        options = {"mode": self.mode, "eta": eta, "steps": 1 if self.mode == EXACT else steps}
        rows = self.state.half(0, alpha, **options)
        penalty = self.state.penalty(alpha)
        columns = self.state.half(1, alpha, **options)
        self.count += 1
        # What is left of the rows' gradient: rounding, the part asked for, or nobody knows.
        left = {EXACT: 0.0, CONJUGATE: eta**2, SKETCHED: eta**2}.get(self.mode, 1.0)
        gradient = columns.gradient + left * rows.gradient
        size = columns.size + rows.size
        self.residual = float(np.sqrt(gradient / size)) if size > 0 else 0.0
        self.misfit = columns.misfit
        record = {
            "iteration": self.count,
            "residual": self.residual,
            "rmse": float(np.sqrt(columns.misfit / self.state.problem.total)),
            "alpha": alpha,
            "x": self.state.answer,
        }
        self.stopped |= self.monitor(record)
        return columns.misfit + penalty

    def path(self, alphas: np.ndarray, most: int, eta: float, steps: int) -> float:
        """Follow the minimiser along falling penalties; return the last objective."""
        value = np.inf
        for alpha in alphas:
            before = np.inf
            for _ in range(most):
                if self.over:
                    return value
                value = self.sweep(alpha, eta, steps)
                if before - value < _LEVEL_GAIN * before:
                    break
                before = value
        return value

    def complete(
        self,
        tol: float,
        eta: float,
        steps: int,
        *,
        extrapolate: bool = True,
        extra: dict | None = None,
    ) -> Solution:
        """Sweep at the problem's penalty until the gradient is small; return the solution."""
        problem = self.state.problem
        # The gradient is to be small at the factors that are returned: ordered and balanced, with
        # rows solved exactly. Where it is not, a second round starts from these.
        for share in (1.0, 0.5):
            self.polish(problem.alpha, share * tol, eta, steps, extrapolate=extrapolate)
            answer = finish(
                problem, self.state, tol, self.count, message=self.advice(), extra=extra
            )
            if answer.converged or self.over:
                break
        return answer

    def polish(
        self, alpha: float, tol: float, eta: float, steps: int, *, extrapolate: bool = True
    ) -> None:
        """Sweep at one penalty until the gradient is small, with Anderson's extrapolation.

        The columns' factor is the unknown of the fixed-point iteration. An extrapolation that does
        not lower the objective is taken back and the memory of it forgotten.
        """
        V = self.state.factors[1]
        before = np.inf
        images: list[np.ndarray] = []
        moves: list[np.ndarray] = []
        while not self.over:
            old = V.copy()
            value = self.sweep(alpha, eta, steps)
            if self.residual <= tol:
                return
            if not extrapolate:
                continue
            if value > before:
                V[:] = images[-1]
                images, moves, before = [], [], np.inf
                continue
            before = value
            images, moves = [*images[-_DEPTH:], V.copy()], [*moves[-_DEPTH:], V - old]
            if len(moves) > 2:
                V[:] = _extrapolate(images, moves)
                if self.state.problem.nonneg:
                    np.maximum(V, 0.0, out=V)


def _extrapolate(images: list[np.ndarray], moves: list[np.ndarray]) -> np.ndarray:
    """Combine images so that, if the map were linear, the move would be the shortest."""
    changes = np.array([(b - a).ravel() for a, b in itertools.pairwise(moves)])
    last = moves[-1].ravel()
    gram = (changes @ changes.T).astype(np.float64)
    gram[np.diag_indices(len(gram))] *= 1 + 1e-12
    weights = np.linalg.lstsq(gram, (changes @ last).astype(np.float64), rcond=1e-14)[0]
    out = images[-1].copy()
    for weight, a, b in zip(weights, images, images[1:], strict=False):
        out -= np.asarray(weight, out.dtype) * (b - a)
    return out
