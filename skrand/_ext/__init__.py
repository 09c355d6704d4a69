"""The compiled kernels: ``skrand._ext.<name>`` is built from ``cython_ext/<name>.pyx``."""

from importlib import import_module
from typing import Any

_MISSING = """\
skrand's compiled kernel {name!r} is missing from {where}

This is what happens when Python runs in the root of skrand's source tree, where the
package that was not built hides the one that is installed. Either
  - run Python from another directory, to use the installed skrand, or
  - build the kernels here:  pip install -e .   (afterwards:  python -m cython_ext)
"""


def _missing(name: str) -> ImportError:
    return ImportError(_MISSING.format(name=name, where=__path__[0]), name=f"{__name__}.{name}")


def __getattr__(name: str) -> Any:
    # `from skrand._ext import name` comes here before it looks for a module of that name.
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return import_module(f"{__name__}.{name}")
    except ModuleNotFoundError:
        raise _missing(name) from None


try:
    # Every other kernel is built together with this one.
    import skrand._ext.threads  # noqa: F401
except ModuleNotFoundError:
    raise _missing("threads") from None
