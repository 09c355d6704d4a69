"""Adam, for objectives that are only seen on batches."""

from __future__ import annotations

import numpy as np

__all__ = ["Adam"]


class Adam:
    """Steps of a size that adapts to each entry's gradients.

    Parameters
    ----------
    rate : float
        Size of a step where the gradient keeps its sign.
    decay : tuple of float, default=(0.9, 0.99)
        Of the averages of the gradient and of its square.

    References
    ----------
    D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, arXiv:1412.6980.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.linalg.ascent import Adam
    >>> x, adam = np.array([3.0, -10.0]), Adam(0.1)
    >>> for _ in range(400):
    ...     x = x + adam.step(-2 * x)
    >>> bool(np.abs(x).max() < 0.01)
    True
    """

    def __init__(self, rate: float, decay: tuple[float, float] = (0.9, 0.99)) -> None:
        self.rate = rate
        self.decay = decay
        self._count = 0
        self._mean = self._square = np.zeros(())

    def step(self, gradient: np.ndarray) -> np.ndarray:
        """Return what to add to the unknowns to raise the objective."""
        first, second = self.decay
        self._count += 1
        self._mean = first * self._mean + (1 - first) * gradient
        self._square = second * self._square + (1 - second) * gradient**2
        mean = self._mean / (1 - first**self._count)
        root = np.sqrt(self._square / (1 - second**self._count))
        return self.rate * np.divide(mean, root, out=np.zeros_like(mean), where=root > 0)
