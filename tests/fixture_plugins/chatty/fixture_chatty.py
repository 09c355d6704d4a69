"""A plugin that prints when it is imported."""

from skrand.registry import Entry, hookimpl

print("hello from the plugin")


@hookimpl
def skrand_entries():
    return []
