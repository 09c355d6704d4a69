"""The semi-dual of entropic transport: what one sweep over the costs gives, and Newton's method.

With P_ij = a_i b_j exp((f_i + g_j - C_ij) / eps) and f eliminated so that all rows are exact,
D(g) = a.f(g) + b.g is concave, its gradient is b - c with c the column sums of P, and minus its
Hessian is S / eps with S = diag(c) - P^T diag(1/a) P.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from skrand._ext import transport as _kernels

__all__ = ["NEAR", "Newton", "SemiDual", "State", "rounding_floor"]

#: A start whose violation is less than this is taken as it is.
NEAR = 0.5
_UNIT = np.finfo(np.float64).eps / 2
#: Entries of a row below exp(_CUT) of its sum are zero to double precision for any row length.
_CUT = -60.0
#: Most plan entries that are kept, 8 bytes each, where costs are not stored for want of memory.
_ROOM = 2**24
#: Columns with less than this share of their mass are summed without leaving anything out.
_POOR = 1e-12
#: First reach of a step, in units of eps, and the least damping, in units of the violation.
_REACH, _DAMPING = 5.0, 1e-2


def rounding_floor(spread: float, eps: float) -> float:
    """Estimate the violation that rounding alone leaves: logarithms are of size spread / eps."""
    return 50 * _UNIT * max(1.0, spread / eps)


@dataclass(frozen=True, eq=False)
class State:
    """What is known at one g: potentials, column sums, violation, objective, sparse plan."""

    eps: float
    f: np.ndarray
    g: np.ndarray
    c: np.ndarray
    error: float
    value: float
    entries: tuple | None = None


class SemiDual:
    """A problem with positive weights, as the kernels take it; counts its sweeps.

    Parameters
    ----------
    problem : EntropicTransport
        With positive weights.
    threads : int
        Threads; no bit of any result depends on them.
    """

    def __init__(self, problem: Any, threads: int = 1) -> None:
        self.problem, self.threads = problem, threads
        self.a, self.b = problem.a, problem.b
        self.logb = np.log(self.b)
        self.spread = problem.spread()
        self.X = self.Yt = None
        self.limit, self.least_tau = len(self.a) * len(self.b), 0.0
        if problem.C is None:
            self.X = np.ascontiguousarray(problem.X, dtype=np.float64)
            self.Yt = np.ascontiguousarray(problem.Y.T, dtype=np.float64)
            self.cost = np.empty((0, 0))
            self.limit = min(self.limit, _ROOM)
        else:
            self.cost = np.ascontiguousarray(problem.C)

    def state(
        self, g: np.ndarray, eps: float, f: np.ndarray, *, tau: float = -1.0, cut: float = -1000.0
    ) -> State:
        """Evaluate at `g`; `f` is a guess of the row potentials, used as a shift only.

        Cost: one exponential and a dozen flops for each pair, fewer where `cut` lets
        entries below ``exp(cut)`` of a row be skipped.
        """
        self.problem.oracles["passes"] += 1
        f, c = f.copy(), np.empty_like(g)
        entries = _kernels.row_pass(
            self.cost,
            self.X,
            self.Yt,
            self.problem.scale,
            self.a,
            self.logb,
            g,
            f,
            eps,
            cut,
            max(tau, self.least_tau) if tau >= 0 else tau,
            self.limit,
            c,
            self.threads,
        )
        if entries is None and tau >= 0:
            # More entries than there is room for: what is dropped damps the Newton steps.
            self.least_tau = 8 * max(tau, self.least_tau)
            return self.state(g, eps, f, tau=tau, cut=cut)
        error = float(np.abs(self.b - c).sum())
        value = float((self.a * f).sum() + (self.b * g).sum())
        return State(eps, f, g, c, error, value, entries)

    def concentration(self, state: State) -> float:
        """Return the mean over rows of the sum of squared shares, one over how many columns count.

        Shares too small to be among the state's entries are left out.
        """
        return float(state.entries[3][: len(self.b)].sum())

    def start(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the potentials to begin from, the problem's g or zero, and f zero.

        The kernel finds its own shift where that f does not do.
        """
        start = self.problem.start
        g = np.zeros(len(self.b)) if start is None else np.array(start, dtype=np.float64)
        return g, np.zeros(len(self.a))

    def sinkhorn_step(self, state: State, omega: float = 1.0) -> np.ndarray:
        """Return g after an (over-relaxed) Sinkhorn update, which the sweep has paid for."""
        tiny = np.finfo(np.float64).tiny
        ratio = np.log(np.maximum(state.c, tiny)) - self.logb
        return state.g - omega * state.eps * ratio


class Newton:
    """Damped Newton on the semi-dual at one eps, with a plan as sparse as the error allows.

    Parameters
    ----------
    max_iter : int
        Most iterations in all, over all calls of :meth:`run`.
    step : callable
        ``step(state, kind, n_cg) -> bool``, called once an iteration; true stops.
    """

    def __init__(self, max_iter: int, step: Callable[[State, str, int], bool]) -> None:
        self.max_iter, self.step = max_iter, step
        self.n_iter = self.n_newton = self.n_sinkhorn = self.n_cg = 0
        self.damping, self.reach = _DAMPING, _REACH
        self.stopped = self.stalled = False
        self.goal = 0.0

    def run(self, dual: SemiDual, g: np.ndarray, f: np.ndarray, eps: float, tol: float) -> State:
        """Bring the violation to `tol` from `g`; return the best state reached."""
        state = dual.state(g, eps, f, tau=1e-3)
        self.goal = tol
        self.damping, self.reach = _DAMPING, _REACH
        rejected = 0
        warm_up = 0
        while state.error > tol and not self.stopped and self.n_iter < self.max_iter:
            cg = self.n_cg
            if state.error > 0.5 and warm_up < 8:
                # Far away a Sinkhorn step is as good as any and costs no linear system.
                warm_up += 1
                state = self._sinkhorn(dual, state)
                kind = "sinkhorn"
            else:
                new = self._newton_step(dual, state, self._forcing(state.error))
                kind = "newton"
                if new is None:
                    rejected += 1
                    kind = "sinkhorn"
                    new = self._sinkhorn(dual, state)
                    floor = rounding_floor(dual.spread, eps)
                    if rejected >= 3 and min(state.error, new.error) <= 20 * floor:
                        self.stalled = True
                state = new
            self.n_iter += 1
            self.stopped = self.step(state, kind, self.n_cg - cg)
            if self.stalled:
                break
        return state

    def _tau(self, error: float) -> float:
        # The dropped mass then is of the order of the error to come: superlinear convergence.
        return float(np.clip(max(2e-4 * error, 0.01 * self.goal), 1e-14, 1e-3))

    def _forcing(self, error: float) -> float:
        """Return the tolerance of the linear solver: superlinear, no more than `goal` asks for."""
        return min(0.1, max(error ** (2 / 3), 0.05 * self.goal / error))

    def _sinkhorn(self, dual: SemiDual, state: State) -> State:
        self.n_sinkhorn += 1
        g = dual.sinkhorn_step(state)
        # Column sums must not be cut off while they can be far from b.
        return dual.state(g, state.eps, state.f, tau=self._tau(state.error))

    def _newton_step(self, dual: SemiDual, state: State, rtol: float) -> State | None:
        """Return the state after a damped step, or None if no step length was any good."""
        b = dual.b
        self.n_newton += 1
        indptr, columns, values, gram = state.entries
        shift = min(self.damping * min(state.error, 1.0), 1.0)
        c = state.c
        gram, sums = gram[: len(c)], gram[len(c) :]
        # The kept entries are right to single precision, so what is dropped is known to that.
        diagonal = sums + np.maximum(c - sums - 1e-6 * c, 0.0) + shift * c
        # Where a column has far too little mass the step would be (b - c) / c, exponentially too
        # long: the logarithmic mean of b and c makes it log(b / c), as Sinkhorn has it.
        poor = c < 0.3 * b
        if poor.any():
            low = np.maximum(c[poor], 1e-300)
            mean = (b[poor] - low) / np.log(b[poor] / low)
            diagonal[poor] = np.maximum(diagonal[poor], diagonal[poor] - c[poor] + mean)
        diagonal += 1e-300
        jacobi = np.maximum(diagonal - gram, 1e-8 * diagonal)
        gradient = b - state.c
        gradient = gradient - gradient.sum() * b
        direction = np.empty_like(b)
        self.n_cg += _kernels.conjugate_gradients(
            indptr,
            columns,
            values,
            dual.a,
            diagonal,
            1.0 / jacobi,
            gradient,
            direction,
            rtol,
            2000,
            dual.threads,
        )
        direction *= state.eps
        direction -= (b * direction).sum()
        # Mass between nearly separate parts of the plan depends exponentially on their difference
        # in potential, so the model overshoots there, and only there: a trust region, but in the
        # maximum norm and by clipping, so that the other components keep their Newton step.
        reach = self.reach * state.eps
        clipped = bool(np.abs(direction).max() > reach)
        if clipped:
            np.clip(direction, -reach, reach, out=direction)
        slope = float((gradient * direction).sum())
        if not (np.isfinite(direction).all() and slope > 0):
            self.damping = 10 * self.damping
            return None
        length = 1.0
        safe = state.error > 0.5 or bool((c < _POOR * b).any())
        tau = self._tau(state.error)
        # What is skipped stays well below the violation of a step that converges quadratically.
        small = 1e-4 * state.error**2 / len(b)
        cut = -1000.0 if safe else max(_CUT, float(np.log(max(small, 1e-300))))
        for _ in range(6):
            g = state.g + length * direction
            new = dual.state(g, state.eps, state.f, tau=tau, cut=cut)
            # Near the end differences of the objective drown in rounding; the error does not.
            gain = new.value - state.value
            better = new.error <= 0.9 * state.error
            if np.isfinite(new.error) and (
                (gain >= 1e-4 * length * slope and new.error < 1.0) or better
            ):
                if not safe and bool((new.c < _POOR * b).any()):
                    # Skipped entries matter to columns that have almost nothing else.
                    new = dual.state(g, state.eps, new.f, tau=tau)
                # A quadratic model predicts length (1 - length / 2) slope.
                if length < 1.0 or (gain < 0.1 * slope and not better):
                    self.damping = max(4 * self.damping, 1e-3)
                    self.reach = max(0.25 * self.reach, _REACH)
                else:
                    if better:
                        self.damping = max(0.1 * self.damping, _DAMPING)
                    if clipped and (better or gain >= 0.5 * slope):
                        self.reach = min(2.0 * self.reach, 1e6)
                return new
            length *= 0.5 if length > 0.3 else 0.25
        self.damping = 10 * self.damping
        self.reach = max(0.25 * self.reach, 1.0)
        return None
