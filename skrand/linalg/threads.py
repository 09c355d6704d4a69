"""Threads that change the speed of a computation and never its result.

BLAS may add in another order when it has more threads. So work is cut into pieces whose number
does not depend on the thread count, every piece runs on single-threaded BLAS, and the pieces are
combined in their own order.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["effective_n_jobs", "ordered_map", "single_threaded_blas"]


_forked = False


def _note_fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


@cache
def _controller() -> ThreadpoolController:
    # Finding the loaded libraries takes milliseconds, limiting them microseconds.
    import scipy.linalg.blas  # noqa: F401  (its BLAS must be loaded to be found)

    return ThreadpoolController()


class _Limit:
    """The limit in force, shared by the threads that are under it: it is the process's own."""

    lock = Lock()
    holders = 0
    limiter: Any = None


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Run the body on one BLAS thread; the last of concurrent bodies to end lifts the limit."""
    with _Limit.lock:
        if _Limit.holders == 0:
            _Limit.limiter = _controller().limit(limits=1, user_api="blas")
        _Limit.holders += 1
    try:
        yield
    finally:
        with _Limit.lock:
            _Limit.holders -= 1
            if _Limit.holders == 0:
                _Limit.limiter.restore_original_limits()


def effective_n_jobs(n_jobs: int | None) -> int:
    """Return the number of threads to use; None means what OpenMP would use.

    That respects ``OMP_NUM_THREADS``, and so the share that joblib gives each of its workers. In a
    process that was forked it is 1: GNU's OpenMP waits there for threads that only its parent has.
    """
    if _forked:
        return 1
    if n_jobs is not None:
        return n_jobs
    from skrand._ext.threads import max_threads

    return max_threads()


def ordered_map(
    function: Callable[[Any], Any], items: Iterable[Any], threads: int = 1
) -> Iterator[Any]:
    """Map `function` over `items` on `threads` threads; yield the results in the items' order."""
    items = list(items)
    if threads <= 1 or len(items) <= 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(function, items)
