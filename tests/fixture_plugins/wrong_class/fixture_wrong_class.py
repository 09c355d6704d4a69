"""A plugin with three targets that are not solvers, and a claim that raises."""

from skrand.registry import Entry, hookimpl


@hookimpl
def skrand_entries():
    return [
        Entry(
            kind="solver",
            name="not-a-solver",
            target="fixture_wrong_class_targets:NotASolver",
            task="least-squares",
            summary="Fixture solver",
            claim="fixture_wrong_class_targets:claim",
        ),
        Entry(
            kind="solver",
            name="not-a-class",
            target="fixture_wrong_class_targets:not_a_class",
            task="least-squares",
            summary="Fixture solver",
        ),
        Entry(
            kind="solver",
            name="not-there",
            target="fixture_wrong_class_targets:NotThere",
            task="least-squares",
            summary="Fixture solver",
        ),
    ]
