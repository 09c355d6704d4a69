"""How far apart the subspaces of a clustering are."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skrand.clustering import principal_angles
from skrand.inspection._axes import get_axes

__all__ = ["PrincipalAnglesDisplay"]


class PrincipalAnglesDisplay:
    """The smallest principal angle between each two subspaces, in degrees.

    Make it with :meth:`from_estimator` or :meth:`from_bases`.

    Parameters
    ----------
    angles : ndarray of shape (n_subspaces, n_subspaces)
        Degrees.
    names : sequence of str, default=None
        Of the subspaces.

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
    >>> import numpy as np
    >>> from skrand.inspection import PrincipalAnglesDisplay
    >>> PrincipalAnglesDisplay.from_bases([np.eye(3)[:, :1], np.eye(3)[:, 1:]]).angles
    array([[ 0., 90.],
           [90.,  0.]])
    """

    def __init__(self, *, angles: Any, names: Any = None) -> None:
        self.angles = angles
        self.names = names

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, **image_kwargs: Any) -> Any:
        """Draw the angles between the subspaces of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted, with an attribute `bases_`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **image_kwargs
            Passed to ``Axes.imshow``.

        Returns
        -------
        display : PrincipalAnglesDisplay
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "bases_"):
            raise ValueError(f"{type(estimator).__name__} has no bases_: it finds no subspaces.")
        return cls.from_bases(estimator.bases_, ax=ax, **image_kwargs)

    @classmethod
    def from_bases(
        cls, bases: Any, *, names: Any = None, ax: Any = None, **image_kwargs: Any
    ) -> Any:
        """Draw the angles between given subspaces.

        Parameters
        ----------
        bases : sequence of ndarray of shape (n_features, dim_k)
            Columns span the subspaces.
        names : sequence of str, default=None
            Of the subspaces; None are their numbers.
        ax, **image_kwargs
            As in :meth:`from_estimator`.

        Returns
        -------
        display : PrincipalAnglesDisplay
        """
        display = cls(angles=np.degrees(principal_angles(bases)), names=names)
        return display.plot(ax=ax, **image_kwargs)

    def plot(self, ax: Any = None, **image_kwargs: Any) -> Any:
        """Draw the matrix of angles.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **image_kwargs
            Passed to ``Axes.imshow``.

        Returns
        -------
        display : PrincipalAnglesDisplay
        """
        ax = get_axes(ax, "PrincipalAnglesDisplay")
        self.im_ = ax.imshow(
            self.angles, **{"cmap": "viridis", "vmin": 0, "vmax": 90} | image_kwargs
        )
        ax.figure.colorbar(self.im_, ax=ax, label="smallest principal angle, degrees")
        ticks = np.arange(len(self.angles))
        names = ticks if self.names is None else self.names
        ax.set_xticks(ticks, names)
        ax.set_yticks(ticks, names)
        self.ax_, self.figure_ = ax, ax.figure
        return self
