"""How many clusters the spectrum of a graph shows."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skrand.inspection._axes import get_axes

__all__ = ["EigengapDisplay"]


class EigengapDisplay:
    """The largest eigenvalues of the normalised graph, and the gap after the last cluster's.

    Make it with :meth:`from_estimator`.

    Parameters
    ----------
    eigenvalues : ndarray
        Falling.
    n_clusters : int
        After how many the gap is marked.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the points.
    figure_ : matplotlib Figure
        Figure of the axes.
    line_ : matplotlib Line2D
        The eigenvalues.

    Examples
    --------
    >>> from skrand import SubspaceClusterer
    >>> from skrand.datasets import make_union_of_subspaces
    >>> from skrand.inspection import EigengapDisplay
    >>> X, _ = make_union_of_subspaces(200, 20, dims=2, n_clusters=3, random_state=0)
    >>> model = SubspaceClusterer(3, random_state=0).fit(X)
    >>> bool((EigengapDisplay.from_estimator(model).eigenvalues[:3] > 0.99).all())
    True
    """

    def __init__(self, *, eigenvalues: Any, n_clusters: int) -> None:
        self.eigenvalues = eigenvalues
        self.n_clusters = n_clusters

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, **line_kwargs: Any) -> Any:
        """Draw the spectrum that a fitted clusterer cut its graph by.

        Parameters
        ----------
        estimator : estimator
            Fitted, with attributes `eigenvalues_` and `n_clusters_`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **line_kwargs
            Passed to ``Axes.plot``.

        Returns
        -------
        display : EigengapDisplay
        """
        check_is_fitted(estimator)
        values = getattr(estimator, "eigenvalues_", None)
        if values is None:
            raise ValueError(
                f"{type(estimator).__name__} has no eigenvalues_: its solver cut no graph."
            )
        display = cls(eigenvalues=np.asarray(values), n_clusters=estimator.n_clusters_)
        return display.plot(ax=ax, **line_kwargs)

    def plot(self, ax: Any = None, **line_kwargs: Any) -> Any:
        """Draw the eigenvalues.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **line_kwargs
            Passed to ``Axes.plot``.

        Returns
        -------
        display : EigengapDisplay
        """
        ax = get_axes(ax, "EigengapDisplay")
        count = np.arange(1, len(self.eigenvalues) + 1)
        (self.line_,) = ax.plot(count, self.eigenvalues, **{"marker": "o", "ls": ""} | line_kwargs)
        gap = f"gap after {self.n_clusters}"
        ax.axvline(self.n_clusters + 0.5, ls="--", color="0.5", label=gap)
        ax.set(xlabel="number", ylabel="eigenvalue of the normalised graph")
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self
