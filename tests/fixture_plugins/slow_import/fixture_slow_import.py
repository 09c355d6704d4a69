"""A plugin that takes its time to import."""

import time

from skrand.registry import Entry, hookimpl

time.sleep(0.3)


@hookimpl
def skrand_entries():
    return [
        Entry(
            kind="solver",
            name="slow",
            target="fixture_slow_import:Slow",
            task="least-squares",
            summary="Fixture solver",
        ),
    ]
