"""One of two plugins with a solver of one name."""

from skrand.registry import Entry, hookimpl


@hookimpl
def skrand_entries():
    return [
        Entry(
            kind="solver",
            name="twin",
            target="fixture_twin_b_solver:Twin",
            task="least-squares",
            summary="Fixture solver",
        ),
    ]
