"""Problems large enough to begin on a sample, and to show what memory a fit takes."""

import json
import subprocess
import sys

import numpy as np
import pytest

from skrand.transport import EntropicTransport
from skrand.transport.solvers import AnnealedNewton
from skrand.transport.solvers.auto import COARSE


@pytest.mark.parametrize("lazy", [True, False])
def test_beginning_on_a_sample_changes_nothing_but_the_work(lazy, monkeypatch):
    rng = np.random.default_rng(0)
    n, m = COARSE + 10, COARSE + 100
    X, Y = rng.uniform(size=(n, 2)), rng.uniform(size=(m, 2))
    C = ((X[:, None] - Y) ** 2).sum(axis=2)
    a, b = rng.uniform(0, 1, n), rng.uniform(0, 1, m)
    a[5], b[7] = 0.0, 0.0
    problem = EntropicTransport(
        C=None if lazy else C, X=X, Y=Y, a=a / a.sum(), b=b / b.sum(), reg=0.01
    )
    begun = AnnealedNewton(n_jobs=1).solve(problem)
    two = AnnealedNewton(n_jobs=2).solve(problem)
    monkeypatch.setattr("skrand.transport.solvers.auto.COARSE", n * m)
    whole = AnnealedNewton(n_jobs=1).solve(problem)
    assert begun.oracles["sample_passes"] > 0
    assert "sample_passes" not in whole.oracles
    assert begun.oracles["passes"] < whole.oracles["passes"]
    assert begun.extra["value"] == pytest.approx(whole.extra["value"], rel=1e-9)
    P = problem.plan(*begun.x)
    assert np.abs(P.sum(axis=1) - problem.a).sum() < 1e-12
    assert np.abs(P.sum(axis=0) - problem.b).sum() <= 1e-9
    assert np.array_equal(begun.x[0], two.x[0])
    assert np.array_equal(begun.x[1], two.x[1])


@pytest.mark.parametrize("max_iter", [1, 3])
def test_stopping_early_on_the_sample_is_reported(max_iter):
    rng = np.random.default_rng(1)
    X, share = rng.uniform(size=(COARSE, 2)), np.full(COARSE, 1 / COARSE)
    problem = EntropicTransport(X=X, Y=X[::-1] + 0.5, a=share, b=share, reg=1e-3)
    solution = AnnealedNewton(max_iter=max_iter, n_jobs=1).solve(problem)
    assert not solution.converged
    assert solution.n_iter == max_iter
    assert len(solution.x[0]) == COARSE
    assert np.isfinite(solution.x[0]).all()


CODE = """
import json, sys
import numpy as np
from skrand.transport import EntropicTransport
from skrand.transport.solvers import AnnealedNewton

def peak():
    # Not getrusage: its maximum goes back to before exec, to the memory of the parent.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))

n = int(sys.argv[1])
X, Y = np.random.default_rng(0).uniform(size=(2, n, 3))
share = np.full(n, 1 / n)
high = ((X.max(axis=0) - Y.min(axis=0)) ** 2).sum()
problem = EntropicTransport(X=X, Y=Y, a=share, b=share, reg=1e-2 * high)
before = peak()
s = AnnealedNewton(tol=1e-6, n_jobs=1).solve(problem)
print(json.dumps([s.converged, s.residual, before, peak()]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_without_stored_costs():
    n = 5000
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(n)], capture_output=True, text=True, check=True
    )
    converged, residual, before, after = json.loads(done.stdout)
    assert converged
    assert residual <= 1e-6
    # Costs of this size take 191 MiB; what the fit adds to the interpreter's own is about as much,
    # and bounded by 2**24 kept entries whatever the size.
    assert after - before < 400
    assert after < 600
