"""A plugin whose hook raises."""

from skrand.registry import hookimpl


@hookimpl
def skrand_entries():
    raise RuntimeError("the hook went wrong")
