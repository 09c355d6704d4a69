"""What the plugin brings."""

from skrand.registry import Entry, hookimpl


@hookimpl
def skrand_entries():
    return [
        Entry(
            kind="solver",
            name="normal-equations",
            target="fixture_good.solvers:NormalEquations",
            task="least-squares",
            summary="Fixture solver",
            capabilities={"deterministic", "multi-output"},
            reference="C. F. Gauss, 1809",
            claim="fixture_good.claims:measure",
            aliases=("gauss",),
            since="1.0",
        ),
        Entry(
            kind="solver",
            name="old-equations",
            target="fixture_good.solvers:OldEquations",
            task="least-squares",
            summary="Fixture solver",
            deprecated="Use normal-equations.",
        ),
    ]
