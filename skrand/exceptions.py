"""Every error and warning that skrand raises on purpose.

Nothing here imports NumPy or scikit-learn, so that ``skrand list`` stays fast. Non-convergence is
reported with scikit-learn's own :class:`sklearn.exceptions.ConvergenceWarning`.
"""

__all__ = [
    "AmbiguousNameError",
    "IncompatibleSolverError",
    "InvalidParameterError",
    "MemoryBudgetError",
    "PluginError",
    "PluginWarning",
    "RankWarning",
    "SketchQualityWarning",
    "UnknownNameError",
    "ZeroRowWarning",
]


class InvalidParameterError(ValueError, TypeError):
    """A parameter has a value or a type that is not allowed.

    Both a :class:`ValueError` and a :class:`TypeError`, as in scikit-learn, so that callers may
    catch either.
    """


class IncompatibleSolverError(ValueError):
    """The solver exists but cannot solve this problem; the message names those that can."""


class UnknownNameError(ValueError, LookupError):
    """No registered entry has this name; the message suggests the nearest ones."""


class AmbiguousNameError(UnknownNameError):
    """Several registered entries have this name; the message lists their full names."""


class MemoryBudgetError(MemoryError):
    """A solver would need more memory than allowed; the message names one that would not."""


class PluginError(ImportError):
    """A registered entry's code could not be imported, or is not what the entry says it is."""


class PluginWarning(UserWarning):
    """A plugin is broken or ambiguous; everything else keeps working."""


class RankWarning(UserWarning):
    """The data do not determine the answer uniquely; the one of minimum norm was returned."""


class SketchQualityWarning(UserWarning):
    """The sketch did not preserve the geometry of the data well enough for its guarantee."""


class ZeroRowWarning(UserWarning):
    """Rows of zeros have no direction; they were kept and belong to every subspace alike."""
