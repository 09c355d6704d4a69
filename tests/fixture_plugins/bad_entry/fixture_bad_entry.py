"""A plugin with a good entry and one with a misspelt capability: neither counts."""

from skrand.registry import Entry, hookimpl


@hookimpl
def skrand_entries():
    return [
        Entry(
            kind="solver",
            name="fine",
            target="fixture_bad_entry:Fine",
            task="least-squares",
            summary="Fixture solver",
        ),
        Entry(
            kind="solver",
            name="misspelt",
            target="fixture_bad_entry:Misspelt",
            task="least-squares",
            summary="Fixture solver",
            capabilities={"sprase"},
        ),
    ]
