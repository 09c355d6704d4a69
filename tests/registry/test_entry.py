"""Every field of an Entry is checked, in words."""

import dataclasses
import pickle

import pytest

from skrand.exceptions import InvalidParameterError
from skrand.registry import CAPABILITIES, Entry

SOLVER = {
    "kind": "solver",
    "name": "mine",
    "target": "package.module:Mine",
    "task": "least-squares",
    "summary": "Mine",
}


def test_collections_are_stored_in_their_own_type():
    entry = Entry(
        **SOLVER,
        capabilities=["sparse", "float32", "sparse"],
        requires=["torch>=2", "pandas; python_version < '4'"],
        aliases=iter(["yours", "ours"]),
    )
    assert entry.capabilities == frozenset({"sparse", "float32"})
    assert entry.requires == ("torch>=2", "pandas; python_version < '4'")
    assert entry.aliases == ("yours", "ours")
    assert entry.words == ("mine", "yours", "ours")


def test_an_entry_is_frozen_and_hashable_and_can_be_copied():
    entry = Entry(**SOLVER, capabilities=CAPABILITIES)
    with pytest.raises(dataclasses.FrozenInstanceError):
        entry.name = "other"
    assert pickle.loads(pickle.dumps(entry)) == entry == dataclasses.replace(entry)
    assert len({entry, dataclasses.replace(entry, summary="Other")}) == 2


def test_positional_arguments_are_refused():
    with pytest.raises(TypeError):
        Entry("solver", "mine")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"kind": "solvr"},
            "The 'kind' field of Entry 'mine' must be one of 'task', 'solver', 'estimator'. "
            "Got 'solvr' instead. Did you mean 'solver'?",
        ),
        (
            {"name": "Mine"},
            "The 'name' field of Entry 'Mine' must be lower case with hyphens, such as "
            "'least-squares'. Got 'Mine' instead.",
        ),
        (
            {"name": "my_solver"},
            "The 'name' field of Entry 'my_solver' must be lower case with hyphens, such as "
            "'least-squares'. Got 'my_solver' instead.",
        ),
        (
            {"kind": "estimator"},
            "The 'name' field of Entry 'mine' must be the name of a class, such as "
            "'SketchedRegressor'. Got 'mine' instead.",
        ),
        (
            {"kind": "estimator", "name": "Other"},
            "The 'target' field of Entry 'Other' must be of the form 'package.module:Other'. "
            "Got 'package.module:Mine' instead.",
        ),
        (
            {"target": "package.module.Mine"},
            "The 'target' field of Entry 'mine' must be of the form 'package.module:Class'. "
            "Got 'package.module.Mine' instead.",
        ),
        (
            {"task": None},
            "The 'task' field of Entry 'mine' must be the name of the task that the solver "
            "solves. Got None instead.",
        ),
        (
            {"kind": "task"},
            "The 'task' field of Entry 'mine' must be left out for a task. Got 'least-squares' "
            "instead.",
        ),
        (
            {"task": "Least squares"},
            "The 'task' field of Entry 'mine' must be the name of a task, such as "
            "'least-squares'. Got 'Least squares' instead.",
        ),
        (
            {"summary": "Two\nlines"},
            "The 'summary' field of Entry 'mine' must be one line of text. Got 'Two\\nlines' "
            "instead.",
        ),
        (
            {"summary": ""},
            "The 'summary' field of Entry 'mine' must be one line of text. Got '' instead.",
        ),
        (
            {"capabilities": "sparse"},
            "The 'capabilities' field of Entry 'mine' must be an iterable of str. Got 'sparse' "
            "instead.",
        ),
        (
            {"capabilities": {"sprase"}},
            "The 'capabilities' field of Entry 'mine' must be a subset of deterministic, float32, "
            "inductive, l1-loss, lazy, lp-loss, missing, multi-output, partial-fit, "
            "sample-weight, sparse, unbalanced, warm-start. Got 'sprase' instead. Did you mean "
            "'sparse'?",
        ),
        (
            {"capabilities": [1]},
            "The 'capabilities' field of Entry 'mine' must be an iterable of str. Got (1,) "
            "instead.",
        ),
        (
            {"requires": ["torch >= > 2"]},
            "The 'requires' field of Entry 'mine' must be requirements as PEP 508 has them, such "
            "as 'torch>=2'. Got 'torch >= > 2' instead.",
        ),
        (
            {"aliases": ["mine"]},
            "The 'aliases' field of Entry 'mine' must be different from the name and from each "
            "other. Got ('mine',) instead.",
        ),
        (
            {"claim": "claims"},
            "The 'claim' field of Entry 'mine' must be None or of the form "
            "'package.module:function'. Got 'claims' instead.",
        ),
        (
            {"demo": 3},
            "The 'demo' field of Entry 'mine' must be None or of the form "
            "'package.module:function'. Got 3 instead.",
        ),
        (
            {"default": 1},
            "The 'default' field of Entry 'mine' must be a bool. Got 1 instead.",
        ),
        (
            {"kind": "task", "task": None, "default": True},
            "The 'default' field of Entry 'mine' must be False for a task. Got True instead.",
        ),
        (
            {"since": 0.1},
            "The 'since' field of Entry 'mine' must be a str. Got 0.1 instead.",
        ),
    ],
)
def test_a_bad_field_gets_one_sentence(changes, message):
    with pytest.raises(InvalidParameterError) as caught:
        Entry(**{**SOLVER, **changes})
    assert str(caught.value) == message
