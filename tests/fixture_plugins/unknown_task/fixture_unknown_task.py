"""A plugin with a solver for a task whose name is misspelt."""

from skrand.registry import Entry, hookimpl


@hookimpl
def skrand_entries():
    return [
        Entry(
            kind="solver",
            name="lost",
            target="fixture_unknown_task:Lost",
            task="least-square",
            summary="Fixture solver",
        ),
    ]
