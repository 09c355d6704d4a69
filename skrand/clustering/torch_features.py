"""Features by a torch module, which is trained along with the map that is linear in them.

torch is optional, and imported here only, once a module is fitted or run.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skrand._typing import MatrixLike
from skrand._validation import check_integer, check_real, fail_parameter

__all__ = ["TorchFeatureMap", "TorchTrainer", "is_module"]


class TorchFeatureMap(TransformerMixin, BaseEstimator):
    """Features that a neural network makes of rows, for ``ManifoldLinearizer(feature_map=...)``.

    ManifoldLinearizer trains the network on the coding rate reduction, together with the map and
    the clusters; alone, it is the network as it was given. A module none of whose parameters
    requires a gradient stays as it is there too. Needs torch: ``pip install skrand[torch]``.

    Parameters
    ----------
    module : torch.nn.Module, default=None
        Maps a batch of shape (n, n_features) to one of shape (n, n_mapped_features), on the device
        and in the precision of its first parameter; start it with :class:`torch.nn.Unflatten` for
        images. It is copied, not changed. None is a perceptron with two layers of `n_units`, each
        with batch normalisation, for features that a larger network made before.
    n_units : int, default=512
        Units in each layer of that perceptron.
    learning_rate : float, default=3e-4
        Of Adam, for the parameters of the module. Smaller ones, 1e-5 to 1e-4, suit networks that
        were trained before.
    batch_size : int, default=1000
        Rows that `transform` runs at once. The batches of training are those of the solver.
    random_state : int, RandomState instance or None, default=None
        Determines the first weights of the perceptron. What layers such as dropout draw in training
        is determined by the estimator that trains.

    Attributes
    ----------
    module_ : torch.nn.Module
        The network, in evaluation mode.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, if the data had names.

    Notes
    -----
    On a CPU it runs on one thread, whose sums do not depend on how many there are. The random
    numbers of torch are left as they were.

    Examples
    --------
    A network for images of 8 x 8 pixels::

        features = torch.nn.Sequential(
            torch.nn.Unflatten(1, (1, 8, 8)),
            torch.nn.Conv2d(1, 32, 3), torch.nn.ReLU(), torch.nn.Flatten(),
        )
        ManifoldLinearizer(10, feature_map=TorchFeatureMap(features, learning_rate=1e-4))
    """

    def __init__(
        self,
        module: Any = None,
        *,
        n_units: int = 512,
        learning_rate: float = 3e-4,
        batch_size: int = 1000,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.module = module
        self.n_units = n_units
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.random_state = random_state

    def fit(self, X: MatrixLike, y: None = None) -> Self:
        """Copy the module, or make one; nothing is trained.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ImportError
            If torch is not installed.
        """
        torch = _torch()
        check_integer(self, "n_units", self.n_units, 1)
        check_real(self, "learning_rate", self.learning_rate, 0, closed="neither")
        check_integer(self, "batch_size", self.batch_size, 1)
        if self.module is not None and not isinstance(self.module, torch.nn.Module):
            fail_parameter(self, "module", "None or a torch.nn.Module", self.module)
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        if self.module is None:
            seed = int(check_random_state(self.random_state).randint(2**31))
            self.module_ = _perceptron(X.shape[1], self.n_units, seed)
        else:
            self.module_ = copy.deepcopy(self.module)
        self.module_.eval()
        return self

    def transform(self, X: MatrixLike) -> np.ndarray:
        """Run the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        F : ndarray of shape (n_samples, n_mapped_features)
            Features, of the module's own precision.
        """
        check_is_fitted(self, "module_")
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return _run_in_batches(self.module_, X, self.batch_size)

    def trainer(self) -> TorchTrainer | None:
        """Return what trains the network in place; None if it has nothing to be trained."""
        check_is_fitted(self, "module_")
        if not any(parameter.requires_grad for parameter in self.module_.parameters()):
            return None
        return TorchTrainer(self.module_, self.learning_rate, self.batch_size)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


class TorchTrainer:
    """Steps of Adam in the parameters of a module, from gradients by its output.

    Parameters
    ----------
    module : torch.nn.Module
        Trained in place; in evaluation mode between steps.
    learning_rate : float
        Of Adam.
    batch_size : int
        Rows that `features` runs at once.
    """

    def __init__(self, module: Any, learning_rate: float, batch_size: int) -> None:
        self.module = module
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self._first = self.state()

    def start(self, seed: int) -> None:
        """Take the parameters back to what they were; random layers will draw from a seed."""
        self.restore(self._first)
        trained = [p for p in self.module.parameters() if p.requires_grad]
        self._adam = _torch().optim.Adam(trained, lr=self.learning_rate, maximize=True)
        self._seed = seed

    def forward(self, X: np.ndarray) -> np.ndarray:
        """Return features of a batch, in training mode, and remember how they came about."""
        self.module.train()
        with _one_thread(), _random_numbers(self.module, self._seed):
            self._output = _run(self.module, X)
        self.module.eval()
        return self._output.detach().cpu().numpy().astype(np.float64)

    def step(self, gradient: np.ndarray) -> None:
        """Raise the objective whose gradient by the last batch's features is given."""
        output = self._output
        self._adam.zero_grad()
        with _one_thread():
            output.backward(_torch().as_tensor(gradient, dtype=output.dtype, device=output.device))
            self._adam.step()
        self._seed += 1
        del self._output

    def features(self, X: np.ndarray) -> np.ndarray:
        """Return features of any rows, in evaluation mode."""
        return _run_in_batches(self.module, X, self.batch_size).astype(np.float64)

    def state(self) -> dict[str, Any]:
        """Return a copy of all parameters and buffers."""
        return copy.deepcopy(self.module.state_dict())

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state."""
        self.module.load_state_dict(state)


def is_module(thing: object) -> bool:
    """Tell whether something is a torch module, without importing torch: who has one, has it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(thing, torch.nn.Module)


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            'TorchFeatureMap needs torch. Install it with: pip install "skrand[torch]"'
        ) from error
    return torch


def _perceptron(n_features: int, n_units: int, seed: int) -> Any:
    torch = _torch()
    with _random_numbers(torch.nn.Identity(), seed):
        return torch.nn.Sequential(
            torch.nn.Linear(n_features, n_units),
            torch.nn.BatchNorm1d(n_units),
            torch.nn.ReLU(),
            torch.nn.Linear(n_units, n_units),
            torch.nn.BatchNorm1d(n_units),
            torch.nn.ReLU(),
        )


def _run(module: Any, X: np.ndarray) -> Any:
    """Apply a module where its parameters are, and check the shape of what it returns."""
    torch = _torch()
    first = next(module.parameters(), torch.empty(0))
    # Copied: torch warns of arrays that it could write to and must not.
    output = module(torch.tensor(X, dtype=first.dtype, device=first.device))
    if output.ndim != 2 or len(output) != len(X):
        raise ValueError(
            f"The module of TorchFeatureMap must return a tensor of shape ({len(X)}, "
            f"n_mapped_features) for {len(X)} rows. Got shape {tuple(output.shape)} instead."
        )
    return output


def _run_in_batches(module: Any, X: np.ndarray, batch_size: int) -> np.ndarray:
    torch = _torch()
    with _one_thread(), torch.no_grad():
        batches = [_run(module, X[i : i + batch_size]) for i in range(0, len(X), batch_size)]
        return torch.cat(batches).cpu().numpy()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch run on one thread, by which sums do not depend on how many there are."""
    torch = _torch()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _random_numbers(module: Any, seed: int) -> Iterator[None]:
    """Let a module draw from a stream of its own; the streams of torch are then as before."""
    torch = _torch()
    devices = {p.device for p in module.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
