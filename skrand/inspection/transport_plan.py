"""Where a transport plan sends what."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted

from skrand._validation import check_integer, check_option
from skrand.inspection._axes import get_axes

__all__ = ["TransportPlanDisplay"]


class TransportPlanDisplay:
    """A transport plan: as lines between points, or as a picture of the matrix.

    Parameters
    ----------
    plan : ndarray or sparse array of shape (n_samples, n_targets)
        The plan.
    source, target : ndarray of shape (n_samples, 2) and (n_targets, 2), default=None
        Points in the plane; None draws the matrix.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the picture.
    figure_ : matplotlib Figure
        Figure of the axes.
    lines_ : matplotlib LineCollection or None
        The lines between points.
    image_ : matplotlib AxesImage or None
        The picture of the matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand import SinkhornNewtonOT
    >>> from skrand.inspection import TransportPlanDisplay
    >>> X = np.random.default_rng(0).normal(size=(30, 2))
    >>> model = SinkhornNewtonOT(0.1, target=X + 2.0).fit(X)
    >>> display = TransportPlanDisplay.from_estimator(model)
    >>> len(display.lines_.get_segments()) <= 500
    True
    """

    def __init__(self, *, plan: Any, source: Any = None, target: Any = None) -> None:
        self.plan = plan
        self.source = source
        self.target = target

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        kind: str = "auto",
        features: Any = (0, 1),
        max_lines: int = 500,
        ax: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Draw the plan of a fitted transport estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted, with an attribute `plan_`, and `source_` and `target_` if points are drawn.
        kind : {"auto", "points", "matrix"}, default="auto"
            "auto" draws points if the data has two features, and the matrix otherwise.
        features : tuple of two int, default=(0, 1)
            Which features are the axes of the points.
        max_lines : int, default=500
            Draw at most so many pairs, those of the most mass.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **kwargs
            Passed to :meth:`plot`, and from there to matplotlib's LineCollection or ``imshow``.

        Returns
        -------
        display : TransportPlanDisplay
        """
        check_is_fitted(estimator)
        check_option("TransportPlanDisplay", "kind", kind, ("auto", "points", "matrix"))
        source: Any = getattr(estimator, "source_", None)
        target: Any = getattr(estimator, "target_", None)
        if kind == "points" and source is None:
            raise ValueError("kind='points' needs points. The costs were precomputed.")
        if source is None or kind == "matrix" or (kind == "auto" and source.shape[1] != 2):
            return cls(plan=estimator.plan_).plot(ax=ax, max_lines=max_lines, **kwargs)
        columns = list(features)
        display = cls(plan=estimator.plan_, source=source[:, columns], target=target[:, columns])
        return display.plot(ax=ax, max_lines=max_lines, **kwargs)

    def plot(self, ax: Any = None, *, max_lines: int = 500, **kwargs: Any) -> Any:
        """Draw the plan.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        max_lines : int, default=500
            Draw at most so many pairs, those of the most mass.
        **kwargs
            Passed to matplotlib's LineCollection (points) or to ``Axes.imshow`` (matrix).

        Returns
        -------
        display : TransportPlanDisplay
        """
        check_integer("TransportPlanDisplay", "max_lines", max_lines, 1)
        ax = get_axes(ax, "TransportPlanDisplay")
        self.lines_ = self.image_ = None
        if self.source is None:
            plan = self.plan.toarray() if issparse(self.plan) else self.plan
            shown = {"cmap": "Greys", "aspect": "auto", "interpolation": "nearest", **kwargs}
            self.image_ = ax.imshow(plan, **shown)
            ax.set(xlabel="target", ylabel="source")
        else:
            self._draw_points(ax, max_lines, kwargs)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_points(self, ax: Any, max_lines: Any, kwargs: Any) -> None:
        from matplotlib.collections import LineCollection

        rows, columns, mass = _heaviest(self.plan, max_lines)
        ends = np.stack([self.source[rows], self.target[columns]], axis=1)
        look = {"colors": "0.5", "linewidths": 0.8, "zorder": 1, **kwargs}
        if "alpha" not in look:
            look["alpha"] = np.clip(mass / mass.max(), 0.05, 1.0)
        self.lines_ = ax.add_collection(LineCollection(list(ends), **look))
        ax.scatter(*self.source.T, s=12, label="source", zorder=2)
        ax.scatter(*self.target.T, s=12, marker="x", label="target", zorder=2)
        ax.legend()


def _heaviest(plan: Any, count: Any) -> Any:
    """Return rows, columns and masses of the `count` largest positive entries, smallest first."""
    if issparse(plan):
        coo = plan.tocoo()
        rows, columns, mass = coo.row, coo.col, coo.data
    else:
        rows, columns = np.divmod(np.arange(plan.size), plan.shape[1])
        mass = np.asarray(plan).ravel()
    order = np.argsort(mass, kind="stable")[-count:]
    order = order[mass[order] > 0]
    return rows[order], columns[order], mass[order]
