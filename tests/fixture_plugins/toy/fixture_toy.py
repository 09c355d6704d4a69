"""A plugin with a task of its own, and entries of every kind and status."""

from functools import partial

from skrand.registry import Entry, hookimpl


@hookimpl
def skrand_entries():
    solver = partial(Entry, kind="solver", task="toy", since="1.0")
    return [
        Entry(
            kind="task",
            name="toy",
            target="fixture_toy_code:ToyTask",
            summary="Add two numbers, in the presence of a third one",
        ),
        solver(
            name="auto",
            target="fixture_toy_code:Auto",
            summary="Whichever is quicker",
            capabilities={"sparse", "float32", "sample-weight", "multi-output", "deterministic"},
            default=True,
        ),
        solver(
            name="abacus",
            target="fixture_toy_code:Abacus",
            summary="Beads on wires, moved by hand until nothing is left to be moved",
            capabilities={"deterministic", "warm-start"},
            reference="A. Riese. Rechnung auff der Linihen. 1518",
        ),
        solver(
            name="counting-frame",
            target="fixture_toy_code:Abacus",
            summary="The former name of abacus",
            capabilities={"deterministic"},
            deprecated="Use abacus.",
        ),
        solver(
            name="slide-rule",
            target="fixture_toy_code:SlideRule",
            summary="Logarithms on two sticks",
            requires=("a-distribution-nobody-has>=2",),
        ),
        Entry(
            kind="estimator",
            name="ToyEstimator",
            target="fixture_toy_code:ToyEstimator",
            task="toy",
            summary="Sums",
            capabilities={"inductive"},
        ),
        Entry(
            kind="estimator",
            name="ToyTransformer",
            target="fixture_toy_code:ToyTransformer",
            summary="Sums of columns",
            capabilities={"inductive"},
        ),
    ]
