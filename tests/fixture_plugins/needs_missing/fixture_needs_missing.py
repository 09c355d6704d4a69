"""A plugin whose solver needs a distribution that is not there."""

from skrand.registry import Entry, hookimpl


@hookimpl
def skrand_entries():
    return [
        Entry(
            kind="solver",
            name="needy",
            target="a_distribution_nobody_has:Needy",
            task="least-squares",
            summary="Fixture solver",
            requires=("a-distribution-nobody-has>=2",),
        ),
    ]
