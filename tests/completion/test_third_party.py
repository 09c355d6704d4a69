"""A solver that somebody else brings: many entries without noise need no path of penalties."""

import numpy as np
import pytest

from skrand import LowRankCompleter
from skrand.base import Solver
from skrand.completion import MatrixCompletion
from skrand.completion.alternation import CONJUGATE, EXACT, finish, reachable, start
from skrand.completion.problem import stationarity
from skrand.completion.solvers import AlternatingMinimisation
from skrand.completion.solvers.am import Sweeps
from skrand.linalg.threads import effective_n_jobs
from tests.completion.matrices import dense, low_rank, rmse


class DirectFirst(Solver):
    """Extrapolated sweeps from the spectral start; where they find no fit, solver "am"."""

    task = "matrix-completion"
    name = "direct-first"

    def __init__(self, *, tol=1e-9, max_iter=2000, direct=40, n_jobs=None):
        self.tol = tol
        self.max_iter = max_iter
        self.direct = direct
        self.n_jobs = n_jobs

    def supports(self, problem):
        """Refuse what "am" refuses."""
        return AlternatingMinimisation().supports(problem)

    def _solve(self, problem, rng, monitor):
        tol, direct = reachable(self.tol, problem), min(self.direct, self.max_iter)
        seed = int(rng.integers(2**31))
        if problem.alpha == 0 and problem.oversampling >= 4:
            state, _ = start(problem, np.random.default_rng(seed), effective_n_jobs(self.n_jobs))
            mode = EXACT if problem.rank <= 16 else CONJUGATE
            sweeps = Sweeps(state, monitor, direct, mode)
            sweeps.polish(0.0, 0.5 * tol, 0.1, 20)
            solution = finish(problem, state, tol, sweeps.count, message=sweeps.advice())
            fits = sweeps.misfit <= 1e-6 * problem.square
            if sweeps.stopped or direct == self.max_iter or (solution.converged and fits):
                return solution
        rest = AlternatingMinimisation(tol=self.tol, max_iter=self.max_iter, n_jobs=self.n_jobs)
        return rest.solve(problem, rng=seed, callback=monitor)


@pytest.mark.parametrize(("rank", "condition"), [(5, 1), (5, 10), (20, 3)])
def test_fewer_sweeps_to_the_same_matrix(rank, condition):
    M, X = low_rank(300, 350, rank, 5.0, condition=condition)
    problem = MatrixCompletion(X=X, rank=rank)
    ours, theirs = (s.solve(problem, rng=0) for s in (AlternatingMinimisation(), DirectFirst()))
    assert theirs.converged
    assert rmse(theirs.x.dense(), M) <= 1e-8
    assert stationarity(problem, theirs.x) <= 1e-9
    assert theirs.n_iter < 0.7 * ours.n_iter


def test_few_entries_are_left_to_am():
    M, X = low_rank(200, 150, 3, 1.5)
    assert rmse(DirectFirst().solve(MatrixCompletion(X=X, rank=3), rng=0).x.dense(), M) <= 1e-6


def test_an_estimator_takes_it():
    M, X = low_rank(200, 150, 3, 6.0)
    model = LowRankCompleter(rank=3, biases="none", solver=DirectFirst(), random_state=0)
    filled = model.fit_transform(dense(X))
    assert rmse(filled, M) <= 1e-8
    assert model.solver_ == "direct-first"
