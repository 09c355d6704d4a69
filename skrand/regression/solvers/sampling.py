"""Exact least absolute deviations from small problems: a sample of the rows, then the undecided."""

from __future__ import annotations

import numpy as np

from skrand._ext.lp import Rows
from skrand._validation import check_integer, check_n_jobs, check_real
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
from skrand.regression.lp_problem import LpRegression
from skrand.regression.solvers.ipm import (
    GAP,
    certify,
    interior_point,
    shortfall,
)

__all__ = ["Sampling", "fit_sample", "undecided_band"]

# Half-width of the band of undecided rows, in standard deviations of the sample's error.
_DEVIATIONS = 3.0

# Iterations of the interior-point method on a small problem.
_INNER = 100


class Sampling(Solver):
    """Fit a sample, fix the signs that are beyond doubt, solve for the rest, verify: for p = 1.

    Rows are drawn by the roots of their leverage scores, estimated from a sketch, so that a column
    that only a few rows fill is not lost. The fit of the sample leaves a band of rows whose
    residual may have either sign. All others enter the problem through one linear term, so the
    problem that remains is small, and exact if the fixed signs are right. A pass over all rows
    verifies that; rows whose sign was wrong are put back, and their number is a handful. What is
    reported is the duality gap of the whole problem, computed in that pass: the signs and the dual
    of the small problem are a dual point of the whole.

    Cost: five passes over the data, of ``20 n d`` flops in all, and two interior-point solves
    with about ``2 n^(2/3) d^(1/3)`` rows; ``9 n`` numbers of memory. Sparse data are read block by
    block, at the cost of dense ones.

    Parameters
    ----------
    tol : float, default=None
        Relative duality gap to reach; None is 1e-8.
    max_iter : int, default=100
        Most rounds of solving and verifying; two are many.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    S. Portnoy and R. Koenker, "The Gaussian hare and the Laplacian tortoise: computability of
    squared-error versus absolute-error estimators", Statistical Science 12, 1997,
    doi:10.1214/ss/1030037960, section 5. They draw rows uniformly.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.regression import LpRegression
    >>> from skrand.regression.solvers import Sampling
    >>> b = np.arange(10_001.0)[:, None]
    >>> problem = LpRegression(A=np.ones((10_001, 1)), b=b, p=1.0)
    >>> Sampling().solve(problem, rng=0).x.round(3)
    array([[5000.]])
    """

    task = "lp-regression"
    name = "sampling"

    def __init__(
        self, *, tol: float | None = None, max_iter: int = 100, n_jobs: int | None = None
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def supports(self, problem: LpRegression) -> str | None:
        """Refuse a loss other than p = 1, and data that are too wide."""
        if problem.p != 1:
            return f"it is for p=1, and here p={problem.p:g}"
        return too_wide(problem)

    def cost(self, problem: LpRegression) -> float | None:
        """Estimate flops: five passes, two small interior-point solves, and what they call."""
        n, _, k = problem.shape
        d = problem.unknowns
        small = 30.0 * min(n, _sample_size(n * d, d)) * (d * d + 60 * d + 400)
        return 3e7 + k * (100.0 * n * (d + 10) + small) + d**3 if problem.p == 1 else None

    def _solve(self, problem: LpRegression, rng: np.random.Generator, monitor: Monitor) -> Solution:
        tol = check_real(self, "tol", self.tol, 0, closed="neither", options=(None,))
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        with single_threaded_blas():
            design = Design(problem, int(rng.integers(1 << 63)), threads)
            columns = nothing_to_fit(design) or [
                _solve_target(design, j, GAP if tol is None else tol, max_iter, rng, monitor)
                for j in range(problem.shape[2])
            ]
        return collect(design, columns)


def _sample_size(total: float, d: int) -> float:
    """Return how many rows to draw so that about as many stay undecided; see `_solve_target`.

    `total` is the square of the sum of the norms, at most n times the rank.
    """
    return max(20.0 * d, (_DEVIATIONS * total) ** (2 / 3) * d ** (-1 / 3))


def _solve_target(
    design: Design,
    j: int,
    tol: float,
    max_iter: int,
    rng: np.random.Generator,
    monitor: Monitor,
) -> Solution:
    """Fit one target."""
    rows, threads, problem = design.rows, design.threads, design.problem
    c, shift = design.target(j)
    start, band, factor = _fit_sample(design, c, rng)
    r, z = np.empty(rows.n), np.empty(rows.n)
    problem.oracles["passes"] += 1
    objective, linear = rows.split(c, start, band, factor, r, z, threads)
    inside = np.flatnonzero(z == 0)
    y = best = start
    gap = 0.0 if is_rounding(r, c, design.used) else np.inf
    n_iter, stopped = 0, False
    while gap > tol and n_iter < max_iter and not stopped:
        n_iter += 1
        size = np.abs(r[inside])
        whole = len(inside) == rows.n
        # At first the signs of the others have yet to be balanced; later little is left to do.
        mu = (3.0 if n_iter == 1 else 0.1) * float(size.mean())
        path = interior_point(
            Rows.ready(rows.take(inside)),
            c[inside],
            y,
            max(mu, np.finfo(np.float64).tiny),
            used=design.used,
            tol=0.1 * tol,
            max_iter=_INNER,
            threads=threads,
            linear=linear,
            constant=max(objective - float(size.sum()), 0.0),
        )
        if path.converged or whole:
            y, z[inside] = path.y, path.z
            value, found = certify(design, c, y, z, tol, r)
            if found < gap:
                best, objective, gap = y, value, found
            wrong = z * r < 0
            wrong[inside] = False
            again = np.flatnonzero(wrong)
            if gap > tol and not len(again):
                # Nothing was fixed wrongly: the rows that are left deserve all the digits.
                again = np.flatnonzero(np.abs(z) == 1)
            linear = linear - rows.take(again).T @ z[again]
            inside = np.union1d(inside, again)
        else:
            # With a wrong sign the problem that is left need not have a minimum.
            factor = 4 * factor if factor > 0 else np.inf
            problem.oracles["passes"] += 1
            objective, linear = rows.split(c, start, band, factor, r, z, threads)
            inside = np.flatnonzero(z == 0)
            y = start

        def current(y: np.ndarray = best) -> np.ndarray:
            return design.coefficients(y, shift)[:, None]

        stopped = monitor({"iteration": n_iter, "residual": gap, "target": j, "x": current})
        if whole:
            break
    converged = gap <= tol
    return Solution(
        x=design.coefficients(best, shift),
        converged=converged,
        n_iter=n_iter,
        residual=gap,
        message="" if converged else shortfall(gap, tol, n_iter == max_iter),
        extra={"objective": objective},
    )


def _fit_sample(
    design: Design, c: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, float]:
    """Fit a sample of the rows; return the fit, and the band of undecided rows around it."""
    d = max(design.used, 1)
    norms = design.row_norms
    m = _sample_size(float(norms.sum()) ** 2, d)
    chosen, probability = draw(norms, m, rng)
    y, size = fit_sample(design, c, chosen, probability, 0.02 * d / m)
    return y, *undecided_band(norms, chosen, probability, size, d)


def fit_sample(
    design: Design, c: np.ndarray, chosen: np.ndarray, probability: np.ndarray, tol: float
) -> tuple[np.ndarray, np.ndarray]:
    """Fit rows that were drawn with these probabilities; return the fit and their |residuals|."""
    weights = 1.0 / probability
    sample = Rows.ready(design.rows.take(chosen) * weights[:, None])
    target = c[chosen] * weights
    gram, right = sample.moments(None, target, design.threads)
    y = design.embed(solve_definite(design.restrict(gram), right[: design.used]))
    size = np.abs(target - sample.product(y, design.threads))
    if is_rounding(size, target, design.used):
        return y, size * probability
    y = interior_point(
        sample,
        target,
        y,
        float(size.mean()),
        used=design.used,
        tol=tol,
        max_iter=_INNER,
        threads=design.threads,
    ).y
    return y, np.abs(target - sample.product(y, design.threads)) * probability


def undecided_band(
    norms: np.ndarray,
    chosen: np.ndarray,
    probability: np.ndarray,
    size: np.ndarray,
    d: int,
    deviations: float = _DEVIATIONS,
) -> tuple[np.ndarray, float]:
    """Return the band around the fit of a sample in which the sign of a residual is open.

    In coordinates that make the columns orthonormal the gradient of the sample has in each
    direction a standard deviation s of ``(sum norms^2 / probability / d)^(1/2)``, and the error of
    its fit that over twice the density of the residuals at 0. The residual of a row is off by that
    times its norm. So a band of k deviations holds about ``k s |norms|_1`` rows, whatever the
    density is: it is set so wide that the rows of the sample, weighted, make up that number.

    Parameters
    ----------
    norms : ndarray of shape (n,)
        Roots of the leverage scores.
    chosen, probability : ndarray of shape (m,)
        The sample.
    size : ndarray of shape (m,)
        Absolute residuals of its rows.
    d : int
        Number of columns.
    deviations : float
        Its half-width, in standard deviations of the error.

    Returns
    -------
    band : ndarray of shape (n,)
        Relative half-widths.
    factor : float
        What they are multiplied by.
    """
    own = norms[chosen]
    deviation = np.sqrt(np.sum((own / probability) ** 2) / d)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.nan_to_num(size / own, nan=0.0, posinf=np.inf)
    order = np.argsort(ratio)
    count = np.cumsum(1.0 / probability[order])
    place = int(np.searchsorted(count, deviations * float(norms.sum()) * deviation))
    # Rows that were certain to be drawn are kept, so that what is left has full rank; rows of
    # zeros never are.
    band = norms.copy()
    band[chosen[probability == 1.0]] = np.inf
    band[norms == 0] = -1.0
    return band, float(ratio[order[min(place, len(order) - 1)]])
