"""Seeded generators of data, one module a domain."""

from importlib import import_module

#: Public name -> module that has it.
_HOME = {
    "make_union_of_subspaces": "skrand.datasets.subspaces",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'skrand.datasets' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(_HOME)
