"""Regression in the p-norm on a weighted sample of the rows, certified on all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from skrand._ext.lp import Rows
from skrand._validation import check_integer, check_n_jobs, check_option, fail_parameter
from skrand.base import Monitor, Solution, Solver
from skrand.linalg.threads import effective_n_jobs, single_threaded_blas
from skrand.regression.design import (
    Design,
    collect,
    draw,
    is_rounding,
    nothing_to_fit,
    solve_definite,
    too_wide,
)
from skrand.regression.guarantee import check_guarantee
from skrand.regression.lp_problem import LpRegression
from skrand.regression.solvers.ipm import certify, interior_point
from skrand.regression.solvers.newton import minimize_power, power_gap
from skrand.regression.solvers.sampling import fit_sample, undecided_band

__all__ = ["Coreset"]

KINDS = ("auto", "augmented", "leverage", "lewis", "root-leverage", "sensitivity", "uniform")

#: Relative excess of the objective where none is asked for.
_EPSILON = 0.01

# The measured excess is about d / m for m rows drawn by these scores; see the claim.
_ROWS = 2.0

# By this the sample grows until the answer is certified.
_GROWTH = 4

# Half-width of the band of rows whose dual variable the certificate determines, in standard
# deviations of the sample's error. A wrong sign outside costs tightness only.
_DEVIATIONS = 2.0


class Coreset(Solver):
    """Solve a weighted sample of the rows, and grow it until a bound on all rows certifies it.

    Rows are drawn independently, with probability proportional to a score of how much the loss
    can depend on them, and weighted by one over it. Whatever the scores, the answer is checked: a
    dual point of the whole problem bounds the optimum, and while the objective may be more than
    ``1 + epsilon`` times that, the sample is made four times as large.

    Cost: two passes for the scores, two for each certificate, and the solution of a problem with
    ``2 d / epsilon`` rows. For p = 1 the certificate takes an interior-point solve with the rows
    whose sign the sample leaves open, otherwise one step of Newton's method.

    Parameters
    ----------
    sketch : {"auto", "augmented", "leverage", "lewis", "root-leverage", "sensitivity", \
            "uniform"}, default="auto"
        The scores; see :func:`skrand.regression.row_scores`. "auto" is "root-leverage" for p up to
        2 and "leverage" above, plus the share of each row in the loss of a least-squares fit. All
        are computed from a sketch.
    sketch_size : int or float, default=None
        Expected number of rows to begin with; a float above 1 is a multiple of the number of
        columns. None follows from `epsilon`.
    guarantee : {"residual"}, default=None
        "residual", or None for the same: the objective is at most ``1 + epsilon`` times its
        minimum.
    epsilon : float, default=None
        Accuracy of the guarantee; None is 0.01.
    delta : float, default=0.01
        Not used: the guarantee is certified, it does not fail with some probability.
    max_iter : int, default=100
        Most samples. It ends, too, when the sample is all rows.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    D. P. Woodruff and T. Yasuda, "Sharper Bounds for l_p Sensitivity Sampling", ICML 2023,
    arXiv:2306.00732.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.regression import LpRegression
    >>> from skrand.regression.solvers import Coreset
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((20_000, 3))
    >>> b = A.sum(axis=1, keepdims=True) + rng.standard_normal((20_000, 1))
    >>> solution = Coreset(guarantee="residual", epsilon=0.05).solve(
    ...     LpRegression(A=A, b=b, p=1.0), rng=0
    ... )
    >>> bool(solution.residual <= 0.05), len(solution.extra["sample_indices"]) < 1000
    (True, True)
    """

    task = "lp-regression"
    name = "coreset"

    def __init__(
        self,
        *,
        sketch: str = "auto",
        sketch_size: float | None = None,
        guarantee: str | None = None,
        epsilon: float | None = None,
        delta: float = 0.01,
        max_iter: int = 100,
        n_jobs: int | None = None,
    ) -> None:
        self.sketch = sketch
        self.sketch_size = sketch_size
        self.guarantee = guarantee
        self.epsilon = epsilon
        self.delta = delta
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def supports(self, problem: LpRegression) -> str | None:
        """Refuse an exact answer, and data that are too wide."""
        if self.guarantee == "exact":
            return "it approximates, and guarantee='exact' asks for an answer that does not"
        return too_wide(problem)

    def cost(self, problem: LpRegression) -> float | None:
        """Estimate flops, if a guarantee is asked for; without one "auto" does not approximate."""
        if self.guarantee != "residual":
            return None
        n, _, k = problem.shape
        d = problem.unknowns
        rows = min(n, _ROWS * d / (_EPSILON if self.epsilon is None else self.epsilon))
        if problem.p == 1:
            # And those that the certificate takes.
            rows += min(n, 3.0 * n * np.sqrt(d / rows))
        hessians = 0.0 if problem.p == 1 else 2.0 * n * (d * d + 60 * d + 400)
        small = 15.0 * rows * (d * d + 60 * d + 400)
        return 100.0 * n * (d + 10) + k * (hessians + small) + d**3

    def _solve(self, problem: LpRegression, rng: np.random.Generator, monitor: Monitor) -> Solution:
        check_guarantee(self)
        check_option(self, "sketch", self.sketch, KINDS)
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        epsilon = _EPSILON if self.epsilon is None else float(self.epsilon)
        n, _, k = problem.shape
        with single_threaded_blas():
            design = Design(problem, int(rng.integers(1 << 63)), threads)
            nothing = nothing_to_fit(design)
            if nothing:
                return collect(design, nothing)
            targets = [design.target(j) for j in range(k)]
            scores = self._scores(design, [c for c, _ in targets])
            m = self._size(design.used, epsilon)
            for n_iter in range(1, max_iter + 1):
                chosen, probability = draw(scores, m, rng)
                answers = [
                    _solve_target(design, c, shift, chosen, probability, epsilon)
                    for c, shift in targets
                ]
                gap = max(answer.residual for answer in answers)
                x = np.column_stack([answer.x for answer in answers])
                stop = monitor({"iteration": n_iter, "residual": gap, "x": lambda x=x: x})
                if gap <= epsilon or len(chosen) == n or stop:
                    break
                m = _GROWTH * max(m, len(chosen))
        answer = collect(
            design,
            answers,
            sample_indices=chosen,
            sample_weights=1.0 / probability,
            sketch_size=len(chosen),
        )
        return replace(answer, n_iter=n_iter)

    def _size(self, d: int, epsilon: float) -> int:
        """Return the size of the first sample."""
        size = self.sketch_size
        if size is None:
            return max(int(np.ceil(_ROWS * d / epsilon)), 8 * d + 16)
        whole = isinstance(size, (int, np.integer)) and not isinstance(size, bool)
        multiple = isinstance(size, (float, np.floating)) and 1 < size < np.inf
        if not (whole or multiple):
            allowed = "None, an int in the range [1, inf) or a float in the range (1, inf)"
            fail_parameter(self, "sketch_size", allowed, size)
        rows = int(size) if whole else int(np.ceil(size * d))
        if rows < d + 1:
            allowed = f"at least {d + 1}, the number of columns plus one"
            fail_parameter(self, "sketch_size", allowed, size)
        return rows

    def _scores(self, design: Design, targets: list[np.ndarray]) -> np.ndarray:
        """Return the scores of the rows."""
        p = design.problem.p
        kind = self.sketch
        if kind == "auto":
            kind = "root-leverage" if p <= 2 else "leverage"
        if kind == "uniform":
            return np.ones(design.rows.n)
        if kind in ("leverage", "root-leverage"):
            scores = design.row_norms ** (2.0 if kind == "leverage" else p)
        else:
            scores = design.lewis_weights(p)
        if kind in ("sensitivity", "augmented"):
            scores = np.minimum(1.0, design.used ** max(0.0, p / 2 - 1) * scores)
        if kind == "augmented":
            scores = scores + design.row_norms**2
        if self.sketch == "auto" and p > 2:
            # The target is a direction, too, and above p = 2 a few of its entries may decide.
            for c in targets:
                loss = np.abs(c - design.rows.product(design.least_squares(c), design.threads))
                loss = (loss / (loss.max() or 1.0)) ** p
                scores = scores + design.used * loss / (loss.sum() or 1.0)
        return scores


def _solve_target(
    design: Design,
    c: np.ndarray,
    shift: float,
    chosen: np.ndarray,
    probability: np.ndarray,
    epsilon: float,
) -> Solution:
    """Solve the sample for one target, and bound the excess of its objective on all rows."""
    solve = _least_absolute if design.problem.p == 1 else _least_power
    y, objective, gap = solve(design, c, chosen, probability, epsilon)
    asked = f"The relative duality gap is {gap:.1e} where epsilon={epsilon:g} was asked for."
    return Solution(
        x=design.coefficients(y, shift),
        converged=gap <= epsilon,
        residual=gap,
        message="" if gap <= epsilon else asked,
        extra={"objective": objective},
    )


def _least_absolute(
    design: Design,
    c: np.ndarray,
    chosen: np.ndarray,
    probability: np.ndarray,
    epsilon: float,
) -> tuple[np.ndarray, float, float]:
    """Solve the sample for p = 1; return the answer, its objective and the gap."""
    rows, threads = design.rows, design.threads
    y, size = fit_sample(design, c, chosen, probability, 0.05 * epsilon)
    band, factor = undecided_band(
        design.row_norms, chosen, probability, size, design.used, _DEVIATIONS
    )
    r, z = np.empty(rows.n), np.empty(rows.n)
    design.problem.oracles["passes"] += 1
    objective, linear = rows.split(c, y, band, factor, r, z, threads)
    if is_rounding(r, c, design.used):
        return y, objective, 0.0
    # The signs outside the band, and the dual of the rows inside, are a dual point of all rows.
    inside = np.flatnonzero(z == 0)
    size = np.abs(r[inside])
    path = interior_point(
        Rows.ready(rows.take(inside)),
        c[inside],
        y,
        max(3.0 * float(size.mean()), np.finfo(np.float64).tiny),
        used=design.used,
        tol=0.1 * epsilon,
        max_iter=100,
        threads=threads,
        linear=linear,
        constant=max(objective - float(size.sum()), 0.0),
    )
    if not path.converged:
        return y, objective, np.inf
    z[inside] = path.z
    return y, *certify(design, c, y, z, epsilon, r)


def _least_power(
    design: Design,
    c: np.ndarray,
    chosen: np.ndarray,
    probability: np.ndarray,
    epsilon: float,
) -> tuple[np.ndarray, float, float]:
    """Solve the sample for p > 1; return the answer, its objective and the gap."""
    p, threads = design.problem.p, design.threads
    weights = probability ** (-1.0 / p)
    sample = Rows.ready(design.rows.take(chosen) * weights[:, None])
    target = c[chosen] * weights
    gram, right = sample.moments(None, target, threads)
    y = minimize_power(
        sample,
        target,
        design.embed(solve_definite(design.restrict(gram), right[: design.used])),
        p,
        used=design.used,
        gram=gram,
        slack=lambda infeasible, size: 0.0,
        tol=0.05 * epsilon,
        max_iter=100,
        threads=threads,
    ).y
    design.problem.oracles["passes"] += 3
    return y, *power_gap(design, c, y)
