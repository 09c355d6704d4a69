"""A plugin that takes the name of another plugin's solver."""

from skrand.registry import Entry, hookimpl


@hookimpl
def skrand_entries():
    return [
        Entry(
            kind="solver",
            name="abacus",
            target="fixture_toy_rival_code:Abacus",
            task="toy",
            summary="Fixture solver",
        ),
    ]
