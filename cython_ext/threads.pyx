"""What OpenMP, if the kernels were built with it, would do."""

cdef extern from "kernels.h" nogil:
    int skrand_max_threads()
    int SKRAND_HAS_OPENMP


def max_threads():
    """Return the number of threads that OpenMP would use now; 1 without OpenMP."""
    return skrand_max_threads()


def has_openmp():
    """Return whether the kernels were built with OpenMP."""
    return bool(SKRAND_HAS_OPENMP)
