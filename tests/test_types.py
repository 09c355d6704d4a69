"""Everything public is annotated, and whoever type-checks against skrand sees it."""

import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import skrand

MODULES = sorted(
    name
    for _, name, _ in pkgutil.walk_packages(skrand.__path__, "skrand.")
    if not any(part.startswith("_") for part in name.split("."))
)


def own_functions(module):
    """Yield the public functions of a module, and the methods of its public classes."""
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value):
            for method, function in vars(value).items():
                if method.startswith("__") and method not in ("__init__", "__call__"):
                    continue
                function = getattr(function, "__func__", getattr(function, "fget", function))
                if inspect.isfunction(function) and not function.__qualname__.startswith("__"):
                    yield f"{name}.{method}", inspect.unwrap(function)


def test_the_modules_are_found():
    assert {"skrand.base", "skrand.regression.estimator", "skrand.cli.bench"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_public_functions_are_annotated(name):
    for label, function in own_functions(importlib.import_module(name)):
        if function.__module__ != name:
            # Made by a decorator, as a dataclass's methods are.
            continue
        signature = inspect.signature(function)
        bare = [
            parameter.name
            for parameter in signature.parameters.values()
            if parameter.name not in ("self", "cls")
            and parameter.annotation is inspect.Parameter.empty
        ]
        assert not bare, f"{label}: {', '.join(bare)}"
        assert signature.return_annotation is not inspect.Signature.empty, label


def test_the_marker_is_there():
    assert (Path(skrand.__file__).parent / "py.typed").exists()
