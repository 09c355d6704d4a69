"""Settings of the whole test suite."""

import os
import sys
from pathlib import Path

import pytest

# With a worker on every core, threads of their own would only wait for each other. Tests of threads
# ask for a number of them.
if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to test kernels that were built from other sources than those in the tree."""
    sys.path.append(str(ROOT))
    try:
        from cython_ext import stale_kernels
    finally:
        sys.path.remove(str(ROOT))
    import skrand

    # In a source tree without kernels this raises the explanation.
    import skrand._ext

    stale = stale_kernels(Path(skrand.__file__).parent / "_ext")
    if stale:
        names = ", ".join(stale)
        raise pytest.UsageError(f"kernels are stale: run python -m cython_ext ({names})")


@pytest.fixture(scope="module")
def client():
    """Return a client of a cluster of two processes."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client
