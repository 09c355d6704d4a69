"""The registry: tasks, solvers and estimators, the core's and those of plugins, by name.

A plugin is a distribution with one entry point in the group ``skrand`` that names a light module.
That module implements one hook::

    from skrand.registry import Entry, hookimpl

    @hookimpl
    def skrand_entries():
        return [Entry(kind="solver", name="mine", target="my_package:Mine", ...)]

Environment variables: ``SKRAND_PLUGINS`` (unset: all plugins; empty: the core alone; ``a,b``: only
these; ``-a``: all but that) and ``SKRAND_STRICT=1`` (a broken plugin is an error, with traceback).
"""

from skrand.registry.catalog import (
    entries,
    get,
    load,
    make_solver,
    plugins,
    reload,
    resolve_solver,
)
from skrand.registry.entry import CAPABILITIES, KINDS, Entry
from skrand.registry.hookspecs import hookimpl
from skrand.registry.loader import PluginRecord

__all__ = [
    "CAPABILITIES",
    "KINDS",
    "Entry",
    "PluginRecord",
    "entries",
    "get",
    "hookimpl",
    "load",
    "make_solver",
    "plugins",
    "reload",
    "resolve_solver",
]
