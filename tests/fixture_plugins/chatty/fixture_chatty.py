"""A plugin that prints when it is imported."""

from skrand.registry import hookimpl

print("hello from the plugin")


@hookimpl
def skrand_entries():
    return []
