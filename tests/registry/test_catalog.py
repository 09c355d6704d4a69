"""From names to entries, from entries to classes, from classes to solver objects."""

import sys

import pytest

from skrand import registry
from skrand.exceptions import (
    AmbiguousNameError,
    InvalidParameterError,
    PluginError,
    PluginWarning,
    UnknownNameError,
)
from skrand.registry import Entry
from skrand.regression.solvers import SAP, Cholesky


def names(**query):
    return [entry.name for entry in registry.entries(**query)]


def test_entries_are_ordered_and_filtered(install):
    install("toy")
    solvers = ["auto", "abacus", "counting-frame", "slide-rule"]
    assert names(kind="solver", task="toy") == solvers
    assert names(task="toy") == ["toy", *solvers, "ToyEstimator"]
    assert names(task="toy", can="deterministic") == ["auto", "abacus", "counting-frame"]
    assert names(task="toy", can=["deterministic", "sparse"]) == ["auto"]
    assert names(kind="task", can="sparse") == []
    tasks = [entry.task or entry.name for entry in registry.entries() if entry.kind != "estimator"]
    assert tasks == sorted(tasks)
    assert names()[-1] == "ToyTransformer"
    assert registry.entries() == registry.entries()


def test_the_core_declares_what_its_classes_are():
    for entry in registry.entries():
        assert entry.dist == "skrand"
        assert entry.status == "ok"
        cls = registry.load(entry)
        assert registry.load(entry) is cls
        assert registry.get(entry.name, kind=entry.kind, task=entry.task).load_time >= 0


def test_public_estimators_are_public_names_of_the_package():
    import skrand

    for entry in registry.entries(kind="estimator"):
        assert getattr(skrand, entry.name) is registry.load(entry)
        assert entry.name in skrand.__all__
        assert entry.name in dir(skrand)


def test_the_package_has_no_other_names():
    import skrand

    assert skrand.linalg.SRHT
    with pytest.raises(AttributeError, match="module 'skrand' has no attribute 'nothing'"):
        _ = skrand.nothing


def test_filters_that_do_not_exist():
    with pytest.raises(UnknownNameError, match=r"Unknown task 'least-square'\. Did you mean 'le"):
        registry.entries(task="least-square")
    with pytest.raises(UnknownNameError, match=r"Unknown capability 'spars'\. Did you mean 'spa"):
        registry.entries(can="spars")
    with pytest.raises(InvalidParameterError, match=r"must be one of 'task', 'solver', 'estima"):
        registry.entries(kind="solvers")


def test_get_accepts_every_form_of_a_name(install):
    install("good")
    entry = registry.get("normal-equations")
    assert entry.dist == "fixture-good"
    assert entry.plugin == "good"
    assert entry.version == "1.0"
    for name in (
        "gauss",
        "fixture-good:normal-equations",
        "Fixture_Good:gauss",
        "least-squares/normal-equations",
        "fixture-good:least-squares/normal-equations",
    ):
        assert registry.get(name) == entry
    assert registry.get("gauss", kind="solver", task="least-squares") == entry


@pytest.mark.parametrize(
    ("name", "query", "message"),
    [
        (
            "abacos",
            {"kind": "solver", "task": "toy"},
            "Unknown solver 'abacos' for task 'toy'. Did you mean 'abacus'? "
            "Known: auto, abacus, counting-frame, slide-rule.",
        ),
        (
            "chol",
            {"kind": "solver", "task": "toy"},
            "Unknown solver 'chol' for task 'toy'. That is a solver for task 'least-squares'. "
            "Known: auto, abacus, counting-frame, slide-rule.",
        ),
        (
            "abacus",
            {"kind": "estimator", "task": "toy"},
            "Unknown estimator 'abacus' for task 'toy'. Known: ToyEstimator.",
        ),
        (
            "toyestimator",
            {"task": "toy"},
            "Unknown name 'toyestimator' for task 'toy'. Did you mean 'ToyEstimator'? "
            "Known: toy, auto, abacus, counting-frame, slide-rule, ToyEstimator.",
        ),
        (
            "nobody:abacus",
            {"kind": "solver", "task": "toy"},
            "Unknown solver 'nobody:abacus' for task 'toy'. Did you mean 'abacus'? "
            "Known: auto, abacus, counting-frame, slide-rule.",
        ),
        (
            "abacus",
            {"kind": "task", "task": "toy"},
            "Unknown task 'abacus' for task 'toy'. Known: toy.",
        ),
    ],
)
def test_an_unknown_name_says_what_there_is(install, name, query, message):
    install("toy")
    with pytest.raises(UnknownNameError) as caught:
        registry.get(name, **query)
    assert str(caught.value) == message
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, LookupError)


def test_an_unknown_task_is_found_out_first():
    with pytest.raises(UnknownNameError, match=r"Unknown task 'least-square'\. Did you mean"):
        registry.get("x", kind="solver", task="least-square")


def test_a_name_must_be_a_string():
    with pytest.raises(InvalidParameterError, match=r"must be a str\. Got 3 instead"):
        registry.get(3)


def test_one_name_in_two_tasks(write_plugin):
    write_plugin(
        "second",
        """
@hookimpl
def skrand_entries():
    yield Entry(kind="task", name="other", target="x:Other", summary="Another task")
    yield Entry(kind="solver", name="sap", target="x:Sap", task="other", summary="Its solver")
""",
    )
    assert registry.get("sap", task="other").dist == "second"
    assert registry.get("other/sap").dist == "second"
    assert registry.get("least-squares/sap").dist == "skrand"
    with pytest.raises(AmbiguousNameError) as caught:
        registry.get("sap")
    assert str(caught.value) == (
        "The name 'sap' is ambiguous. Use one of: skrand:least-squares/sap, second:other/sap."
    )
    assert registry.get("skrand:least-squares/sap").dist == "skrand"


def test_make_solver():
    solver = registry.make_solver("least-squares", "sap", max_iter=7)
    assert isinstance(solver, SAP)
    assert solver.max_iter == 7
    assert registry.make_solver("least-squares", "sap") is not solver


def test_make_solver_with_unknown_parameters():
    with pytest.raises(TypeError) as caught:
        registry.make_solver("least-squares", "sap", max_itr=7)
    assert str(caught.value).startswith(
        "Solver 'sap' of task 'least-squares' has no parameter 'max_itr'. Did you mean "
        "'max_iter'? Its parameters: sketch, "
    )


def test_resolve_solver_takes_a_name_or_an_object():
    assert isinstance(registry.resolve_solver("chol", "least-squares"), Cholesky)
    solver = Cholesky()
    assert registry.resolve_solver(solver, "least-squares") is solver


@pytest.mark.parametrize("solver", [None, 3, Cholesky, lambda problem: problem])
def test_resolve_solver_takes_nothing_else(solver):
    with pytest.raises(InvalidParameterError) as caught:
        registry.resolve_solver(solver, "least-squares")
    assert str(caught.value).startswith(
        "The 'solver' parameter must be a Solver object or the name of a solver for task "
        "'least-squares' (auto, "
    )
    if solver is Cholesky:
        assert str(caught.value).endswith("That is the class: make an object of it, Cholesky().")


def test_resolve_solver_refuses_the_solver_of_another_task():
    class Other(Cholesky):
        task = "other"

    with pytest.raises(InvalidParameterError) as caught:
        registry.resolve_solver(Other(), "least-squares")
    assert str(caught.value) == (
        "The 'solver' parameter must be for task 'least-squares'. Got Other() instead, which is "
        "for task 'other'."
    )


def test_a_deprecated_solver_works_and_says_so(install):
    install("good")
    assert registry.get("old-equations").status == "deprecated"
    registry.load(registry.get("old-equations"))
    with pytest.warns(FutureWarning, match="'old-equations' is deprecated. Use normal-equations"):
        registry.make_solver("least-squares", "old-equations")


def test_warnings_point_at_the_caller(install):
    install("good")
    with pytest.warns(FutureWarning) as caught:
        registry.resolve_solver("old-equations", "least-squares")
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "not-a-solver",
            "TypeError: a solver must be a subclass of skrand.base.Solver, "
            "and this is a class NotASolver",
        ),
        (
            "not-a-class",
            "TypeError: a solver must be a subclass of skrand.base.Solver, and this is a function",
        ),
        ("not-there", "ImportError: the module has no 'NotThere'"),
    ],
)
def test_a_target_that_is_not_what_the_entry_says(install, name, reason):
    install("wrong_class")
    entry = registry.get(name)
    assert entry.status == "ok"
    with pytest.warns(PluginWarning) as warned, pytest.raises(PluginError) as caught:
        registry.load(entry)
    assert str(caught.value).startswith(
        f"The solver {name!r} of plugin 'wrong-class' (fixture-wrong-class) cannot be used: "
        "fixture_wrong_class_targets:"
    )
    assert str(caught.value).endswith(reason)
    assert str(warned[0].message) == str(caught.value)
    assert (registry.get(name).status, registry.get(name).error) == ("broken", reason)

    # The second time it is an error and no further warning.
    with pytest.raises(PluginError, match="cannot be used"):
        registry.load(entry)
    (plugin,) = [plugin for plugin in registry.plugins() if plugin.name == "wrong-class"]
    assert sorted(entry.status for entry in plugin.entries) == ["broken", "ok", "ok"]


def test_an_entry_that_is_not_registered_can_be_loaded():
    entry = Entry(
        kind="solver",
        name="mine",
        target="skrand.regression.solvers:Cholesky",
        task="least-squares",
        summary="Mine",
    )
    assert registry.load(entry) is Cholesky


def test_the_target_is_imported_once_and_only_when_needed(install):
    install("good")
    registry.entries()
    assert "fixture_good.register" in sys.modules
    assert "fixture_good.solvers" not in sys.modules
    registry.make_solver("least-squares", "gauss")
    assert "fixture_good.solvers" in sys.modules
    assert registry.get("gauss").load_time > 0
