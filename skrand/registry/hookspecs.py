"""The one hook of skrand. A plugin implements it in the module that its entry point names."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from skrand.registry.entry import Entry

__all__ = ["hookimpl", "skrand_entries"]

hookspec = pluggy.HookspecMarker("skrand")

#: Marks a plugin's implementation of the hook.
hookimpl = pluggy.HookimplMarker("skrand")


@hookspec
def skrand_entries() -> Iterable[Entry]:
    """Declare the tasks, solvers and estimators that the plugin brings, without importing them."""
    return ()
