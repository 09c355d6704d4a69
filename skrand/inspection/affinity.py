"""What a clustering did with the graph of the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from skrand.inspection._axes import get_axes

__all__ = ["AffinityDisplay"]


class AffinityDisplay:
    """A graph of the rows, sorted by label: weight off the diagonal blocks joins clusters.

    Make it with :meth:`from_estimator` or :meth:`from_affinity`.

    Parameters
    ----------
    image : ndarray of shape (n_bins, n_bins)
        Mean weight in each cell; a cell is one pair of rows if there are few.
    boundaries : ndarray of shape (n_clusters - 1,)
        Where a cluster ends and the next begins, in cells.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the image.
    figure_ : matplotlib Figure
        Figure of the axes.
    im_ : matplotlib AxesImage
        The image.

    Examples
    --------
    >>> from skrand import SubspaceClusterer
    >>> from skrand.datasets import make_union_of_subspaces
    >>> from skrand.inspection import AffinityDisplay
    >>> X, _ = make_union_of_subspaces(200, 20, dims=2, n_clusters=3, random_state=0)
    >>> model = SubspaceClusterer(3, random_state=0).fit(X)
    >>> AffinityDisplay.from_estimator(model).image.shape
    (200, 200)
    """

    def __init__(self, *, image: Any, boundaries: Any) -> None:
        self.image = image
        self.boundaries = boundaries

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, max_cells: int = 500, ax: Any = None, **image_kwargs: Any
    ) -> Any:
        """Draw the graph of a fitted clusterer.

        Parameters
        ----------
        estimator : estimator
            Fitted, with attributes `affinity_` and `labels_`.
        max_cells : int, default=500
            Most cells a side; more rows are binned.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **image_kwargs
            Passed to ``Axes.imshow``.

        Returns
        -------
        display : AffinityDisplay
        """
        check_is_fitted(estimator)
        affinity = getattr(estimator, "affinity_", None)
        if affinity is None:
            raise ValueError(
                f"{type(estimator).__name__} has no affinity_: its solver made no graph."
            )
        return cls.from_affinity(
            affinity, estimator.labels_, max_cells=max_cells, ax=ax, **image_kwargs
        )

    @classmethod
    def from_affinity(
        cls,
        affinity: Any,
        labels: Any,
        *,
        max_cells: Any = 500,
        ax: Any = None,
        **image_kwargs: Any,
    ) -> Any:
        """Draw a graph.

        Parameters
        ----------
        affinity : array-like or sparse matrix of shape (n_samples, n_samples)
            Weights; their magnitudes are drawn.
        labels : array-like of shape (n_samples,)
            What to sort by.
        max_cells, ax, **image_kwargs
            As in :meth:`from_estimator`.

        Returns
        -------
        display : AffinityDisplay
        """
        graph, labels = sp.coo_array(affinity), np.asarray(labels)
        n = len(labels)
        if graph.shape != (n, n):
            raise ValueError(
                f"affinity must be of shape ({n}, {n}) for {n} labels. Got {graph.shape} instead."
            )
        order = np.argsort(labels, kind="stable")
        n_cells = min(n, max_cells)
        cell = np.empty(n, dtype=np.int64)
        cell[order] = np.arange(n) * n_cells // n
        sums = np.zeros((n_cells, n_cells))
        np.add.at(sums, (cell[graph.row], cell[graph.col]), np.abs(graph.data))
        sizes = np.bincount(cell, minlength=n_cells)
        ends = np.flatnonzero(np.diff(labels[order])) + 1
        display = cls(image=sums / np.outer(sizes, sizes), boundaries=ends * n_cells / n)
        return display.plot(ax=ax, **image_kwargs)

    def plot(self, ax: Any = None, **image_kwargs: Any) -> Any:
        """Draw the image and the clusters' boundaries.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **image_kwargs
            Passed to ``Axes.imshow``.

        Returns
        -------
        display : AffinityDisplay
        """
        ax = get_axes(ax, "AffinityDisplay")
        # Weights differ by magnitudes; the darkest colour is not for one outlier alone.
        positive = self.image[self.image > 0]
        high = np.quantile(positive, 0.98) if len(positive) else 1.0
        self.im_ = ax.imshow(
            self.image, **{"cmap": "Greys", "vmin": 0, "vmax": high} | image_kwargs
        )
        for end in self.boundaries:
            ax.axhline(end - 0.5, lw=0.6, color="tab:red")
            ax.axvline(end - 0.5, lw=0.6, color="tab:red")
        ax.set(xlabel="rows, sorted by label", ylabel="rows, sorted by label", xticks=[], yticks=[])
        self.ax_, self.figure_ = ax, ax.figure
        return self
