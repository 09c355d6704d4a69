"""How an iterative fit came to its answer."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skrand.inspection._axes import get_axes

__all__ = ["ConvergenceDisplay"]


class ConvergenceDisplay:
    """The residual of an iterative fit against the work done, one curve a fit.

    Make it with :meth:`from_estimator` or :meth:`from_history`. To compare solvers, hand the `ax_`
    of one display to the next.

    Parameters
    ----------
    work : ndarray of shape (n_iterations,)
        What each iteration had cost so far.
    residual : ndarray of shape (n_iterations,)
        What it had reached.
    work_name : str
        What is counted: the label of the horizontal axis.
    name : str, default=None
        Label of the curve.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curve.
    figure_ : matplotlib Figure
        Figure of the axes.
    line_ : matplotlib Line2D
        The curve.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand import SinkhornNewtonOT
    >>> from skrand.inspection import ConvergenceDisplay
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> model = SinkhornNewtonOT(0.1, target=X + 2.0).fit(X)
    >>> display = ConvergenceDisplay.from_estimator(model)
    >>> bool(display.residual[-1] <= 1e-9)
    True
    """

    def __init__(
        self, *, work: Any, residual: Any, work_name: str = "iterations", name: str | None = None
    ) -> None:
        self.work = work
        self.residual = residual
        self.work_name = work_name
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        work: str = "auto",
        name: str | None = None,
        ax: Any = None,
        **line_kwargs: Any,
    ) -> Any:
        """Draw the history of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted, with an attribute `history_`.
        work : str, default="auto"
            The entry of the history on the horizontal axis; "auto" is ``passes`` (sweeps over the
            data) if the solver counts them, or else ``iteration``.
        name : str, default=None
            Label of the curve; None is the name of the solver.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **line_kwargs
            Passed to ``Axes.semilogy``.

        Returns
        -------
        display : ConvergenceDisplay
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "history_"):
            raise ValueError(
                f"{type(estimator).__name__} keeps no history_: its fit is not iterative."
            )
        if name is None:
            name = getattr(estimator, "solver_", type(estimator).__name__)
        return cls.from_history(estimator.history_, work=work, name=name, ax=ax, **line_kwargs)

    @classmethod
    def from_history(
        cls,
        history: Any,
        *,
        work: Any = "auto",
        name: Any = None,
        ax: Any = None,
        **line_kwargs: Any,
    ) -> Any:
        """Draw a history: that of an estimator, or of a solver's Solution.

        Parameters
        ----------
        history : list of dict
            One record an iteration, with a ``residual`` in each.
        work, name, ax, **line_kwargs
            As in :meth:`from_estimator`.

        Returns
        -------
        display : ConvergenceDisplay
        """
        if not history:
            raise ValueError("The history is empty: there was no iteration to draw.")
        if work == "auto":
            work = "passes" if "passes" in history[0] else "iteration"
        if work not in history[0] or "residual" not in history[0]:
            known = ", ".join(history[0])
            raise ValueError(f"work must be an entry of the history ({known}). Got {work!r}.")
        display = cls(
            work=np.array([record[work] for record in history], dtype=float),
            residual=np.array([record["residual"] for record in history], dtype=float),
            work_name="iterations" if work == "iteration" else work,
            name=name,
        )
        return display.plot(ax=ax, **line_kwargs)

    def plot(self, ax: Any = None, *, name: str | None = None, **line_kwargs: Any) -> Any:
        """Draw the curve; a curve for each call on the same axes.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Label of the curve; None is the display's own.
        **line_kwargs
            Passed to ``Axes.semilogy``.

        Returns
        -------
        display : ConvergenceDisplay
        """
        ax = get_axes(ax, "ConvergenceDisplay")
        name = self.name if name is None else name
        # A residual of exactly zero has no logarithm; it is drawn where rounding would be.
        shown = np.maximum(self.residual, np.finfo(float).eps ** 2)
        (self.line_,) = ax.semilogy(self.work, shown, **{"label": name, **line_kwargs})
        ax.set(xlabel=self.work_name, ylabel="residual")
        if name is not None:
            ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self
