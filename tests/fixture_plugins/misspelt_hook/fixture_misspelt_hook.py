"""A plugin that implements a hook that does not exist."""

from skrand.registry import Entry, hookimpl


@hookimpl
def skrand_entry():
    return [
        Entry(
            kind="solver",
            name="never-seen",
            target="fixture_misspelt_hook:Solver",
            task="least-squares",
            summary="Fixture solver",
        ),
    ]
