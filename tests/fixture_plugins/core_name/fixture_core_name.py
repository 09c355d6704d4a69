"""A plugin that takes the name of a core solver."""

from skrand.registry import Entry, hookimpl


@hookimpl
def skrand_entries():
    return [
        Entry(
            kind="solver",
            name="sap",
            target="fixture_core_name_solver:Sap",
            task="least-squares",
            summary="Fixture solver",
        ),
    ]
