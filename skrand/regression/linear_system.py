"""The task ``linear-system``: equations that hold exactly, and the solution nearest to a start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from skrand.base import Instance, Problem, Solution, Task

__all__ = ["LinearSystem", "LinearSystemTask"]

_UNIT = np.finfo(np.float64).eps / 2


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearSystem(Problem):
    """Find the solution of ``A x = b`` that is nearest to a starting point.

    There may be fewer equations than unknowns, or more as long as they agree.

    Parameters
    ----------
    A : ndarray or CSR matrix of shape (n, d)
        float32 or float64, C or Fortran order, all finite.
    b : ndarray of shape (n, k)
        One column a right-hand side.
    start : ndarray of shape (d, k), optional
        Where the distance is measured from; zeros if None, for the solution of least norm.
    """

    task = "linear-system"

    A: Any
    b: np.ndarray
    start: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of equations, unknowns and right-hand sides."""
        return (*self.A.shape, self.b.shape[1])

    @property
    def issparse(self) -> bool:
        """Whether `A` is sparse."""
        return sp.issparse(self.A)

    def initial(self) -> np.ndarray:
        """Return a float64 copy of the start, (d, k)."""
        if self.start is None:
            return np.zeros(self.shape[1:])
        return np.array(self.start, dtype=np.float64)

    def residual(self, x: np.ndarray) -> np.ndarray:
        """Return ``b - A x``, (n, k) float64."""
        self.oracles["passes"] += 1
        return self.b - self.A @ x

    def relative_residual(self, residual: np.ndarray) -> float:
        """Return the norm of a residual relative to that of b; the worst right-hand side counts."""
        norms, sizes = np.linalg.norm(residual, axis=0), np.linalg.norm(self.b, axis=0)
        return float(np.max(norms / np.where(sizes > 0, sizes, 1.0), initial=0.0))


class LinearSystemTask(Task):
    """Consistent linear systems of any shape; of many solutions the nearest to a start."""

    name = "linear-system"
    problem = LinearSystem

    _SIZES = {"tiny": 24, "small": 300, "medium": 1000, "large": 3000}

    def instances(self, size: str = "tiny", seed: int = 0) -> Iterator[Instance]:
        """Yield wide, tall, started, several-target, float32 and sparse systems."""
        d = self._SIZES[size]
        rng = np.random.default_rng(seed)
        wide = rng.standard_normal((d // 2, d))
        x = rng.standard_normal((d, 1))
        yield Instance("wide", LinearSystem(A=wide, b=wide @ x))
        yield Instance("started", LinearSystem(A=wide, b=wide @ x, start=x + 1.0))
        tall = rng.standard_normal((4 * d, d))
        yield Instance("tall", LinearSystem(A=tall, b=tall @ x))
        repeated = LinearSystem(A=np.vstack([wide, wide]), b=np.vstack([wide @ x] * 2))
        yield Instance("repeated", repeated)
        many = rng.standard_normal((d, 3))
        several = LinearSystem(A=wide, b=wide @ many)
        yield Instance("several-targets", several, frozenset({"multi-output"}))
        single = wide.astype(np.float32)
        yield Instance(
            "float32",
            LinearSystem(A=single, b=single.astype(np.float64) @ x),
            frozenset({"float32"}),
        )
        sparse = sp.random_array((d // 2, d), density=0.1, format="csr", rng=rng)
        sparse = sp.csr_array(sparse + sp.eye_array(d // 2, d))
        yield Instance("sparse", LinearSystem(A=sparse, b=sparse @ x), frozenset({"sparse"}))

    def reference(self, problem: LinearSystem) -> Solution:
        """Correct the start by the singular value decomposition of the whole matrix."""
        A, x = _dense(problem), problem.initial()
        cut = max(A.shape) * 2 * _UNIT
        x += scipy.linalg.lstsq(A, problem.b - A @ x, cond=cut, lapack_driver="gelsd")[0]
        return Solution(x=x, converged=True, solver="gelsd")

    def measure(
        self, problem: LinearSystem, solution: Solution, reference: Solution
    ) -> dict[str, float]:
        """Measure the residual relative to b, and the distance from the reference."""
        size = max(np.linalg.norm(reference.x), np.finfo(float).tiny)
        return {
            "relative_residual": problem.relative_residual(problem.residual(solution.x)),
            "distance": float(np.linalg.norm(solution.x - reference.x) / size),
        }

    def objection(
        self, problem: LinearSystem, solution: Solution, reference: Solution
    ) -> str | None:
        """Hold the distance from the reference against what the residual explains."""
        singular = scipy.linalg.svdvals(_dense(problem))
        least = singular[singular > singular[0] * max(problem.shape[:2]) * 2 * _UNIT][-1]
        residual = np.linalg.norm(problem.residual(solution.x))
        rounding = 100 * _UNIT * singular[0] / least * np.linalg.norm(reference.x)
        allowed = 1.01 * residual / least + rounding
        error = np.linalg.norm(solution.x - reference.x)
        if error <= allowed:
            return None
        return f"x is {error / allowed:.2g} times what its residual explains away from the nearest"

    def peers(self) -> dict[str, Callable[[LinearSystem], np.ndarray]]:
        """SciPy's lstsq and lsqr."""
        return {"scipy-lstsq": _lstsq, "scipy-lsqr": _lsqr}


def _dense(problem: LinearSystem) -> np.ndarray:
    A = problem.A.toarray() if problem.issparse else problem.A
    return A.astype(np.float64)


def _lstsq(problem: LinearSystem) -> np.ndarray:
    x = problem.initial()
    return x + scipy.linalg.lstsq(_dense(problem), problem.residual(x))[0]


def _lsqr(problem: LinearSystem) -> np.ndarray:
    x = problem.initial()
    for column, right in zip(x.T, problem.residual(x).T, strict=True):
        column += sp.linalg.lsqr(problem.A, right, atol=1e-12, btol=1e-12)[0]
    return x
