"""What holds whatever a user hands over: a plain refusal, or an answer in finite numbers."""

import ast
import contextlib
import inspect
import linecache
import os
import pickle
import tempfile
import traceback
import warnings
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import sklearn
from scipy.linalg import LinAlgWarning
from sklearn.base import RegressorMixin
from threadpoolctl import ThreadpoolController

from skrand import registry
from skrand.exceptions import MemoryBudgetError

# skrand and the plugins that are installed.
_OURS = [
    Path(find_spec(name).origin).parent
    for name in {entry.target.split(".")[0].split(":")[0] for entry in registry.entries()}
]
_SKLEARN = Path(sklearn.__file__).parent


@cache
def _controller():
    import scipy.linalg.blas  # noqa: F401  (its BLAS must be loaded to be found)

    return ThreadpoolController()


def settings_of_the_process():
    """Return what a fit may change only while it runs."""
    return (
        [(pool["filepath"], pool["num_threads"]) for pool in _controller().info()],
        np.geterr(),
        list(warnings.filters),
    )


def content(value):
    """Return the bytes of an input, as they lie in memory."""
    if sp.issparse(value):
        parts = ("data", "indices", "indptr", "rows", "coords")
        return [content(getattr(value, part)) for part in parts if hasattr(value, part)]
    if isinstance(value, np.ma.MaskedArray):
        return value.data.tobytes(), value.mask.tobytes()
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.tobytes()
    return pickle.dumps(value)


@contextlib.contextmanager
def unchanged(*values):
    """Check that the body changes neither its inputs nor the process, and writes nothing."""
    before = settings_of_the_process(), [content(value) for value in values]
    with tempfile.TemporaryFile() as written:
        saved = [os.dup(fd) for fd in (1, 2)]
        try:
            for fd in (1, 2):
                os.dup2(written.fileno(), fd)
            yield
        finally:
            for fd, copy in zip((1, 2), saved, strict=True):
                os.dup2(copy, fd)
                os.close(copy)
        written.seek(0)
        text = written.read()
    after = settings_of_the_process(), [content(value) for value in values]
    assert not text, f"it wrote {text!r}"
    assert after[0] == before[0], "thread limits, errstate or warning filters changed"
    assert after[1] == before[1], "the input was changed"


def is_plain_refusal(error):
    """Whether an error was raised on purpose: by a raise of ours, or by scikit-learn's checks."""
    if not isinstance(error, (ValueError, TypeError, MemoryBudgetError)) or not str(error).strip():
        return False
    if isinstance(error, np.linalg.LinAlgError):
        return False
    # A Mixin of scikit-learn's calls predict, and pandas and NumPy convert for check_array.
    frames = traceback.extract_tb(error.__traceback__)
    paths = [Path(frame.filename) for frame in frames]
    if any(path == _SKLEARN / "utils" / "validation.py" for path in paths):
        return True
    last, path = frames[-1], paths[-1]
    if not any(path.is_relative_to(package) for package in [*_OURS, _SKLEARN]):
        return "src" in path.parts and _raises(last)
    return _raises(last)


def _raises(frame):
    """Whether a frame stopped at a raise statement."""
    tree = _tree(frame.filename)
    return any(
        isinstance(node, ast.Raise) and node.lineno <= frame.lineno <= node.end_lineno
        for node in ast.walk(tree)
    )


@cache
def _tree(filename):
    return ast.parse("".join(linecache.getlines(filename)))


def not_finite(value, name):
    """Yield the places in a value that hold NaN or inf."""
    if isinstance(value, (np.ndarray, np.generic, float)):
        array = np.asarray(value)
        if array.dtype.kind in "fc" and not np.isfinite(array).all():
            yield name
    elif sp.issparse(value):
        yield from not_finite(value.data, name)
    elif isinstance(value, (list, tuple)):
        for k, part in enumerate(value):
            yield from not_finite(part, f"{name}[{k}]")


#: Fitted attributes whose infinity is their meaning.
INFINITE = {
    # Of data that are rank deficient.
    "condition_",
    # Records of how it went, not of what came out.
    "history_",
    "objective_history_",
    "loss_curve_",
}


def check(estimator, X, others, fit_params):
    """Fit, then call every method that takes X; see the module's name for what must hold."""
    try:
        spoken, result = _call(estimator.fit, X, **fit_params)
    except Refused:
        return "refused"
    assert result is estimator
    fitted = {
        name: value
        for name, value in vars(estimator).items()
        if name.endswith("_") and name not in INFINITE and not name.startswith("_")
    }
    bad = [place for name, value in fitted.items() for place in not_finite(value, name)]
    assert not bad or spoken, f"not finite without a word: {', '.join(bad)}"
    for data in (X, *others):
        for name in METHODS:
            method = getattr(estimator, name, None)
            if method is None:
                continue
            arguments = {}
            if "y" in inspect.signature(method).parameters and "y" in fit_params:
                arguments["y"] = fit_params["y"]
            try:
                spoken_now, value = _call(method, data, **arguments)
            except Refused:
                continue
            if name == "score" and isinstance(estimator, RegressorMixin):
                # scikit-learn's own.
                continue
            bad = list(not_finite(value, name))
            assert not bad or spoken or spoken_now, f"not finite without a word: {', '.join(bad)}"
    return "fitted"


METHODS = (
    "predict",
    "predict_proba",
    "score_samples",
    "transform",
    "inverse_transform",
    "score",
    "transduce",
    "partial_fit",
)


class Refused(Exception):  # noqa: N818 (an outcome, not an error)
    """Stands for a plain refusal."""


def _call(function, X, **arguments):
    """Return the warnings that speak to the user, and what the function returned."""
    with (
        unchanged(X, *arguments.values()),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        # NumPy's own warnings tell a user nothing, and are raised here to be found.
        warnings.simplefilter("error", RuntimeWarning)
        # But these are of scikit-learn's checks of the data: a sum that looks for inf, and
        # the conversion to another precision.
        for text in ("invalid value encountered in reduce", "overflow encountered in cast"):
            warnings.filterwarnings("ignore", text, RuntimeWarning)
        warnings.filterwarnings("ignore", category=RuntimeWarning, module="sklearn")
        # The conjugate gradients that scikit-learn's Ridge takes from SciPy.
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"scipy.*\._isolve\.")
        warnings.simplefilter("always", LinAlgWarning)
        try:
            result = function(X, **arguments)
        except Exception as error:
            if is_plain_refusal(error):
                raise Refused from error
            raise
    spoken = [one for one in caught if issubclass(one.category, (UserWarning, LinAlgWarning))]
    return spoken, result
